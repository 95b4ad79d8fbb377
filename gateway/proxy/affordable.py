"""What output costs and how much of it credit pays for: arithmetic that holds and streams share.

Output is reckoned at the dearer of its two prices, since nobody knows yet how much of it will be
reasoning. Amounts are whole micro-dollars, rounded up and capped: they are held, never charged.
"""

from gateway.base.money import MAX_MICROUSD, PICOUSD_PER_MICROUSD, ceil_microusd
from gateway.platform.metering.usage import MAX_TOKENS
from gateway.proxy.exchange import Exchange


def holding_microusd(x: Exchange, output_tokens: int) -> int:
    """The amount that covers the prompt, the fee and so many tokens of output."""
    cost_picousd = x.input_picousd + output_tokens * x.output_picousd
    return min(ceil_microusd(cost_picousd), MAX_MICROUSD)


def affordable_tokens(x: Exchange, amount_microusd: int) -> int:
    """Output tokens that an amount pays for beside the prompt; MAX_TOKENS when they are free."""
    if x.output_picousd == 0:
        return MAX_TOKENS
    left_picousd = amount_microusd * PICOUSD_PER_MICROUSD - x.input_picousd
    return max(0, left_picousd // x.output_picousd)
