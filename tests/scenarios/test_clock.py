"""A wall clock that jumps by an hour and by a year, both ways, under running requests.

Deadlines and rates are kept by the monotonic clock, charges by their sequence: nothing is lost,
reordered, charged twice or kept waiting.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.fakes.upstream import DONE, FakeUpstream, chunk, streaming, usage_event

HOUR_NS = 3_600 * 10**9
JUMPS = [HOUR_NS, -2 * HOUR_NS, 8_760 * HOUR_NS, -17_520 * HOUR_NS, 8_761 * HOUR_NS]


class Wall:
    """The machine's wall clock, moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moved_ns = 0
        ours, real, real_s = self, time.time_ns, time.time
        monkeypatch.setattr(time, "time_ns", lambda: real() + ours.moved_ns)
        monkeypatch.setattr(time, "time", lambda: real_s() + ours.moved_ns / 1e9)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    return Wall(monkeypatch)


@pytest.fixture
async def gateway(tmp_path: Path, wall: Wall) -> AsyncIterator[RunningGateway]:
    upstream = await FakeUpstream().start()
    words = [chunk(f"word {n} ") for n in range(30)]
    upstream.handler = streaming(*words, usage_event(9, 60), DONE, pause_s=0.01)
    async with running(tmp_path / "data", upstream, upstream_idle_timeout_s=5) as one:
        yield one
    await upstream.stop()


async def test_jumps_inside_streams_lose_and_reorder_nothing(
    gateway: RunningGateway, wall: Wall
) -> None:
    for jump_ns in JUMPS:
        streams = [asyncio.ensure_future(gateway.post(chat(stream=True))) for _ in range(10)]
        await asyncio.sleep(0.1)
        wall.moved_ns += jump_ns
        answers = await asyncio.gather(*streams)
        assert all(one.status == 200 and one.body.endswith(DONE) for one in answers)
    rows = await gateway.rows()
    assert len(rows) == len({row["id"] for row in rows}) == 10 * len(JUMPS)
    assert all(row["cost_microusd"] == 9 + 120 for row in rows)
    assert all(0 < row["duration_ms"] < 60_000 for row in rows)
    sequence = [row["seq"] for row in rows]
    assert sequence == sorted(sequence, reverse=True)
    assert await gateway.balance_microusd() == 10_000_000 - len(rows) * 129
    await gateway.assert_nothing_leaked()


async def test_a_minute_stays_a_minute(gateway: RunningGateway, wall: Wall) -> None:
    await gateway.command("limits.set", email=EMAIL, requests_per_minute=3)
    for jump_ns in (0, HOUR_NS, -8_760 * HOUR_NS):
        wall.moved_ns += jump_ns
        assert (await gateway.post(chat(stream=True))).status == 200
    for jump_ns in (HOUR_NS, -8_760 * HOUR_NS, 17_520 * HOUR_NS):
        wall.moved_ns += jump_ns
        answer = await gateway.post(chat())
        assert (answer.status, answer.code) == (429, "rate_limit_exceeded")
        assert 0 < int(answer.headers["Retry-After"]) <= 60


async def test_a_restart_in_another_year_finds_everything(tmp_path: Path, wall: Wall) -> None:
    upstream = await FakeUpstream().start()
    expected = 0
    for jump_ns in (0, *JUMPS):
        wall.moved_ns += jump_ns
        async with running(tmp_path / "data", upstream, credit_usd="1") as gateway:
            expected += 1_000_000
            assert await gateway.balance_microusd() == expected
            assert (await gateway.post(chat())).status == 200
            expected -= 7 + 2 * 3
            assert await gateway.balance_microusd() == expected
            await gateway.assert_nothing_leaked()
    await upstream.stop()
