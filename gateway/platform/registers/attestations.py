"""Attestations: what an operator had looked at, when, with which result, and when again.

The last one of a kind and a scope says when the next is due; the gateway itself looks at nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select

from gateway.platform.accounts import Account
from gateway.platform.registers.filled import DAY_US, Filled
from gateway.platform.registers.register import Register, newest_first
from gateway.store.schema.registers import attestations

WRITE: Final = "attestations.write"
PREFIX: Final = "att"
KINDS: Final = (
    "risk_assessment",
    "vulnerability_scan",
    "penetration_test",
    "intrusion_detection",
    "firewall",
    "incident_plan",
    "other",
)


@dataclass(frozen=True, slots=True)
class Attestation:
    """One record. Days are their starts; `scope` is what of the place it was about."""

    id: str
    entered_us: int
    entered_by: str
    kind: str
    scope: str
    done_by: str
    done_us: int
    result: str
    next_due_us: int | None

    def is_overdue(self, now_us: int) -> bool:
        """Whether the day of the next one is over, unless it was done."""
        return self.next_due_us is not None and now_us >= self.next_due_us + DAY_US


class Attestations:
    """Enters attestations, lists them, says what is overdue."""

    def __init__(self, register: Register) -> None:
        self._register = register

    async def enter(
        self, by: Account | None, fields: Mapping[str, str], *, id: str | None = None
    ) -> str:
        """Enter a record and return its id. Raises Unfit, which names every field, and Refusal."""
        filled = Filled(fields, self._register.clock.now_us())
        kind, done_us = filled.choice("kind", KINDS), filled.past_day("done")
        values = {
            "kind": kind,
            "scope": filled.line("scope", needed=kind == "other"),
            "done_by": filled.line("done_by"),
            "done_us": done_us,
            "result": filled.text("result"),
            "next_due_us": filled.later_day("next_due", done_us + DAY_US),
        }
        filled.done()
        return await self._register.add(by, attestations, PREFIX, WRITE, values, id=id)

    async def listing(
        self, limit: int | None = None, before: str | None = None
    ) -> list[Attestation]:
        """Records, the newest first: all, or so many after the one with an id."""
        order = ("done_us", "entered_us")
        query = newest_first(attestations, order, before=before, limit=limit)
        return await self._register.database.read(lambda c: _read(c, query))

    async def overdue(self) -> list[Attestation]:
        """The last of each kind and scope whose next is overdue, the longest overdue first."""
        now_us = self._register.clock.now_us()
        found = [each for each in latest(await self.listing()) if each.is_overdue(now_us)]
        return sorted(found, key=lambda each: each.next_due_us or 0)


def latest(newest_first: list[Attestation]) -> list[Attestation]:
    """The last of each kind and scope."""
    found: dict[tuple[str, str], Attestation] = {}
    for each in newest_first:
        found.setdefault((each.kind, each.scope.casefold()), each)
    return list(found.values())


def _read(connection: Connection, query: Select[Any]) -> list[Attestation]:
    return [Attestation(*row) for row in connection.execute(query)]
