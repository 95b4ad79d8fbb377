"""What every register does alike: add a row once, with its audit row, and turn its pages by key."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, insert, select, tuple_

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts import Account
from gateway.platform.audit import LOCAL, Audit
from gateway.platform.refusals import Refusal
from gateway.store.database import Database

_DIGITS: Final = 28


class Register:
    """Adds rows to append-only tables. `by` None: whoever owns the host."""

    def __init__(self, database: Database, audit: Audit, clock: Clock, ids: IdFactory) -> None:
        self.database = database
        self.audit = audit
        self.clock = clock
        self.ids = ids

    async def add(
        self,
        by: Account | None,
        table: Table,
        prefix: str,
        action: str,
        values: Mapping[str, Any],
        *,
        id: str | None = None,
        check: Callable[[Connection], None] | None = None,
    ) -> str:
        """Add a row and return its id; the same id, which a form carries, again adds nothing.

        Raises Refusal when the id is no form's, and what `check` raises inside the transaction.
        """
        if id is not None and not re.fullmatch(rf"{prefix}_[0-9a-f]{{{_DIGITS}}}", id):
            raise Refusal("the form is not from this page; open it again")
        made = id or self.ids.make(prefix)
        actor, role = (by.id, by.role) if by is not None else (LOCAL, LOCAL)
        row = {"id": made, "entered_us": self.clock.now_us(), "entered_by": actor, **values}

        def write(connection: Connection) -> None:
            if connection.execute(select(table.c.id).where(table.c.id == made)).first():
                return
            if check is not None:
                check(connection)
            self.audit.append(connection, actor, role, action, made)
            connection.execute(insert(table).values(**row))

        await self.database.write(write)
        return made


def newest_first(
    table: Table, order: Sequence[str], *, before: str | None = None, limit: int | None = None
) -> Select[Any]:
    """The rows by some columns and then the id, the highest first; `before` is the id that ended
    the page before. An id that is none's is before nothing."""
    columns = [*(table.c[name] for name in order), table.c.id]
    query = select(table).order_by(*(column.desc() for column in columns)).limit(limit)
    if before is not None:
        last = select(*columns).where(table.c.id == before).scalar_subquery()
        query = query.where(tuple_(*columns) < last)
    return query
