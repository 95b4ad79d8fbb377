"""Long checks of what is stored: in the background, one of a kind at once, counted while they run.

Whoever asks for a check that runs already waits for that one. A check reads on a thread of its own
turn and outlives the page that asked; its result is kept until the next, or a restart. Stopping
interrupts it, also within one long query. What is checked is not known here.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Connection

from gateway.base.clock import Clock
from gateway.base.errors import StorageUnavailable
from gateway.base.progress import Progress, Stopped
from gateway.store.database import Database

log = logging.getLogger("tallygate.checks")
LEDGER, AUDIT = "ledger", "audit"  # kinds
Check = Callable[[Connection, Progress], Any]


class Checked(NamedTuple):
    """A check that ended, when (epoch microseconds) and with what; `report` None: it failed."""

    at_us: int
    report: Any


class _Running:
    __slots__ = ("interrupt", "progress", "task")

    def __init__(self) -> None:
        self.progress = Progress()
        self.interrupt: Callable[[], None] | None = None  # ends the query that runs
        self.task: asyncio.Task[Any]


class Checks:
    """The checks over one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._running: dict[str, _Running] = {}
        self._last: dict[str, Checked] = {}

    def progress(self, kind: str) -> Progress | None:
        """How far the check that runs has come; None where none does."""
        running = self._running.get(kind)
        return running.progress if running is not None else None

    def last(self, kind: str) -> Checked | None:
        """The last check that ended since the start."""
        return self._last.get(kind)

    async def run(self, kind: str, check: Check) -> Any:
        """The result of a check that begins now, or of the one that runs.

        Raises what it raises, StorageUnavailable also where it is interrupted by `close`. Who waits
        may be cancelled without ending it.
        """
        running = self._running.get(kind)
        if running is None:
            running = self._running[kind] = _Running()
            running.task = asyncio.create_task(self._do(kind, check, running))
            running.task.add_done_callback(_seen)
        return await asyncio.shield(running.task)

    async def run_for(self, kind: str, check: Check, patience_s: float) -> None:
        """Begin a check and wait for its end a while: one that takes longer goes on."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.run(kind, check), patience_s)

    async def close(self) -> None:
        """End what runs."""
        for running in list(self._running.values()):
            running.progress.stopping = True
            interrupt = running.interrupt  # its thread may take it away at any moment
            if interrupt is not None:
                interrupt()
            with contextlib.suppress(StorageUnavailable):
                await running.task

    async def _do(self, kind: str, check: Check, running: _Running) -> Any:
        def read(connection: Connection) -> Any:
            driver: Any = connection.connection.driver_connection
            running.interrupt = getattr(driver, "interrupt", None) or driver.cancel
            try:
                return check(connection, running.progress)
            finally:
                running.interrupt = None

        report = None
        try:
            found = await self._database.read(read)
            if running.progress.stopping:  # what it found may be that it was interrupted
                raise Stopped
            report = found
        except Exception as error:
            if running.progress.stopping:
                raise StorageUnavailable from error
            raise
        finally:
            self._last[kind] = Checked(self._clock.now_us(), report)
            del self._running[kind]
        return report


def _seen(task: asyncio.Task[Any]) -> None:
    """A check that nobody waits for any more has failed: the log says so."""
    if not task.cancelled() and task.exception() is not None:
        log.warning("check failed", extra={"f": {"error": type(task.exception()).__name__}})
