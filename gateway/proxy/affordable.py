"""How much output an amount of credit pays for: the arithmetic that holds and streams share."""

from gateway.base.money import PICOUSD_PER_MICROUSD
from gateway.platform.metering.usage import MAX_TOKENS, Usage
from gateway.platform.pricing.rating import rate
from gateway.proxy.exchange import Exchange


def affordable_tokens(amount_microusd: int, x: Exchange) -> int:
    """Output tokens that an amount pays for beside the prompt; MAX_TOKENS when they are free."""
    price = x.price
    per_token = max(price.output, price.reasoning or 0)
    if per_token == 0:
        return MAX_TOKENS
    left = amount_microusd * PICOUSD_PER_MICROUSD - rate(Usage(input=x.measured_input), price)
    return max(0, int(left // per_token))
