"""Our prices beside what their providers are known to charge, target by target.

A margin is judged by the worst of the four token prices: below zero as soon as one of ours is
lower than theirs. Nothing is changed here; a person decides.
"""

from typing import Literal, NamedTuple

from gateway.platform.catalog.snapshot import Snapshot
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
