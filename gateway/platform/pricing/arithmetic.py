"""The arithmetic of a charge, line by line: what a person can check with pencil and paper.

The lines add up to what `rating.rate` gives for the same usage and price. Pure integers.
"""

from typing import NamedTuple

from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.prices import Price
from gateway.platform.pricing.units import AUDIO, PER_MILLION, rate_units


class Line(NamedTuple):
    """`quantity` of `what` at `price_picousd` for each `per` of them makes `cost_picousd`.

    `what` is a field of a price: input, cache_read, cache_write, output, reasoning, request, or a
    unit. `per` is 1,000,000 where a price is told by the million (`price_picousd` is then of one),
    3,600,000 for milliseconds of audio, whose price is of an hour, and 1 else.
    """

    what: str
    quantity: int
    price_picousd: int
    per: int
    cost_picousd: int


def lines_of(usage: Usage, price: Price) -> list[Line]:
    """The lines of a rated usage; those of nothing are left out. Raises MoneyError like `rate`."""
    apart = usage.reasoning if price.reasoning is not None else 0
    reasoning = price.reasoning or 0
    amounts = (
        ("input", usage.input, price.input),
        ("cache_read", usage.cache_read, price.cache_read),
        ("cache_write", usage.cache_write, price.cache_write),
        ("output", usage.output - apart, price.output),
        ("reasoning", apart, reasoning),
    )
    lines = [
        Line(what, quantity, each, 1_000_000, quantity * each)
        for what, quantity, each in amounts
        if quantity
    ]
    known = dict(price.units)
    for name, quantity in usage.units:
        cost = rate_units(((name, quantity),), price.units)
        per = 3_600_000 if name == AUDIO else 1_000_000 if name in PER_MILLION else 1
        lines.append(Line(name, quantity, known[name], per, cost))
    if price.request:
        lines.append(Line("request", 1, price.request, 1, price.request))
    return lines
