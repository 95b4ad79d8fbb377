"""What output costs and how much of it credit pays for: arithmetic that holds and streams share.

What nobody knows yet is reckoned at its dearest: output as reasoning, as images where the model
makes them, or as speech where that is asked for; the prompt as written to a cache where one may be.
OpenAI's models cache prompts unasked, others when a `cache_control` says so.

Amounts are whole micro-dollars, rounded up and capped: they are held, never charged.
"""

from gateway.base.money import MAX_MICROUSD, PICOUSD_PER_MICROUSD, ceil_microusd
from gateway.platform.metering.reports import CACHE_WRITE_1H
from gateway.platform.metering.usage import MAX_TOKENS
from gateway.platform.pricing.prices import Price
from gateway.platform.pricing.rating import rate_input
from gateway.proxy.exchange import NO_FILES, Exchange
from gateway.proxy.fields import field


def reckon_text(x: Exchange, price: Price) -> None:
    """Set what the prompt and a token of output cost at most, in picousd, at this price."""
    x.input_picousd = rate_input(x.measured_input, price)
    dear = fresh = price.input
    units = dict(price.units) if price.units else {}
    if x.scan.caches:
        dear = max(dear, price.cache_write, units.get(CACHE_WRITE_1H, 0))
    elif x.endpoint.family == "openai":
        dear = max(dear, price.cache_write)
    if dear > fresh:
        x.input_picousd += x.measured_input * (dear - fresh)
    if x.files is not NO_FILES:
        documents, pictures, sound = x.files
        x.input_picousd += documents * dear
        x.input_picousd += pictures * max(dear, units.get("image_input", 0))
        x.input_picousd += sound * max(dear, units.get("audio_input", 0))
    x.output_picousd = max(price.output, price.reasoning or 0)
    if units:
        x.output_picousd = max(x.output_picousd, units.get("image_output", 0))
        if "audio_output" in units and asks_speech(x):
            x.output_picousd = max(x.output_picousd, units["audio_output"])


def asks_speech(x: Exchange) -> bool:
    """Whether the request names audio among the modalities of its answer."""
    scan = x.scan
    spans = (
        scan.member("modalities"),
        scan.inside("responseModalities"),
        scan.inside("response_modalities"),
    )
    return any("audio" in str(field(x.body, span)).lower() for span in spans if span is not None)


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
