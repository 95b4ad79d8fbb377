"""The database: opened and migrated in one step, written by one thread, read by a few.

Rooms hand over functions that take a connection: `write` runs one in its own transaction on the
writer's thread, `read` on a reader's thread with a connection that cannot write. Every room's SQL
is portable Core; what is SQLite's own is in `sqlite.py`. The file is owned by one process (see
`lock.py`). Knows no table but the names it checks after a fault.
"""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from gateway.base.clock import Clock
from gateway.base.errors import StorageUnavailable
from gateway.store import sqlite
from gateway.store.secrets import Secrets
from gateway.store.writer import GroupWriter

T = TypeVar("T")
READERS = 2
MIGRATIONS = Path(__file__).parent / "schema" / "migrations"
# Checked with SQLite's quick_check when the connection was lost to an I/O error. The two tables
# that grow without end are left to `tallygate ledger verify`: a check must end in bounded time.
CHECKED_AFTER_FAULT = ("ledger_accounts", "lots", "wallets", "ledger_balances")


class DatabaseError(Exception):
    """The database cannot be opened; the text is one line that says what to do."""


class _SqliteStorage:
    """The writer's view of one SQLite file."""

    is_storage_fault = staticmethod(sqlite.is_storage_fault)
    needs_reopening = staticmethod(sqlite.needs_reopening)
    checkpoint = staticmethod(sqlite.checkpoint)

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def connect(self) -> Connection:
        """Open the one writing connection."""
        return self.engine.connect()

    def reopen(self, old: Connection) -> Connection:
        """Close all that is left of the old connection, open a new one and check the file."""
        old.close()
        self.engine.dispose()
        connection = self.engine.connect()
        defects = sqlite.damage(connection, CHECKED_AFTER_FAULT)
        if defects:
            connection.close()
            raise DatabaseError(f"the database is damaged after a storage fault: {defects[0]}")
        return connection


class Database:
    """One open database. Make it with `open`; `writer` is for the room that settles."""

    def __init__(self, writer_engine: Engine, reader_engine: Engine, *, clock: Clock) -> None:
        self.clock = clock
        self._writer_engine = writer_engine
        self._reader_engine = reader_engine
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="tallygate-reader")
        self.writer = GroupWriter(_SqliteStorage(writer_engine))

    @classmethod
    def open(
        cls, url_or_path: str | Path, *, clock: Clock, secrets: Secrets | None = None
    ) -> "Database":
        """Open a SQLite file (a path or a `sqlite:///` URL) and migrate it to the newest schema.

        `secrets` seals what an older version stored in plain. Raises DatabaseError in one line:
        not a database, not writable, written by a newer version, or a URL of another kind.
        """
        path = _path(url_or_path)
        engine = sqlite.writer_engine(path)
        try:
            with engine.connect() as connection:
                _migrate(connection, secrets)
            path.chmod(0o600)
        except (sa.exc.DBAPIError, OSError) as error:
            engine.dispose()
            reason = error.orig if isinstance(error, sa.exc.DBAPIError) else error.strerror
            raise DatabaseError(f"cannot open the database {path}: {reason}") from None
        except DatabaseError:
            engine.dispose()
            raise
        return cls(engine, sqlite.reader_engine(path, READERS), clock=clock)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in its own transaction on the writer's thread, in turn with settlements.

        Raises what `fn` raises (the transaction is rolled back), or StorageUnavailable.
        """
        return await self.writer.write(fn)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on a reader's thread with a read-only connection, on one snapshot.

        Raises what `fn` raises, or StorageUnavailable when the database cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, fn)

    def read_now(self, fn: Callable[[Connection], T]) -> T:
        """`read` for a caller that has no event loop or may block it, such as a start-up."""
        try:
            with self._reader_engine.connect() as connection:  # rolled back: it wrote nothing
                return fn(connection)
        except sa.exc.DBAPIError as error:
            if sqlite.is_storage_fault(error) and not sqlite.is_read_only(error):
                raise StorageUnavailable from error
            raise

    async def close(self, timeout_s: float = 10.0) -> int:
        """Write what is queued and close. Returns how many queued items could not be written."""
        left = await self.writer.close(timeout_s)
        await asyncio.to_thread(self._readers.shutdown)
        self._reader_engine.dispose()
        self._writer_engine.dispose()
        return left


def _path(url_or_path: str | Path) -> Path:
    text = str(url_or_path)
    if "://" in text:
        url = sa.make_url(text)
        if url.get_backend_name() != "sqlite" or not url.database:
            raise DatabaseError(
                f"databases of the kind {url.get_backend_name()!r} are not supported yet; "
                "use a path or sqlite:///PATH"
            )
        text = url.database
    return Path(text).absolute()


def newest_revision() -> str:
    """The revision the code's migrations lead to: the greatest number of a file in versions/."""
    names = (path.name for path in (MIGRATIONS / "versions").iterdir())
    return max(name[:4] for name in names if re.fullmatch(r"\d{4}_\w+\.py", name))


def _migrate(connection: Connection, secrets: Secrets | None) -> None:
    """Upgrade to the newest revision; Alembic is imported only when there is something to do."""
    newest = newest_revision()
    current = ""
    if sa.inspect(connection).has_table("alembic_version"):
        current = (
            connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or ""
        )
    connection.rollback()
    if current == newest:
        return
    if current > newest:
        raise DatabaseError(
            f"the database was written by a newer version (schema {current}, this one knows "
            f"{newest}); run the newer version"
        )
    from alembic import command  # 190 ms to import, needed only when a migration is due
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    config.attributes["secrets"] = secrets
    # A table that others refer to is rebuilt under its own name (sqlite.org/lang_altertable.html,
    # section 7): references are not enforced meanwhile, and checked before the commit.
    with sqlite.references_unchecked(connection), connection.begin():
        command.upgrade(config, "head")
        if broken := sqlite.broken_references(connection):
            raise DatabaseError(f"the database could not be migrated: {broken[0]}")
