"""Background work: a table of (name, interval in seconds, what to do), each job in its own task.

A tick that fails is logged and tried again at its next time; none may block the event loop.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.base.beats import next_beat_s
from gateway.base.telemetry import Metrics
from gateway.platform.accounts.alive import alive
from gateway.platform.assembly import Platform
from gateway.platform.checks import LEDGER
from gateway.platform.ledger.reconcile import verify
from gateway.platform.request_log.rollup import drift
from gateway.web.console.legal import state_of

log = logging.getLogger("tallygate.workers")
DAY_S = 86_400
DRIFT_DAYS = 7


class Job(NamedTuple):
    """One row of the table."""

    name: str
    interval_s: float
    tick: Callable[[Platform, Metrics], Awaitable[None]]


async def reconcile(platform: Platform, metrics: Metrics) -> None:
    """The nightly check of the ledger; findings are logged as errors, one line each."""
    report = await platform.checks.run(LEDGER, verify)
    metrics.gauges["ledger_findings"] = len(report.findings)
    for finding in report.findings:
        log.error("ledger finding", extra={"f": {"finding": finding}})


async def scheduled_prices(platform: Platform, metrics: Metrics) -> None:
    """Let a price that was scheduled take effect."""
    await platform.catalog.refresh_due()


async def usage_drift(platform: Platform, metrics: Metrics) -> None:
    """Find models whose provider reports another usage than ours; one warning for each."""
    limit_ppm = platform.settings.usage_drift_limit_ppm
    since_day = platform.clock.now_us() // (DAY_S * 1_000_000) - DRIFT_DAYS + 1
    found = await platform.database.read(
        lambda connection: drift(connection, limit_ppm, since_day=since_day)
    )
    metrics.gauges["usage_drift_findings"] = len(found)
    for finding in found:
        log.warning("usage drift", extra={"f": finding._asdict()})


async def forget_letters(platform: Platform, metrics: Metrics) -> None:
    """Delete letters that are long done."""
    await platform.people.mail.purge()


async def low_balances(platform: Platform, metrics: Metrics) -> None:
    """Write to those whose balance has become low."""
    await platform.notices.tell()


async def closed_credit(platform: Platform, metrics: Metrics) -> None:
    """Post free credit of closed accounts back, once no request holds it."""
    await platform.erasure.settle()


async def policy_versions(platform: Platform, metrics: Metrics) -> None:
    """Note the first version of the legal texts, tell of a coming one, let one begin."""
    versions, settings = platform.versions, platform.settings
    if not versions.all:
        providers = platform.catalog.snapshot.providers.values()
        await versions.begin(settings.accounts_terms_version, state_of(settings, providers))
    await versions.tell()
    versions.refresh()


async def review_cases(platform: Platform, metrics: Metrics) -> None:
    """Open the cases of keys that too many networks use."""
    opened = await platform.reviews.open_due()
    metrics.count("review_cases_opened", len(opened))


async def rate_state(platform: Platform, metrics: Metrics) -> None:
    """Store what the rates have counted, so that a restart forgives nothing."""
    await platform.tiers.save()


async def short_keys(platform: Platform, metrics: Metrics) -> None:
    """End the keys of sessions that have ended."""
    sessions = platform.short_keys.sessions()
    if sessions:
        now_us = platform.clock.now_us()
        living = await platform.database.read(lambda c: alive(c, sessions, now_us))
        platform.short_keys.end([id for id in sessions if id not in living])


JOBS: tuple[Job, ...] = (
    Job("reconcile", DAY_S, reconcile),
    Job("prices", 5, scheduled_prices),
    Job("drift", 600, usage_drift),
    Job("letters", 3600, forget_letters),
    Job("low_balances", 60, low_balances),
    Job("closed_credit", 60, closed_credit),
    Job("policy", 10, policy_versions),
    Job("reviews", 5, review_cases),
    Job("limits", 1, rate_state),
    Job("short_keys", 0.5, short_keys),
)


class Workers:
    """Runs the table's jobs until stopped."""

    def __init__(self, platform: Platform, metrics: Metrics, jobs: tuple[Job, ...] = JOBS) -> None:
        self._platform = platform
        self._metrics = metrics
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
            now_s = asyncio.get_running_loop().time()
            await asyncio.sleep(next_beat_s(now_s, job.interval_s) - now_s)
            try:
                await job.tick(self._platform, self._metrics)
            except Exception:
                log.exception("job failed", extra={"f": {"job": job.name}})
