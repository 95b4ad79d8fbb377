"""Administrative commands over prices: compare them with what providers charge, take those over.

What a comparison is and what it proposes is the catalog room's. A price that rises is announced as
it is in the administration's pages: it begins on the first day after the notice. A proposal that is
in effect or scheduled already is not entered again.
"""

from typing import Any

import msgspec

from gateway.platform.assembly import Platform
from gateway.platform.catalog.comparison import FIELDS, Compared, compare_prices, proposal
from gateway.platform.catalog.document import nearest
from gateway.platform.catalog.entries import ModelEntry
from gateway.platform.catalog.schedule import DAY_US, NOTICE_DAYS, pending, rises
from gateway.platform.pricing import prices
from gateway.platform.pricing.prices import Price
from gateway.platform.pricing.reference import source_version
from gateway.platform.refusals import Refusal
from gateway.web.admin.reports import Nothing, shown_time


class PriceImport(msgspec.Struct, forbid_unknown_fields=True):
    """Models by name; none: all that differ."""

    models: list[str] = []
    dry_run: bool = False


class Proposed(msgspec.Struct):
    """A model's price as it would be, and from when on; None: from now on."""

    model: str
    present: Price | None
    price: Price
    begins_us: int | None


async def prices_compare(platform: Platform, _: Nothing) -> Any:
    """Every target's prices beside those known of its provider, in USD per million tokens."""
    rows = compare_prices(platform.catalog.snapshot, platform.clock.now_us())
    proposed = {each.model: each for each in await _proposals(platform, rows)}
    return {"source": source_version(), "prices": [_compared(row, proposed) for row in rows]}


async def prices_import(platform: Platform, p: PriceImport) -> Any:
    """Enter what is proposed for these models. Raises Refusal for a model there is none of."""
    rows = compare_prices(platform.catalog.snapshot, platform.clock.now_us())
    known = set(platform.catalog.snapshot.models)
    for name in p.models:
        if name not in known:
            raise Refusal(f"no model {name[:64]!r}{nearest(name, known)}")
    found = [each for each in await _proposals(platform, rows) if each.model in (p.models or known)]
    if not p.dry_run:
        for each in found:
            await platform.catalog.schedule_price(each.model, each.price, each.begins_us)
    changes = [_change(each) for each in found]
    return {"source": source_version(), "changes": changes, "dry_run": p.dry_run}


async def _proposals(platform: Platform, rows: list[Compared]) -> list[Proposed]:
    """What is neither in effect nor scheduled yet, in the catalog's order."""
    stored, now_us = await platform.catalog.stored(), platform.clock.now_us()
    found = []
    for entry in stored.models.values():
        price = proposal(entry.price, [row for row in rows if _concerns(row, entry)])
        if price is None:
            continue
        waiting = pending(await platform.catalog.price_versions(entry.name), now_us)
        if waiting and price.same_as(waiting[-1].price):
            continue
        begins_us = None
        if any(each is not None and rises(each, price) for each in (entry.price, *_of(waiting))):
            begins_us = (now_us // DAY_US + NOTICE_DAYS + 1) * DAY_US
        found.append(Proposed(entry.name, entry.price, price, begins_us))
    return found


def _of(waiting: Any) -> list[Price]:
    return [version.price for version in waiting]


def _concerns(row: Compared, entry: ModelEntry) -> bool:
    """Whether a row is of a target that is charged at the model's own price."""
    own = {(each.provider, each.model) for each in entry.targets if each.price is None}
    return row.model == entry.name and (row.provider, row.target) in own


def _compared(row: Compared, proposed: dict[str, Proposed]) -> dict[str, Any]:
    theirs = row.theirs
    known = {name: None if theirs is None else getattr(theirs, name) for name in FIELDS}
    ours = {name: None if row.ours is None else getattr(row.ours, name) for name in FIELDS}
    change = proposed.get(row.model)
    return {
        "model": row.model,
        "target": f"{row.provider}:{row.target}",
        "margin": row.margin,
        "differs": row.differs,
        "tiered": theirs is not None and theirs.tiered,
        **{f"our_{name}": prices.shown(value) for name, value in ours.items()},
        **{f"their_{name}": prices.shown(value) for name, value in known.items()},
        "proposed": None if change is None else prices.render(change.price),
        "begins": None if change is None else shown_time(change.begins_us),
    }


def _change(each: Proposed) -> dict[str, Any]:
    return {
        "model": each.model,
        "from": None if each.present is None else prices.render(each.present),
        "to": prices.render(each.price),
        "begins": shown_time(each.begins_us),
    }
