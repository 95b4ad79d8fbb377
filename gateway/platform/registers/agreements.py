"""Agreements with processors (GDPR, article 28): of each provider, the last one entered counts.

A provider is named as the catalog names it, also before it is there. Each agreement holds from the
day it was signed to the end of the day it is valid until.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, exists, tuple_

from gateway.platform.accounts import Account
from gateway.platform.registers.filled import DAY_US, Filled
from gateway.platform.registers.register import Register, newest_first
from gateway.store.schema.registers import processor_agreements

WRITE: Final = "agreements.write"
PREFIX: Final = "agr"


@dataclass(frozen=True, slots=True)
class Agreement:
    """One agreement. Days are their starts; `valid_until_us` None: until it is replaced."""

    id: str
    entered_us: int
    entered_by: str
    provider: str
    title: str
    signed_by: str
    signed_us: int
    valid_until_us: int | None
    note: str

    def in_force(self, now_us: int) -> bool:
        """Whether it holds now, unless it was replaced."""
        until_us = self.valid_until_us
        return self.signed_us <= now_us and (until_us is None or now_us < until_us + DAY_US)


class Agreements:
    """Enters agreements, lists them, says which providers lack one."""

    def __init__(self, register: Register) -> None:
        self._register = register

    async def enter(
        self, by: Account | None, fields: Mapping[str, str], *, id: str | None = None
    ) -> str:
        """Enter an agreement and return its id. Raises Unfit, which names every field, Refusal."""
        filled = Filled(fields, self._register.clock.now_us())
        signed_us = filled.past_day("signed")
        values = {
            "provider": filled.line("provider"),
            "title": filled.line("title"),
            "signed_by": filled.line("signed_by"),
            "signed_us": signed_us,
            "valid_until_us": filled.later_day("valid_until", signed_us),
            "note": filled.text("note", needed=False),
        }
        filled.done()
        return await self._register.add(by, processor_agreements, PREFIX, WRITE, values, id=id)

    async def listing(self) -> list[Agreement]:
        """Every agreement, the last entered first: of each provider, the first is the one."""
        return await self._register.database.read(lambda c: _read(c, _LAST_FIRST))

    async def last(self) -> list[Agreement]:
        """The one that counts of each provider, by the provider's name."""
        query = _LAST_FIRST.where(~_replaced)
        found = await self._register.database.read(lambda c: _read(c, query))
        return sorted(found, key=lambda each: each.provider)

    async def replaced(self, limit: int, before: str | None = None) -> list[Agreement]:
        """Those before them, the last entered first: so many after the one with an id."""
        query = newest_first(processor_agreements, ("entered_us",), before=before, limit=limit)
        return await self._register.database.read(lambda c: _read(c, query.where(_replaced)))

    def lacking(self, connection: Connection, providers: Iterable[str]) -> list[str]:
        """Those among some providers with which no agreement is in force."""
        now_us = self._register.clock.now_us()
        last = {each.provider: each for each in reversed(_read(connection, _LAST_FIRST))}
        return [name for name in providers if name not in last or not last[name].in_force(now_us)]


_later = processor_agreements.alias("later")
_columns = processor_agreements.c
_replaced = exists().where(
    _later.c.provider == _columns.provider,
    tuple_(_later.c.entered_us, _later.c.id) > tuple_(_columns.entered_us, _columns.id),
)
_LAST_FIRST = newest_first(processor_agreements, ("entered_us",))


def _read(connection: Connection, query: Select[Any]) -> list[Agreement]:
    return [Agreement(*row) for row in connection.execute(query)]
