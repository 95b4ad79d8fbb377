"""All that is SQLite's own: engines with their pragmas, fault codes, reopening, checkpoints.

The rest of the store speaks SQLAlchemy Core and the DBAPI, so that PostgreSQL is another file
like this one. One connection writes, and it alone checkpoints: SQLite before 3.51.3 can lose
pages when two connections write and checkpoint at once (sqlite.org, "WAL-reset bug"). Readers
open the file with `query_only`, so they can do neither.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import QueuePool

# A write waits this long for a foreign lock before it counts as a storage fault: short, so that
# new paid requests are refused soon; the writer retries with its own backoff.
WRITER_BUSY_MS = 100
READER_BUSY_MS = 5_000
# Pages that a commit may leave in the write-ahead log before it checkpoints whatever the load
# (32 MiB); the writer checkpoints earlier, when idle.
AUTOCHECKPOINT_PAGES = 8_192
CACHE_KIB = 65_536
SCRUB_MIB = 256  # a VACUUM of as much takes about a second

# Primary result codes (sqlite.org/rescode.html) that speak of the storage and not of the caller's
# statement: BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
_FAULTS = frozenset({5, 6, 7, 8, 10, 11, 13, 14, 15, 26})
# Those after which the connection is not trusted until it has been reopened and checked.
_BROKEN = frozenset({8, 10, 11, 14, 15, 26})


def result_code(error: BaseException) -> int:
    """SQLite's primary result code behind an error, also when SQLAlchemy wrapped it; else 0."""
    origin = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return int(getattr(origin, "sqlite_errorcode", 0) or 0) & 0xFF


def is_storage_fault(error: BaseException) -> bool:
    """Whether the disk, the lock or memory failed, so that the same work may succeed later."""
    return result_code(error) in _FAULTS


def needs_reopening(error: BaseException) -> bool:
    """Whether the connection must be reopened and checked before it writes again."""
    return result_code(error) in _BROKEN


def is_read_only(error: BaseException) -> bool:
    """Whether a statement tried to write where it may not; from a reader that is a mistake."""
    return result_code(error) == 8


def writer_engine(path: Path) -> Engine:
    """The engine of the one writing connection: WAL, synchronous=FULL, immediate transactions."""
    return _engine(
        path,
        1,
        "BEGIN IMMEDIATE",
        f"PRAGMA busy_timeout={WRITER_BUSY_MS}",
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        # What is deleted or replaced is overwritten with zeros: free space holds nothing of it.
        "PRAGMA secure_delete=ON",
        f"PRAGMA wal_autocheckpoint={AUTOCHECKPOINT_PAGES}",
        f"PRAGMA cache_size=-{CACHE_KIB}",
        "PRAGMA journal_size_limit=67108864",
        "PRAGMA trusted_schema=OFF",
    )


def reader_engine(path: Path, connections: int) -> Engine:
    """The engine of the readers: a bounded pool of connections that cannot write."""
    return _engine(
        path,
        connections,
        "BEGIN",
        f"PRAGMA busy_timeout={READER_BUSY_MS}",
        "PRAGMA query_only=ON",
        "PRAGMA wal_autocheckpoint=0",
        "PRAGMA trusted_schema=OFF",
    )


def _engine(path: Path, connections: int, begin: str, *pragmas: str) -> Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return="rollback",
        hide_parameters=True,  # an error's text may reach a terminal or a log; rows may not
        connect_args={"isolation_level": None, "check_same_thread": False},
    )

    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma).fetchall()
        cursor.close()

    def start(connection: Connection) -> None:
        raw = connection.connection.driver_connection
        if raw is not None:  # past Core's own execution: this runs once for every batch
            raw.execute(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", start)
    return engine


def checkpoint(connection: Connection) -> None:
    """Copy what the write-ahead log holds into the file, as far as no reader is in the way."""
    raw = connection.connection.driver_connection
    if raw is None:
        return
    raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def scrub(connection: Connection, tables: tuple[str, ...]) -> bool:
    """Leave nothing of what was deleted outside the tables: the file is written anew, and the log
    is emptied. False where a reader was in the way. Outside a transaction.

    Pages that were split or joined keep copies in their free space, which `secure_delete` does not
    see; only a VACUUM is rid of them. A file above SCRUB_MIB is left out: it would keep settlements
    waiting for seconds, and all that names a person is sealed in any case, but for names of keys.
    """
    raw = connection.connection.driver_connection
    if raw is None:
        return False
    [pages] = raw.execute("PRAGMA page_count").fetchone()
    [page_bytes] = raw.execute("PRAGMA page_size").fetchone()
    if pages * page_bytes <= SCRUB_MIB << 20:
        raw.execute("VACUUM")
    [busy, *_] = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def damage(connection: Connection, tables: tuple[str, ...]) -> list[str]:
    """SQLite's own quick check of some tables; one line a defect, empty when sound."""
    raw = connection.connection.driver_connection
    if raw is None:
        return ["the database connection is closed"]
    found: list[str] = []
    for table in tables:
        found += [row[0] for row in raw.execute(f"PRAGMA quick_check({table})") if row[0] != "ok"]
    return found


@contextmanager
def references_unchecked(connection: Connection) -> Iterator[None]:
    """Foreign keys are not enforced inside; enter and leave it outside a transaction."""
    raw = connection.connection.driver_connection
    if raw is None:
        raise RuntimeError("the database connection is closed")
    raw.execute("PRAGMA foreign_keys=OFF").fetchall()
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON").fetchall()


def complete(connection: Connection) -> list[str]:
    """End a migration: rows that now refer to nothing; one line each, empty when sound."""
    found = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    return [f"a row of {row[0]} refers to nothing in {row[2]}" for row in found]
