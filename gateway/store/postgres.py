"""All that is PostgreSQL's own: engines with their session settings, fault codes, the lock.

One session writes, and holds an advisory lock for as long as it lives: a second process on the
same database is refused, as the folder's lock refuses one on the same file. Readers see one
snapshot and cannot write. Values come back as the rooms know them from SQLite: whole numbers as
int (a sum of bigint is numeric here), truth as 0 and 1. The driver is psycopg, an extra.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.adapt import Dumper, Loader
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL, Connection, Engine, event

# An arbitrary number that says "Tallygate's writer" among a database's advisory locks.
WRITER_LOCK = 0x7461_6C6C_7967
LOCK_WAIT_S = 5.0  # a killed process's session ends when the server notices, usually at once
LOCK_PAUSE_S = 0.05
LOST_AFTER_S = 10  # without an answer of the server's machine a connection counts as lost

# Classes and codes of PostgreSQL's appendix A that speak of the server and not of the statement:
# connection, resources, operator's intervention, I/O, corruption; locks and conflicts; read-only.
_FAULTS = ("08", "53", "57", "58", "XX", "40", "55P03", "25006")
# Those after which the session is opened anew.
_BROKEN = ("08", "57P", "58", "XX", "25006")


_SORT_BY_BYTES = """
DO $$ DECLARE found record; BEGIN
  FOR found IN
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type = 'text'
      AND collation_name IS DISTINCT FROM 'C'
  LOOP
    EXECUTE 'ALTER TABLE ' || quote_ident(found.table_name) || ' ALTER '
      || quote_ident(found.column_name) || ' TYPE text COLLATE "C"';
  END LOOP;
END $$
"""


class InUse(Exception):
    """Another process writes to the database, or has done so since this one lost its session."""


class _Cursor(psycopg.ServerCursor[Any]):
    """One that was not read to its end: it ends with its transaction, and says nothing of it."""

    def __del__(self, *_: Any) -> None: ...


class _Truth(Dumper):
    """Truth as 1 or 0 of no type: a number where one is stored, the truth where one is asked."""

    oid = 0

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


class _Asked(Dumper):
    """Text that is asked for. PostgreSQL has none with a NUL, so nothing is found by one."""

    oid = 0

    def dump(self, obj: Any) -> bytes:
        return str(obj).replace("\0", "\ufffd").encode()


class _Whole(Loader):
    """A numeric without a fraction is an int: a sum of whole numbers stays one."""

    def load(self, data: Any) -> Any:
        text = bytes(data).decode()
        return int(text) if "." not in text else Decimal(text)


def state_of(error: BaseException) -> str:
    """The five characters behind an error, also when SQLAlchemy wrapped it; "08" without any.

    An OperationalError or InterfaceError without a code is the driver's own: it could not connect,
    or lost the connection. Any other error has none: "".
    """
    origin = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if not isinstance(origin, psycopg.Error):
        return ""
    lost = isinstance(origin, psycopg.OperationalError | psycopg.InterfaceError)
    return origin.sqlstate or ("08" if lost else "")


def is_storage_fault(error: BaseException) -> bool:
    """Whether the server, its disk or a lock failed, so that the same work may succeed later."""
    return state_of(error).startswith(_FAULTS) or isinstance(error, InUse)


def needs_reopening(error: BaseException) -> bool:
    """Whether the session must be opened anew before it writes again."""
    return state_of(error).startswith(_BROKEN)


def is_read_only(error: BaseException) -> bool:
    """Whether a statement tried to write where it may not; from a reader that is a mistake."""
    return state_of(error) == "25006"


def writer_engine(url: URL) -> Engine:
    """The engine of the one writing session: it takes the lock, and commits to disk.

    Writers are numbered. A session that was lost may be opened anew only while no other writer
    has come in between: balances in memory would no longer be the database's.
    """
    number: int | None = None

    def take_lock(connection: psycopg.Connection[Any]) -> None:
        nonlocal number
        connection.execute("SET synchronous_commit = on")
        deadline_s = time.monotonic() + LOCK_WAIT_S
        while not _value(connection, "SELECT pg_try_advisory_lock(%s)", WRITER_LOCK):
            if time.monotonic() > deadline_s:
                raise InUse
            time.sleep(LOCK_PAUSE_S)
        if number is None:
            connection.execute("CREATE SEQUENCE IF NOT EXISTS tallygate_writers")
            number = _value(connection, "SELECT nextval('tallygate_writers')")
        elif number != _value(connection, "SELECT last_value FROM tallygate_writers"):
            raise InUse

    return _engine(url, 1, "READ COMMITTED", take_lock)


def _value(connection: psycopg.Connection[Any], query: Any, *values: Any) -> Any:
    row = connection.execute(query, values).fetchone()
    return None if row is None else row[0]


def reader_engine(url: URL, connections: int) -> Engine:
    """The engine of the readers: a bounded pool of sessions on a snapshot, that cannot write."""

    def forbid(connection: psycopg.Connection[Any]) -> None:
        connection.execute("SET default_transaction_read_only = on")
        connection.adapters.register_dumper(str, _Asked)

    # The driver puts the values in (quoted, by libpq's rules): bound at the server, the same
    # expression in GROUP BY would be another one, because its value has another number.
    return _engine(url, connections, "REPEATABLE READ", forbid, psycopg.ClientCursor)


def _engine(
    url: URL, connections: int, isolation: Any, begin: Any, cursor: Any = psycopg.Cursor
) -> Engine:
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        # Values by position, so that statements over many rows are made of those over one.
        paramstyle="format",
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return="rollback",
        isolation_level=isolation,
        hide_parameters=True,  # an error's text may reach a terminal or a log; rows may not
        connect_args={
            "cursor_factory": cursor,
            "application_name": "tallygate",
            "connect_timeout": LOST_AFTER_S,
            "keepalives_idle": LOST_AFTER_S,
            "tcp_user_timeout": LOST_AFTER_S * 1_000,
        },
    )

    def prepare(connection: psycopg.Connection[Any], _record: Any) -> None:
        connection.server_cursor_factory = _Cursor
        connection.adapters.register_dumper(bool, _Truth)
        connection.adapters.register_loader("numeric", _Whole)
        autocommit, connection.autocommit = connection.autocommit, True
        begin(connection)
        connection.autocommit = autocommit

    event.listen(engine, "connect", prepare)
    return engine


def checkpoint(connection: Connection) -> None:
    """Nothing: the server keeps its own log."""


def scrub(connection: Connection, tables: tuple[str, ...]) -> bool:
    """Write some tables anew, so that deleted rows leave their pages. Outside a transaction.

    The server's own log and its backups are the operator's to expire.
    """
    raw = connection.connection.driver_connection
    if raw is None:
        return False
    raw.rollback()
    autocommit, raw.autocommit = raw.autocommit, True
    try:
        for table in tables:
            raw.execute(SQL("VACUUM (FULL) {}").format(Identifier(table)))
    finally:
        raw.autocommit = autocommit
    return True


def damage(connection: Connection, tables: tuple[str, ...]) -> list[str]:
    """Nothing is found here: the server checks its pages itself, and stops at a broken one."""
    return []


@contextmanager
def references_unchecked(connection: Connection) -> Iterator[None]:
    """Nothing to do: a migration drops and makes the references it must."""
    yield


def complete(connection: Connection) -> list[str]:
    """End a migration: texts sort by their bytes, as SQLite's and Python's do.

    The walks that compare log, ledger and rollups rely on it, whatever language the database has.
    """
    connection.exec_driver_sql(_SORT_BY_BYTES)
    return []
