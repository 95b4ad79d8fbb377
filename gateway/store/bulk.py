"""Statements over many rows at once, compiled from Core, for the one path where it pays.

A multi-row statement costs a third of `executemany` per row and gives up the interpreter lock once
instead of once a row (measured: benchmarks/bench_settlement.py). Row counts are split into a few
fixed sizes, so that the driver's statement cache always holds the prepared form. Values are bound,
never formatted. Knows no table: rooms say which.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Table,
    func,
    insert,
    literal,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

# Powers of two: each step of a batch gives up the interpreter lock, and few steps make any size.
SIZES = (64, 32, 16, 8, 4, 2, 1)


class Bulk:
    """A statement of `width` bound values a row; `build(rows, dialect)` makes it for n rows.

    `alone`, if there is one, makes it for one row; that row's first value is bound last.
    """

    def __init__(
        self,
        width: int,
        build: Callable[[int, Dialect], ClauseElement],
        alone: Callable[[], ClauseElement] | None = None,
    ) -> None:
        self._width = width
        self._build = build
        self._alone = alone
        self._texts: dict[str, list[tuple[int, str]]] = {}

    def run(self, connection: Connection, flat: Sequence[Any]) -> int:
        """Execute over `flat`, the rows' values one after another; returns the rows touched."""
        texts = self._texts.get(connection.dialect.name)
        if texts is None:
            texts = self._compile(connection.dialect)
        raw = connection.connection.dbapi_connection
        if raw is None:
            raise RuntimeError("the database connection is closed")
        cursor = raw.cursor()
        touched, at, end = 0, 0, len(flat)
        for size, text in texts:
            step = size * self._width
            while end - at >= step:
                values = flat if end == step else flat[at : at + step]
                if size == 1 and self._alone is not None:
                    values = (*values[1:], values[0])
                cursor.execute(text, values)
                touched += cursor.rowcount
                at += step
        cursor.close()
        return touched

    def _compile(self, dialect: Dialect) -> list[tuple[int, str]]:
        """Compile for one row and for two; what the second row adds is repeated for more.

        Compiling sixty-four rows takes Core 50 ms a statement, which would stall the event loop.
        """
        one, two = (str(self._build(n, dialect).compile(dialect=dialect)) for n in (1, 2))
        at = next(i for i, (a, b) in enumerate(zip(one + "\0", two, strict=False)) if a != b)
        added = two[at : at + len(two) - len(one)]
        if one[:at] + added + one[at:] != two:
            raise ValueError("a second row is not an addition to the statement of the first")
        texts = [(n, one[:at] + added * (n - 1) + one[at:]) for n in SIZES]
        if self._alone is not None:
            texts[-1] = (1, str(self._alone().compile(dialect=dialect)))
        self._texts[dialect.name] = texts
        return texts


def bulk_insert(table: Table, columns: Sequence[str], absent: Sequence[str] = ()) -> Bulk:
    """Insert rows; values come in the order of `columns`. In those named `absent` -1 means NULL.

    sqlite3 binds None and bytes by way of its adapters, at ten times the cost of a number or a
    bytearray: what is usually NULL is better left out or given as -1.
    """
    row: dict[str, Any] = dict.fromkeys(columns, 0)
    row |= {name: func.nullif(literal(0, BigInteger), literal_column("-1")) for name in absent}
    return Bulk(len(columns), lambda count, _: insert(table).values([row] * count))


def _upsert_of(dialect: Dialect) -> Any:
    """The dialect's own INSERT, which knows ON CONFLICT."""
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # 0.1 s, and for nothing on SQLite

        return postgresql.insert
    return sqlite.insert


def bulk_add(table: Table, columns: Sequence[str]) -> Bulk:
    """Insert rows, or add to the row of the same primary key in every column outside it."""
    keys = [key.name for key in table.primary_key]
    row: dict[str, Any] = dict.fromkeys(columns, 0)

    def build(count: int, dialect: Dialect) -> ClauseElement:
        statement = _upsert_of(dialect)(table).values([row] * count)
        sums = {c: table.c[c] + statement.excluded[c] for c in columns if c not in keys}
        merged: ClauseElement = statement.on_conflict_do_update(index_elements=keys, set_=sums)
        return merged

    return Bulk(len(columns), build)


def bulk_change(
    table: Table, key: str, subtract: Sequence[str], assign: Sequence[str] = ()
) -> Bulk:
    """Update rows by key: values come as key, amounts to subtract, values to assign.

    A key that names no row is not an error here: compare the count that `run` returns. A single
    change is a plain UPDATE: SQLite makes two tables of its own for one with a FROM.
    """
    names = (key, *subtract, *assign)

    def build(count: int, _: Dialect) -> ClauseElement:
        row = select(*(literal(0, BigInteger).label(name) for name in names))
        # A chain of SELECTs and not VALUES: SQLite cannot name the columns of VALUES in FROM, and
        # a leading WITH hides the count of touched rows from the driver.
        change = union_all(*[row] * count).subquery("change")
        new: dict[str, Any] = {c: table.c[c] - change.c[c] for c in subtract}
        new.update({c: change.c[c] for c in assign})
        return update(table).values(new).where(table.c[key] == change.c[key])

    def alone() -> ClauseElement:
        new = [(table.c[c], table.c[c] - literal(0, BigInteger)) for c in subtract]
        new += [(table.c[c], literal(0, BigInteger)) for c in assign]
        return update(table).ordered_values(*new).where(table.c[key] == literal(0, BigInteger))

    return Bulk(len(names), build, alone)
