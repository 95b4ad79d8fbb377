"""The register of personal data breaches, with the time left to notify (GDPR, articles 33 and 34).

Every breach stands in it, also one that nobody has to be told of. The authority, and the persons
where the risk is high, are told within the hours that the policy table names, from becoming aware
on. What is learnt or done later is added to the breach; nothing that stands there changes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Select, select

from gateway.base.policy import strict
from gateway.platform.accounts import Account
from gateway.platform.refusals import Refusal
from gateway.platform.registers.filled import Filled
from gateway.platform.registers.register import Register, newest_first
from gateway.store.schema.registers import breach_updates, breaches

HOUR_US: Final = 3_600 * 1_000_000
NOTICE_US: Final = strict("breach_hours") * HOUR_US
WRITE: Final = "breaches.write"
PREFIX, UPDATE_PREFIX = "brc", "bru"
ACTS: Final = (
    "authority_notified",
    "persons_notified",
    "authority_not_needed",
    "persons_not_needed",
    "risk_high",
    "risk_not_high",
    "facts",
)
RISKS: Final = ("high", "not_high")
To = Literal["authority", "persons"]


@dataclass(frozen=True, slots=True)
class Update:
    """What was added to a breach. `act` is one of ACTS; `at_us` of a notification only."""

    id: str
    breach_id: str
    entered_us: int
    entered_by: str
    act: str
    at_us: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody to be told by a time; `at_us` is when they were, `excused` that nobody has to."""

    to: To
    due_us: int
    at_us: int | None
    excused: bool

    @property
    def waits(self) -> bool:
        """Whether it is still to be done."""
        return self.at_us is None and not self.excused

    @property
    def is_late(self) -> bool:
        """Whether it was done after its time."""
        return self.at_us is not None and self.at_us > self.due_us

    def left_us(self, now_us: int) -> int:
        """The time left; below zero when it is overdue."""
        return self.due_us - now_us


@dataclass(frozen=True, slots=True)
class Breach:
    """One breach as it was entered, and what was added since, in that order."""

    id: str
    entered_us: int
    entered_by: str
    aware_us: int
    discovered: str
    nature: str
    persons: int
    records: int
    consequences: str
    measures: str
    high_risk: int
    updates: tuple[Update, ...] = ()

    @property
    def due_us(self) -> int:
        """When the authority, and the persons, must have been told."""
        return self.aware_us + NOTICE_US

    @property
    def is_high_risk(self) -> bool:
        """Whether the risk is high, as it was judged last."""
        for each in reversed(self.updates):
            if each.act in ("risk_high", "risk_not_high"):
                return each.act == "risk_high"
        return bool(self.high_risk)

    @property
    def duties(self) -> tuple[Duty, ...]:
        """Who is to be told."""
        authority, persons = self._duty("authority"), self._duty("persons")
        told = persons.at_us is not None
        return (authority, persons) if self.is_high_risk or told else (authority,)

    def _duty(self, to: To) -> Duty:
        told = [each.at_us for each in self.updates if each.act == f"{to}_notified"]
        excused = False
        for each in self.updates:  # a risk that is found to be high ends an earlier excuse
            excused = each.act == f"{to}_not_needed" or (excused and each.act != "risk_high")
        first_us = min((each for each in told if each is not None), default=None)
        return Duty(to, self.due_us, first_us, excused and first_us is None)

    @property
    def waiting(self) -> tuple[Duty, ...]:
        """What is still to be done."""
        return tuple(each for each in self.duties if each.waits)


class Breaches:
    """Enters breaches, adds to them, lists them."""

    def __init__(self, register: Register) -> None:
        self._register = register

    async def enter(
        self, by: Account | None, fields: Mapping[str, str], *, id: str | None = None
    ) -> str:
        """Enter a breach and return its id. Raises Unfit, which names every field, and Refusal."""
        filled = Filled(fields, self._register.clock.now_us())
        values = {
            "aware_us": filled.past_moment("aware_at"),
            "discovered": filled.text("discovered"),
            "nature": filled.text("nature"),
            "persons": filled.number("persons"),
            "records": filled.number("records"),
            "consequences": filled.text("consequences"),
            "measures": filled.text("measures"),
            "high_risk": int(filled.choice("risk", RISKS) == "high"),
        }
        filled.done()
        return await self._register.add(by, breaches, PREFIX, WRITE, values, id=id)

    async def update(
        self,
        by: Account | None,
        breach_id: str,
        fields: Mapping[str, str],
        *,
        id: str | None = None,
    ) -> str:
        """Add to a breach. Words are needed but for a notification in time. As `enter`."""
        breach = await self.named(breach_id)
        filled = Filled(fields, self._register.clock.now_us())
        act = filled.choice("act", ACTS)
        notified = act.endswith("_notified")
        at_us = filled.past_moment("at", needed=notified, least_us=breach.aware_us)
        if at_us is not None and not notified:
            filled.wrong("at", "not_here")
        in_time = notified and at_us is not None and at_us <= breach.due_us
        words = filled.text("words", needed=not in_time)
        filled.done()
        values = {"breach_id": breach.id, "act": act, "at_us": at_us, "words": words}
        return await self._register.add(by, breach_updates, UPDATE_PREFIX, WRITE, values, id=id)

    async def named(self, id: str) -> Breach:
        """One breach. Raises Refusal."""
        found = await self._register.database.read(
            lambda c: _read(c, select(breaches).where(breaches.c.id == id))
        )
        if not found:
            raise Refusal(f"there is no breach {id[:64]!r}")
        return found[0]

    async def listing(self, limit: int | None = None, before: str | None = None) -> list[Breach]:
        """Breaches, the newest first: all, or so many after the one with an id."""
        query = newest_first(breaches, ("aware_us",), before=before, limit=limit)
        return await self._register.database.read(lambda c: _read(c, query, limit is None))

    async def waiting(self) -> list[Breach]:
        """Those of which somebody is still to be told, the most urgent first."""
        found = [each for each in await self.listing() if each.waiting]
        return sorted(found, key=lambda each: each.due_us)


def _read(connection: Connection, query: Select[Any], is_whole: bool = False) -> list[Breach]:
    """What a query finds, with its updates; `is_whole`: it finds all there are."""
    rows = connection.execute(query).all()
    later = select(breach_updates).order_by(breach_updates.c.entered_us, breach_updates.c.id)
    if not is_whole:
        later = later.where(breach_updates.c.breach_id.in_([row.id for row in rows]))
    added = _by_breach(Update(*row) for row in connection.execute(later))
    return [Breach(**row._mapping, updates=tuple(added.get(row.id, ()))) for row in rows]


def _by_breach(updates: Iterable[Update]) -> dict[str, list[Update]]:
    found: dict[str, list[Update]] = {}
    for each in updates:
        found.setdefault(each.breach_id, []).append(each)
    return found
