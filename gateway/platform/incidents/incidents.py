"""Incidents and planned maintenance: what the operator tells the public, in the operator's words.

Nothing is deleted or reworded: what is learnt later is an update with its time, and what was wrong
is withdrawn with a reason, which the administration goes on seeing and the public does not. What
the public may see is held in memory and read anew after each change, so that no page asks the
database for it. Each change is one transaction with its row of the audit log.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, case, func, insert, or_, select, update

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts import Account
from gateway.platform.audit import LOCAL, Audit
from gateway.platform.catalog import Catalog
from gateway.platform.incidents.board import (
    DAY_US,
    KINDS,
    TOLD_DAYS,
    Announced,
    Board,
    Incident,
    Kind,
    Update,
    announced_of,
    board_of,
)
from gateway.platform.incidents.checks import (
    check_end,
    check_times,
    checked_reason,
    checked_title,
    checked_words,
    shown_time,
)
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.incidents import incident_updates, incidents

WRITE: Final = "incidents.write"
MAX_MODELS: Final = 50
MAX_UPDATES: Final = 40
MAX_TOLD: Final = 60  # on the public page; what is open comes first


class Incidents:
    """Enters, adds to, ends and withdraws; `board` and `announced` are read from memory."""

    def __init__(
        self, database: Database, catalog: Catalog, audit: Audit, clock: Clock, ids: IdFactory
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._told: list[Incident] = []
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Read what the public may see."""
        since_us = self._clock.now_us() - TOLD_DAYS * DAY_US
        columns = incidents.c
        ended = case((columns.ends_us.is_(None), 0), else_=1)
        query = (
            select(incidents)
            .where(columns.withdrawn_us.is_(None))
            .where(or_(columns.ends_us.is_(None), columns.ends_us > since_us))
            .order_by(ended, columns.begins_us.desc())
            .limit(MAX_TOLD)
        )
        self._told = await self._database.read(lambda c: _read(c, query))

    def board(self) -> Board:
        """What is told to the public now."""
        return board_of(self._told, self._clock.now_us())

    def announced(self) -> Announced | None:
        """What the console tells of now, if there is anything."""
        return announced_of(self.board(), self._clock.now_us())

    async def listing(self, limit: int, before: str | None = None) -> list[Incident]:
        """All there ever were, withdrawn ones too, the newest entry first; `before` an id."""
        query = select(incidents).order_by(incidents.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(incidents.c.id < before)
        return await self._database.read(lambda c: _read(c, query))

    async def named(self, id: str) -> Incident:
        """One by its id, withdrawn or not. Raises Refusal."""
        return await self._database.read(lambda c: _one(c, id))

    async def enter(
        self,
        by: Account | None,
        kind: str,
        title: str,
        words: str,
        *,
        models: Sequence[str] = (),
        begins_us: int | None = None,
        ends_us: int | None = None,
    ) -> Incident:
        """A new one, which begins now unless said otherwise; `by` None: the host. Raises Refusal.

        `ends_us` is the planned end of maintenance, or that of an incident that is over already.
        """
        now_us = self._clock.now_us()
        known: Kind | None = next((each for each in KINDS if each == kind), None)
        if known is None:
            raise Refusal("it is either an incident or maintenance")
        begins_us = now_us if begins_us is None else begins_us
        check_times(known, begins_us, ends_us, now_us)
        named = tuple(dict.fromkeys(models))
        self._check_models(named)
        made = Incident(
            self._ids.make("inc"),
            known,
            checked_title(title),
            checked_words(words),
            named,
            begins_us,
            ends_us,
            now_us,
            by.id if by is not None else LOCAL,
            *(None, None, None),
        )

        def write(connection: Connection) -> None:
            row = {name: getattr(made, name) for name in incidents.c.keys()}  # noqa: SIM118
            row["models"] = msgspec.json.encode(named).decode()
            connection.execute(insert(incidents).values(**row))
            self._record(connection, by, made.id, f"entered {kind}")

        await self._change(write)
        return made

    async def add(self, by: Account | None, id: str, words: str) -> Incident:
        """Add what is known now, also to what is over. Raises Refusal."""
        said, now_us = checked_words(words), self._clock.now_us()

        def write(connection: Connection) -> None:
            _standing(connection, id)
            columns = incident_updates.c
            newest = select(func.max(columns.no)).where(columns.incident_id == id)
            no = (connection.execute(newest).scalar() or 0) + 1
            if no > MAX_UPDATES:
                raise Refusal(f"there are {MAX_UPDATES} updates already; enter it anew")
            row = {"incident_id": id, "no": no, "at_us": now_us, "words": said}
            row["entered_by"] = by.id if by is not None else LOCAL
            connection.execute(insert(incident_updates).values(**row))
            self._record(connection, by, id, "added an update")

        await self._change(write)
        return await self.named(id)

    async def end(self, by: Account | None, id: str, ends_us: int | None = None) -> Incident:
        """It is over, now or since then; maintenance may also be given a later end.

        Raises Refusal: also for what is over, or has not begun.
        """
        now_us = self._clock.now_us()
        wanted_us = now_us if ends_us is None else ends_us

        def write(connection: Connection) -> None:
            found = _standing(connection, id)
            phase = found.phase(now_us)
            if phase == "over":
                raise Refusal("it is over already")
            if phase == "planned":
                raise Refusal("what has not begun is withdrawn, not ended")
            check_end(found.kind, found.begins_us, wanted_us, now_us)
            self._set(connection, id, {"ends_us": wanted_us})
            self._record(connection, by, id, f"ends {shown_time(wanted_us)}")

        await self._change(write)
        return await self.named(id)

    async def withdraw(self, by: Account | None, id: str, reason: str) -> None:
        """Take it from the public for good; the reason stays on record. Raises Refusal."""
        row: dict[str, Any] = {"withdrawn_for": checked_reason(reason)}
        row["withdrawn_us"] = self._clock.now_us()
        row["withdrawn_by"] = by.id if by is not None else LOCAL

        def write(connection: Connection) -> None:
            _standing(connection, id)
            self._set(connection, id, row)
            self._record(connection, by, id, "withdrawn")

        await self._change(write)

    async def _change(self, write: Callable[[Connection], None]) -> None:
        async with self._changing:  # what is read last is the newest
            await self._database.write(write)
            await self.load()

    def _set(self, connection: Connection, id: str, row: Mapping[str, Any]) -> None:
        connection.execute(update(incidents).where(incidents.c.id == id).values(**row))

    def _record(self, connection: Connection, by: Account | None, id: str, act: str) -> None:
        actor, role = (by.id, str(by.role)) if by is not None else (LOCAL, LOCAL)
        self._audit.append(connection, actor, role, WRITE, id, act)

    def _check_models(self, names: Sequence[str]) -> None:
        if len(names) > MAX_MODELS:
            raise Refusal(f"at most {MAX_MODELS} models are named; none stands for all")
        for name in names:
            if name not in self._catalog.snapshot.models:
                raise Refusal(f"the catalog has no model {name[:80]}")


def _standing(connection: Connection, id: str) -> Incident:
    found = _one(connection, id)
    if found.withdrawn_us is not None:
        raise Refusal("it was withdrawn already")
    return found


def _one(connection: Connection, id: str) -> Incident:
    for found in _read(connection, select(incidents).where(incidents.c.id == id)):
        return found
    raise Refusal(f"there is no incident {id[:80]}")


def _read(connection: Connection, query: Any) -> list[Incident]:
    """What a query finds, with its updates."""
    rows = connection.execute(query).mappings().all()
    columns = incident_updates.c
    added: dict[str, list[Update]] = {}
    later = (
        select(columns.incident_id, columns.at_us, columns.words, columns.entered_by)
        .where(columns.incident_id.in_([row["id"] for row in rows]))
        .order_by(columns.incident_id, columns.no)
    )
    for id, *update_ in connection.execute(later) if rows else ():
        added.setdefault(id, []).append(Update(*update_))
    found = []
    for row in rows:
        models = tuple(msgspec.json.decode(row["models"], type=list[str]))
        updates = tuple(added.get(row["id"], ()))
        found.append(Incident(**{**row, "models": models, "updates": updates}))
    return found
