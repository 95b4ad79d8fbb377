"""The database: opened and migrated in one step, written by one thread, read by a few.

Rooms hand over functions that take a connection: `write` runs one in its own transaction on the
writer's thread, `read` on a reader's thread with a connection that cannot write. Every room's SQL
is portable Core; what is a database's own is in `sqlite.py` and `postgres.py`, which have the same
functions. One process owns it: by its folder's lock (see `lock.py`), or by a lock of PostgreSQL's.
Knows no table but the names it checks after a fault.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from gateway.base.clock import Clock
from gateway.base.errors import StorageUnavailable
from gateway.base.scheduling import give_way
from gateway.store import sqlite
from gateway.store.secrets import Secrets
from gateway.store.writer import GroupWriter

T = TypeVar("T")
READERS = 2
SCRUB_TRIES, SCRUB_PAUSE_S = 20, 0.1
MIGRATIONS = Path(__file__).parent / "schema" / "migrations"
# Checked with SQLite's quick_check when the connection was lost to an I/O error. The two tables
# that grow without end are left to `tallygate ledger verify`: a check must end in bounded time.
CHECKED_AFTER_FAULT = ("ledger_accounts", "lots", "wallets", "ledger_balances")


class DatabaseError(Exception):
    """The database cannot be opened; the text is one line that says what to do."""


class Kind(Protocol):
    """What the modules of the two databases have in common."""

    def is_storage_fault(self, error: BaseException) -> bool:
        """Whether the same work may succeed later."""
        ...

    def needs_reopening(self, error: BaseException) -> bool:
        """Whether the connection cannot be trusted any more."""
        ...

    def is_read_only(self, error: BaseException) -> bool:
        """Whether a statement tried to write where it may not."""
        ...

    def checkpoint(self, connection: Connection) -> None:
        """Tidy the log of the database."""
        ...

    def scrub(self, connection: Connection, tables: tuple[str, ...]) -> bool:
        """Leave nothing of deleted rows; False where that could not be done just now."""
        ...

    def damage(self, connection: Connection, tables: tuple[str, ...]) -> list[str]:
        """Defects of some tables, one line each."""
        ...

    def references_unchecked(self, connection: Connection) -> AbstractContextManager[None]:
        """Foreign keys may be broken inside."""
        ...

    def complete(self, connection: Connection) -> list[str]:
        """What ends a migration; defects it left, one line each."""
        ...


class _Storage:
    """The writer's view of one database."""

    def __init__(self, kind: Kind, engine: Engine) -> None:
        self.engine = engine
        self.is_storage_fault = kind.is_storage_fault
        self.needs_reopening = kind.needs_reopening
        self.checkpoint = kind.checkpoint
        self._damage = kind.damage

    def connect(self) -> Connection:
        """Open the one writing connection."""
        return self.engine.connect()

    def reopen(self, old: Connection) -> Connection:
        """Close all that is left of the old connection, open a new one and check the database."""
        old.close()
        self.engine.dispose()
        connection = self.engine.connect()
        defects = self._damage(connection, CHECKED_AFTER_FAULT)
        if defects:
            connection.close()
            raise DatabaseError(f"the database is damaged after a storage fault: {defects[0]}")
        return connection


class Database:
    """One open database. Make it with `open`; `writer` is for the room that settles."""

    def __init__(
        self, kind: Kind, writer_engine: Engine, reader_engine: Engine, *, clock: Clock
    ) -> None:
        self.clock = clock
        self._kind = kind
        self._writer_engine = writer_engine
        self._reader_engine = reader_engine
        self._readers = ThreadPoolExecutor(
            READERS, thread_name_prefix="tallygate-reader", initializer=give_way
        )
        self.writer = GroupWriter(_Storage(kind, writer_engine))

    @classmethod
    def open(
        cls, url_or_path: str | Path, *, clock: Clock, secrets: Secrets | None = None
    ) -> "Database":
        """Open a database (a path, a `sqlite:///` or a `postgresql://` URL), of the newest schema.

        `secrets` seals what an older version stored in plain. Raises DatabaseError in one line:
        not a database, not to be reached or written, in use, or written by a newer version.
        """
        text = str(url_or_path)
        url = _url(text) if "://" in text else sa.URL.create("sqlite", database=text)
        if url.get_backend_name() == "postgresql":
            return cls._open_server(url, clock, secrets)
        if url.get_backend_name() != "sqlite" or not url.database:
            raise DatabaseError(
                f"databases of the kind {url.get_backend_name()!r} are not supported; "
                "use postgresql://USER@HOST/NAME, or a path"
            )
        path = Path(url.database).absolute()
        engine = sqlite.writer_engine(path)
        with _opening(f"the database {path}", engine):
            with engine.connect() as connection:
                _migrate(sqlite, connection, secrets)
            path.chmod(0o600)
        return cls(sqlite, engine, sqlite.reader_engine(path, READERS), clock=clock)

    @classmethod
    def _open_server(cls, url: sa.URL, clock: Clock, secrets: Secrets | None) -> "Database":
        try:
            from gateway.store import postgres  # an extra, and 0.2 s to import
        except ModuleNotFoundError:
            raise DatabaseError(
                "the driver for PostgreSQL is missing; install it with: "
                "pip install 'tallygate[postgres]'"
            ) from None
        engine = postgres.writer_engine(url)
        shown = url.set(query={}).render_as_string(hide_password=True)
        try:
            with _opening(f"the database {shown}", engine), engine.connect() as connection:
                _migrate(postgres, connection, secrets)
        except postgres.InUse:
            raise DatabaseError(
                f"the database {shown} is in use by another Tallygate; stop that one first"
            ) from None
        return cls(postgres, engine, postgres.reader_engine(url, READERS), clock=clock)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in its own transaction on the writer's thread, in turn with settlements.

        Raises what `fn` raises (the transaction is rolled back), or StorageUnavailable.
        """
        return await self.writer.write(fn)

    async def scrub(self, *tables: str) -> bool:
        """After a deletion of what must not be found again: overwrite all that is left of it.

        On the writer's thread, in turn with what it writes. False where readers were in the way
        until the end; what is left then goes with the next checkpoint, but later. Raises
        StorageUnavailable.
        """
        for _ in range(SCRUB_TRIES):
            if await self.writer.outside(lambda connection: self._kind.scrub(connection, tables)):
                return True
            await asyncio.sleep(SCRUB_PAUSE_S)
        return False

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
        except sa.exc.PendingRollbackError as error:  # the connection was lost on the way
            raise StorageUnavailable from error
        except sa.exc.DBAPIError as error:
            if self._kind.is_storage_fault(error) and not self._kind.is_read_only(error):
                raise StorageUnavailable from error
            raise

    async def close(self, timeout_s: float = 10.0) -> int:
        """Write what is queued and close. Returns how many queued items could not be written."""
        left = await self.writer.close(timeout_s)
        await asyncio.to_thread(self._readers.shutdown)
        self._reader_engine.dispose()
        self._writer_engine.dispose()
        return left


def _url(text: str) -> sa.URL:
    try:
        return sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise DatabaseError("store.url is not a URL such as postgresql://USER@HOST/NAME") from None


@contextmanager
def _opening(what: str, engine: Engine) -> Iterator[None]:
    """What goes wrong inside becomes one line; the engine is closed. Raises DatabaseError."""
    try:
        yield
    except BaseException as error:
        engine.dispose()
        if not isinstance(error, sa.exc.DBAPIError | OSError):
            raise
        reason = error.orig if isinstance(error, sa.exc.DBAPIError) else error.strerror
        line = str(reason).strip().partition("\n")[0]
        raise DatabaseError(f"cannot open {what}: {line}") from None


def newest_revision() -> str:
    """The revision the code's migrations lead to: the greatest number of a file in versions/."""
    names = (path.name for path in (MIGRATIONS / "versions").iterdir())
    return max(name[:4] for name in names if re.fullmatch(r"\d{4}_\w+\.py", name))


def _migrate(kind: Kind, connection: Connection, secrets: Secrets | None) -> None:
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
    with kind.references_unchecked(connection), connection.begin():
        command.upgrade(config, "head")
        if broken := kind.complete(connection):
            raise DatabaseError(f"the database could not be migrated: {broken[0]}")
