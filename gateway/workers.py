"""Background work: a table of what to do at which interval, and whether there is anything to do.

One timer serves them all. At its beat every job that is due is asked whether there is anything to
do, which costs a look at memory; only then does it get a task, and its next time counts from that
task's end. A tick that fails is logged and tried again at its next time; none may block the event
loop, nor may such a question.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

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
EARLY_S: Final = 0.002  # a timer may ring so much before its time: libuv counts milliseconds


def always(platform: Platform) -> bool:
    """Of a job that must look for itself."""
    return True


class Job(NamedTuple):
    """One row of the table."""

    name: str
    interval_s: float
    tick: Callable[[Platform, Metrics], Coroutine[Any, Any, None]]
    wanted: Callable[[Platform], bool] = always


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
    Job("prices", 5, scheduled_prices, lambda platform: platform.catalog.price_due),
    Job("drift", 600, usage_drift),
    Job("letters", 3600, forget_letters),
    Job("low_balances", 60, low_balances),
    Job("closed_credit", 60, closed_credit),
    Job("policy", 10, policy_versions),
    Job("reviews", 5, review_cases, lambda platform: platform.reviews.suspected),
    Job("limits", 1, rate_state, lambda platform: platform.tiers.counting),
    Job("short_keys", 0.5, short_keys, lambda platform: platform.short_keys.held),
)


class Workers:
    """Runs the table's jobs until stopped."""

    def __init__(self, platform: Platform, metrics: Metrics, jobs: tuple[Job, ...] = JOBS) -> None:
        self._platform = platform
        self._metrics = metrics
        self._jobs = jobs
        self._due_s: dict[Job, float] = {}  # of those that do not run now
        self._tasks: dict[asyncio.Task[None], Job] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_s = math.inf
        self._stopping = False

    def start(self) -> None:
        """Begin; each job's first time is an interval from now."""
        self._loop = asyncio.get_running_loop()
        for job in self._jobs:
            self._wait(job)

    async def stop(self) -> None:
        """Cancel what runs and wait for it."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _wait(self, job: Job) -> None:
        due_s = self._due_s[job] = next_beat_s(self._loop.time(), job.interval_s)
        if due_s < self._rings_s:
            self._ring_at(due_s)

    def _ring_at(self, when_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_s = when_s
        self._timer = self._loop.call_at(when_s, self._beat)

    def _beat(self) -> None:
        now_s, self._rings_s, self._timer = self._loop.time() + EARLY_S, math.inf, None
        for job in [job for job, due_s in self._due_s.items() if due_s <= now_s]:
            if self._is_wanted(job):
                del self._due_s[job]
                task = self._loop.create_task(self._run(job))
                self._tasks[task] = job
                task.add_done_callback(self._ended)
            else:
                self._due_s[job] = next_beat_s(now_s, job.interval_s)
        if self._due_s:
            first_s = min(self._due_s.values())
            if first_s < self._rings_s:
                self._ring_at(first_s)

    def _is_wanted(self, job: Job) -> bool:
        try:
            return job.wanted(self._platform)
        except Exception:  # one question that fails must not keep the others from being asked
            log.exception("job failed", extra={"f": {"job": job.name}})
            return False

    async def _run(self, job: Job) -> None:
        try:
            await job.tick(self._platform, self._metrics)
        except Exception:
            log.exception("job failed", extra={"f": {"job": job.name}})

    def _ended(self, task: asyncio.Task[None]) -> None:
        job = self._tasks.pop(task)
        if not self._stopping:
            self._wait(job)
