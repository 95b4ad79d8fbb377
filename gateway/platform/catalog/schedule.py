"""Prices over time: which versions a model had, and the next one with the day it begins.

A price that rises is announced: it begins at least NOTICE_DAYS after it was entered, measured
against what is in effect and against everything scheduled before it. A fall may begin at once. A
later decision replaces every earlier one that has not begun, so taking a scheduled price back is
one more version of the present one. All SQL is in `rows`.
"""

from typing import NamedTuple

from sqlalchemy import Connection

from gateway.base.policy import strict
from gateway.platform.catalog import rows
from gateway.platform.catalog.snapshot import Announced
from gateway.platform.pricing.prices import TOKEN_FIELDS, Price
from gateway.platform.refusals import Refusal

NOTICE_DAYS = strict("price_notice_days")
DAY_US = 86_400 * 1_000_000
MAX_AHEAD_US = 366 * DAY_US


class Version(NamedTuple):
    """One version of a model's price; None is a withdrawal. Times in epoch microseconds."""

    no: int
    effective_us: int
    created_us: int
    price: Price | None

    def waits(self, now_us: int) -> bool:
        """Whether it was made for a later time that has not come."""
        return self.effective_us > max(now_us, self.created_us)


def history(connection: Connection, model: str) -> list[Version]:
    """The versions of a model's own price, newest first."""
    return [Version(*row) for row in rows.read_versions(connection, model)]


def pending(versions: list[Version], now_us: int) -> list[Version]:
    """Those that will begin, the next one first; what a later decision replaced is left out."""
    found: list[Version] = []
    for version in versions:  # newest first
        if not version.waits(now_us):
            break
        if not found or version.effective_us < found[0].effective_us:
            found.insert(0, version)
    return found


def coming(connection: Connection, now_us: int) -> dict[str, tuple[Announced, ...]]:
    """What is announced of each model that something is announced of, the next one first."""
    found = {}
    for model in rows.awaiting(connection, now_us):
        waiting = pending(history(connection, model), now_us)
        if waiting:
            found[model] = tuple(Announced(each.effective_us, each.price) for each in waiting)
    return found


def schedule(
    connection: Connection, model: str, price: Price, effective_us: int | None, now_us: int
) -> None:
    """Inside a transaction: a model's price from a time on; None: from now on. Raises Refusal."""
    begins_us = max(effective_us or now_us, now_us)
    if begins_us > now_us + MAX_AHEAD_US:
        raise Refusal("a price is scheduled at most a year ahead")
    versions = history(connection, model)
    current = next((each for each in versions if not each.waits(now_us)), None)
    before = [] if current is None else [current]
    before += [each for each in pending(versions, now_us) if each.effective_us <= begins_us]
    notice_us = now_us + NOTICE_DAYS * DAY_US
    for each in before:
        if each.price is not None and begins_us < notice_us and rises(each.price, price):
            raise Refusal(
                f"a price that rises is announced {NOTICE_DAYS} days ahead; choose a later day"
            )
    rows.add_version(connection, (model, "", ""), price, begins_us, now_us)


def take_back(connection: Connection, model: str, now_us: int) -> None:
    """Inside a transaction: nothing that is scheduled begins. Raises Refusal."""
    versions = history(connection, model)
    if not pending(versions, now_us):
        raise Refusal("no price is scheduled")
    current = next((each for each in versions if not each.waits(now_us)), None)
    if current is None:
        raise Refusal("the model has no price to stay with")
    rows.add_version(connection, (model, "", ""), current.price, now_us, now_us)


def rises(old: Price, new: Price) -> bool:
    """Whether some usage would cost more by the new price.

    A unit that gets a price of its own, or loses it, is priced by another until then or from then
    on (see `units`); that counts as a rise, whichever is the dearer.
    """
    was, will = dict(old.units), dict(new.units)
    if was.keys() != will.keys() or old.tokens != new.tokens:
        return True
    return (
        any(_amount(new, name) > _amount(old, name) for name in TOKEN_FIELDS)
        or new.request > old.request
        or any(will[unit] > was[unit] for unit in was)
    )


def _amount(price: Price, name: str) -> int:
    value: int | None = getattr(price, name)
    return price.output if value is None else value
