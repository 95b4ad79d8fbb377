"""Rating: a usage and a price give a cost. Pure, integer, exact.

Cached input has its own price and is never counted twice (`Usage.input` excludes it); reasoning
tokens are a part of output and cost their own price where the model has one. No rounding happens
here: the one rounding rule is `base.money.carry`.
"""

from gateway.base.money import MAX_PICOUSD, MoneyError
from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.prices import Price
from gateway.platform.pricing.units import rate_units


def rate(usage: Usage, price: Price) -> int:
    """The cost in picousd. Raises MoneyError for a negative count or a cost beyond 2^53 microusd.

    A unit without a price is an error too: the phases refuse it before it is consumed. The
    request fee is part of every rated usage; a request that delivered nothing is not rated.
    """
    fresh, cache_read, cache_write, output, reasoning, units = usage
    if fresh < 0 or cache_read < 0 or cache_write < 0 or not 0 <= reasoning <= output:
        raise MoneyError("a usage cannot be negative, nor reasoning exceed output")
    cost = (
        fresh * price.input
        + cache_read * price.cache_read
        + cache_write * price.cache_write
        + output * price.output
        + price.request
    )
    if price.reasoning is not None:
        cost += reasoning * (price.reasoning - price.output)
    if units:
        cost += rate_units(units, price.units)
    return _bounded(cost)


def rate_input(tokens: int, price: Price) -> int:
    """What a prompt alone costs, as `rate` would say of it: every hold begins with this."""
    if tokens < 0:
        raise MoneyError("a usage cannot be negative")
    return _bounded(tokens * price.input + price.request)


def _bounded(cost_picousd: int) -> int:
    if cost_picousd > MAX_PICOUSD:
        raise MoneyError("cost exceeds 2^53 micro-dollars")
    return cost_picousd
