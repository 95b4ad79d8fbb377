"""Our prices beside what their providers are known to charge, target by target.

A margin is judged by the worst of the four token prices: below zero as soon as one of ours is
lower than theirs. Nothing is changed here; a person decides.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from gateway.base.money import format_price
from gateway.platform.catalog.snapshot import Snapshot
from gateway.platform.pricing import prices
from gateway.platform.pricing.prices import Price
from gateway.platform.pricing.reference import Reference, reference_of

FIELDS = ("input", "cache_read", "cache_write", "output")
Margin = Literal["gain", "even", "loss", "unknown"]


class Compared(NamedTuple):
    """One target. `differs`: some price of ours is not theirs."""

    model: str
    provider: str
    target: str
    ours: Price | None
    theirs: Reference | None
    margin: Margin
    differs: bool


def compare_prices(snapshot: Snapshot, at_us: int) -> list[Compared]:
    """Every target of every model, in the catalog's order; the sandbox has no price elsewhere."""
    found = []
    for model in snapshot.models.values():
        for target in model.targets:
            provider = target.provider
            if provider.kind == "sandbox":
                continue
            theirs = reference_of(
                f"{provider.scheme}://{provider.host}{provider.path}", target.model, at_us
            )
            ours = target.price or model.price
            margin, differs = _judged(ours, theirs)
            found.append(
                Compared(model.name, provider.name, target.model, ours, theirs, margin, differs)
            )
    return found


def known_prices(theirs: Reference | None) -> dict[str, str]:
    """The known prices as a catalog writes them; empty where they are not enough for a price."""
    if theirs is None or theirs.input is None or theirs.output is None:
        return {}
    known = {name: getattr(theirs, name) for name in FIELDS}
    return {name: format_price(value) for name, value in known.items() if value is not None}


def proposal(present: Price | None, rows: Sequence[Compared]) -> Price | None:
    """A model's price after what its targets are known to cost; None where nothing is to change.

    The dearest of several targets counts. What is not known stays: reasoning, units, the fee.
    Targets with a price of their own are not the model's price's concern.
    """
    known = [found for row in rows if (found := known_prices(row.theirs))]
    if not known or (present is not None and not present.tokens):
        return None
    names = {name for found in known for name in found}
    dearest = {name: max((f[name] for f in known if name in f), key=Decimal) for name in names}
    price = prices.parse((prices.render(present) if present is not None else {}) | dearest)
    return None if present is not None and price.same_as(present) else price


def _judged(ours: Price | None, theirs: Reference | None) -> tuple[Margin, bool]:
    if ours is None or theirs is None or not ours.tokens:
        return "unknown", False
    pairs = [
        (getattr(ours, name), getattr(theirs, name))
        for name in FIELDS
        if getattr(theirs, name) is not None
    ]
    if not pairs:
        return "unknown", False
    differs = any(a != b for a, b in pairs)
    if any(a < b for a, b in pairs):
        return "loss", differs
    return ("gain" if differs else "even"), differs
