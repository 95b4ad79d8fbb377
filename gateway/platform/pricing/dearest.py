"""The dearest of several prices: what a hold reckons with while it is open who will serve.

Never charged. A unit that one of the prices lacks is left out, so that a request which needs it is
refused before it could be served where it has no price.
"""

from collections.abc import Sequence

from gateway.platform.pricing.prices import Price


def dearest(among: Sequence[Price]) -> Price | None:
    """A price that is nowhere below any of these; None of none.

    One of them where it is the dearest in every field, else a price of version 0.
    """
    if not among:
        return None
    units = dict(among[0].units)
    for price in among[1:]:
        others = dict(price.units)
        units = {name: max(units[name], others[name]) for name in units if name in others}
    reasoning = [p.output if p.reasoning is None else p.reasoning for p in among]
    made = Price(
        version=0,
        input=max(price.input for price in among),
        cache_read=max(price.cache_read for price in among),
        cache_write=max(price.cache_write for price in among),
        output=max(price.output for price in among),
        reasoning=max(reasoning),
        request=max(price.request for price in among),
        units=tuple(sorted(units.items())),
        tokens=all(price.tokens for price in among),
    )
    return next((price for price in among if price.same_as(made)), made)
