"""The outbox: facts appended in the transaction that makes them true, delivered later.

A row that is on disk is delivered at least once, or kept with its last failure: never lost. The
body is sealed while it waits and emptied when it is done. Who delivers decides what a topic means
and when a failure is final; this file only keeps the rows. A note is a row without a body that is
done from the beginning: that a fact was told, for whoever must not tell it twice.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.store.schema.outbox import outbox
from gateway.store.secrets import Secrets

KEPT_US = 30 * 86_400 * 1_000_000  # a row that is done says so for a month
DROP_ROWS = 1_000  # opened at once
NOTED_US = 0  # due then: a note, kept until it is forgotten

_encode = msgspec.json.Encoder().encode


class Item(NamedTuple):
    """A row with its body opened. `created_us`: epoch microseconds."""

    id: str
    topic: str
    body: dict[str, Any]
    state: str
    attempts: int
    created_us: int
    error: str | None


class Outbox:
    """Appends, lists and finishes rows; every method runs inside the caller's transaction."""

    def __init__(self, secrets: Secrets, clock: Clock, ids: IdFactory) -> None:
        self._secrets = secrets
        self._clock = clock
        self._ids = ids
        self.appended_s = 0.0  # when a row was last appended, by the monotonic clock

    def append(
        self, connection: Connection, topic: str, body: dict[str, Any], *, void: bool = False
    ) -> str:
        """Queue a fact; returns its id. A `void` one costs the same work and is never delivered."""
        id = self._ids.make("out")
        now_us = self._clock.now_us()
        self.appended_s = self._clock.monotonic_s()
        sealed = self._secrets.seal(_encode(body).decode(), table="outbox", row=id)
        connection.execute(
            insert(outbox).values(
                id=id,
                topic=topic,
                sealed=sealed,
                state="void" if void else "due",
                attempts=0,
                created_us=now_us,
                due_us=now_us,
            )
        )
        return id

    def due(self, connection: Connection, limit: int) -> list[Item]:
        """What is due now, the longest waiting first."""
        columns = outbox.c
        query = (
            select(outbox)
            .where(columns.state == "due", columns.due_us <= self._clock.now_us())
            .order_by(columns.due_us, columns.id)
            .limit(limit)
        )
        return [self._item(row) for row in connection.execute(query)]

    def undelivered(self, connection: Connection, limit: int) -> list[Item]:
        """What waits, what could only be shown and what failed for good, newest first."""
        columns = outbox.c
        query = (
            select(outbox)
            .where(columns.state.in_(("due", "shown", "failed")), columns.sealed.is_not(None))
            .order_by(columns.id.desc())
            .limit(limit)
        )
        return [self._item(row) for row in connection.execute(query)]

    def finish(self, connection: Connection, id: str, state: str, error: str | None = None) -> None:
        """End a row: `done` empties it; `shown` and `failed` keep the body to be looked at."""
        values: dict[str, Any] = {"state": state, "error": error, "done_us": self._clock.now_us()}
        if state == "done":
            values["sealed"] = None
        connection.execute(
            update(outbox).where(outbox.c.id == id).values(attempts=outbox.c.attempts + 1, **values)
        )

    def put_off(self, connection: Connection, id: str, delay_us: int, error: str) -> None:
        """Try a row again later."""
        connection.execute(
            update(outbox)
            .where(outbox.c.id == id)
            .values(
                attempts=outbox.c.attempts + 1,
                due_us=self._clock.now_us() + delay_us,
                error=error,
            )
        )

    def purge(self, connection: Connection) -> None:
        """Delete void rows at once and ended ones after a month."""
        columns = outbox.c
        connection.execute(delete(outbox).where(columns.state == "void"))
        connection.execute(
            delete(outbox).where(
                columns.state != "due",
                columns.due_us > NOTED_US,
                columns.done_us < self._clock.now_us() - KEPT_US,
            )
        )

    def drop(
        self, connection: Connection, topic: str, wanted: Callable[[dict[str, Any]], bool]
    ) -> int:
        """Delete the rows of a topic whose body says so, whatever their state; how many.

        Each has to be opened: what is sealed is not searched for by the database.
        """
        columns = outbox.c
        query = select(outbox).where(columns.topic == topic, columns.sealed.is_not(None))
        rows = connection.execute(query, execution_options={"yield_per": DROP_ROWS})
        found = [item.id for item in map(self._item, rows) if wanted(item.body)]
        for id in found:
            connection.execute(delete(outbox).where(columns.id == id))
        return len(found)

    def note(self, connection: Connection, topic: str, name: str) -> None:
        """Keep that a fact was told. Raises IntegrityError for one that was noted before."""
        now_us = self._clock.now_us()
        connection.execute(
            insert(outbox).values(
                id=f"{topic}:{name}",
                topic=topic,
                sealed=None,
                state="done",
                attempts=0,
                created_us=now_us,
                due_us=NOTED_US,
                done_us=now_us,
            )
        )

    def noted(self, connection: Connection, topic: str) -> set[str]:
        """The names of a topic's notes."""
        columns = outbox.c
        query = select(columns.id).where(
            columns.state == "done", columns.due_us == NOTED_US, columns.topic == topic
        )
        return {id.removeprefix(f"{topic}:") for id in connection.scalars(query)}

    def forget(self, connection: Connection, topic: str, name: str) -> None:
        """Delete a note: the fact may be told again."""
        connection.execute(delete(outbox).where(outbox.c.id == f"{topic}:{name}"))

    def _item(self, row: Any) -> Item:
        text = self._secrets.unseal(row.sealed, table="outbox", row=row.id)
        body = msgspec.json.decode(text, type=dict[str, Any])
        return Item(row.id, row.topic, body, row.state, row.attempts, row.created_us, row.error)
