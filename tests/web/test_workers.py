"""Background jobs: drift becomes a metric, a failing job does not stop the others."""

import asyncio
from pathlib import Path

from gateway.workers import Job, Workers, reconcile, usage_drift
from tests.fakes.gateway import chat, running
from tests.fakes.upstream import FakeUpstream, answering, completion


async def test_an_over_reporting_provider_raises_a_finding(tmp_path: Path) -> None:
    upstream = await FakeUpstream().start()
    async with running(tmp_path / "data", upstream) as gateway:
        text = "one two three four five six seven eight nine ten"
        upstream.handler = answering(completion(text, 9, 10))
        for _ in range(25):
            await gateway.post(chat())
        await gateway.settled()
        platform, metrics = gateway.gateway.platform, gateway.plane.metrics
        await usage_drift(platform, metrics)
        assert metrics.gauges["usage_drift_findings"] == 0
        upstream.handler = answering(completion(text, 9, 15))
        for _ in range(25):
            await gateway.post(chat())
        await gateway.settled()
        await usage_drift(platform, metrics)
        await reconcile(platform, metrics)
        assert metrics.gauges["usage_drift_findings"] == 1
        assert metrics.gauges["ledger_findings"] == 0
        async with gateway.session.get(gateway.url + "/metrics") as response:
            assert "tallygate_usage_drift_findings 1.0" in await response.text()
        [finding] = (await gateway.command("usage.drift"))["findings"]
        assert (finding["model"], finding["ratio_ppm"]) == ("up-model", 1_250_000)
    await upstream.stop()


async def test_a_failing_job_is_tried_again_and_stops_nobody() -> None:
    ticks = {"bad": 0, "good": 0}
    both = asyncio.Event()

    async def bad(platform: object, metrics: object) -> None:
        ticks["bad"] += 1
        raise RuntimeError

    async def good(platform: object, metrics: object) -> None:
        ticks["good"] += 1
        if min(ticks.values()) > 2:
            both.set()

    def broken(platform: object) -> bool:
        raise RuntimeError

    jobs = (
        Job("bad", 0.001, bad),
        Job("broken", 0.001, good, broken),
        Job("good", 0.001, good),
    )
    workers = Workers(None, None, jobs)  # type: ignore[arg-type]
    workers.start()
    await asyncio.wait_for(both.wait(), 10)
    await workers.stop()


async def test_a_job_without_anything_to_do_gets_no_task_until_there_is() -> None:
    ticks, asked = [], 0
    wanted = done = False
    over = asyncio.Event()

    def is_wanted(platform: object) -> bool:
        nonlocal asked
        asked += 1
        return wanted and not done

    async def tick(platform: object, metrics: object) -> None:
        nonlocal done
        ticks.append(asked)
        done = True
        over.set()

    workers = Workers(None, None, (Job("rare", 0.001, tick, is_wanted),))  # type: ignore[arg-type]
    workers.start()
    while asked < 5:
        await asyncio.sleep(0.001)
    assert ticks == []
    wanted = True
    await asyncio.wait_for(over.wait(), 10)
    again = asked + 5
    while asked < again:  # it is asked on, and has been done once
        await asyncio.sleep(0.001)
    assert len(ticks) == 1
    await workers.stop()


async def test_a_job_is_not_started_again_while_it_runs_and_a_stop_ends_it() -> None:
    running, most, ends = 0, 0, []

    async def long(platform: object, metrics: object) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        finally:
            running -= 1

    ticks = 0

    async def other(platform: object, metrics: object) -> None:
        nonlocal ticks
        ticks += 1

    workers = Workers(None, None, (Job("long", 0.001, long), Job("other", 0.001, other)))  # type: ignore[arg-type]
    workers.start()
    while ticks < 20:
        await asyncio.sleep(0.001)
    assert (running, most) == (1, 1)
    await workers.stop()
    assert (running, ends) == (0, ["cancelled"])
    before = ticks
    await asyncio.sleep(0.02)
    assert ticks == before
