"""Background work: a table of (name, interval in seconds, what to do), run one by one.

A tick that fails is logged and tried again at its next time; none may block the event loop.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.platform.assembly import Platform
from gateway.platform.ledger.reconcile import verify

log = logging.getLogger("tallygate.workers")
DAY_S = 86_400.0


class Job(NamedTuple):
    """One row of the table."""

    name: str
    interval_s: float
    tick: Callable[[Platform], Awaitable[None]]


async def reconcile(platform: Platform) -> None:
    """The nightly check of the ledger; findings are logged as errors, one line each."""
    report = await platform.database.read(verify)
    for finding in report.findings:
        log.error("ledger finding", extra={"f": {"finding": finding}})


async def scheduled_prices(platform: Platform) -> None:
    """Let a price that was scheduled take effect."""
    await platform.catalog.refresh_due()


JOBS: tuple[Job, ...] = (
    Job("reconcile", DAY_S, reconcile),
    Job("prices", 5.0, scheduled_prices),
)


class Workers:
    """Runs the table's jobs until stopped."""

    def __init__(self, platform: Platform, jobs: tuple[Job, ...] = JOBS) -> None:
        self._platform = platform
        self._jobs = jobs
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start one task a job."""
        self._tasks = [asyncio.create_task(self._run(job)) for job in self._jobs]

    async def stop(self) -> None:
        """Cancel the tasks and wait for them."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self, job: Job) -> None:
        while True:
            await asyncio.sleep(job.interval_s)
            try:
                await job.tick(self._platform)
            except Exception:
                log.exception("job failed", extra={"f": {"job": job.name}})
