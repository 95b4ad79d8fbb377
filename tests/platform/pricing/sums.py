"""What a usage costs by a price, written out a second time: an oracle for `rate`."""

from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.prices import Price


def exact_text(usage: Usage, price: Price) -> int:
    """The picodollars of a usage's tokens and of the request itself, other units aside."""
    reasoning = price.output if price.reasoning is None else price.reasoning
    return (
        usage.input * price.input
        + usage.cache_read * price.cache_read
        + usage.cache_write * price.cache_write
        + (usage.output - usage.reasoning) * price.output
        + usage.reasoning * reasoning
        + price.request
    )
