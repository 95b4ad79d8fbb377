"""Hedging: the second attempt wins when the first is late; only the winner is charged."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import routes
from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import (
    DONE,
    FakeUpstream,
    Received,
    answering,
    chunk,
    streaming,
    usage_event,
)

FIRST = [chunk("one "), usage_event(9, 1), DONE]
SECOND = [chunk("two "), usage_event(9, 2), DONE]


@pytest.fixture
async def two() -> AsyncIterator[list[FakeUpstream]]:
    async with routes.fakes(2) as started:
        started[0].handler, started[1].handler = streaming(*FIRST), streaming(*SECOND)
        yield started


@pytest.fixture
async def gateway(tmp_path: Path, two: list[FakeUpstream]) -> AsyncIterator[RunningGateway]:
    catalog = routes.providers(two) + routes.model([0, 1], lines="hedge = true")
    async with running(tmp_path / "data", catalog=catalog) as one:
        for _ in range(20):  # enough to know what is late
            assert (await one.post(chat(stream=True))).body == FIRST[0] + DONE
        assert not two[1].requests
        yield one


def late(by_s: float) -> object:
    async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(by_s)
        await streaming(*FIRST)(request, writer)

    return handle


async def test_the_second_wins_and_the_loser_is_cancelled_and_free(
    gateway: RunningGateway, two: list[FakeUpstream]
) -> None:
    two[0].handler = late(30)  # type: ignore[assignment]
    answer = await gateway.post(chat(stream=True))
    assert answer.body == SECOND[0] + DONE
    async with asyncio.timeout(2):
        while not two[0].closed_early:
            await asyncio.sleep(0.01)
    row = (await gateway.rows())[0]
    assert (row["provider"], row["attempts"], row["cost_microusd"]) == ("up1", 2, 9 + 2 * 2)
    await gateway.assert_nothing_leaked()


async def test_the_first_may_still_win(gateway: RunningGateway, two: list[FakeUpstream]) -> None:
    two[0].handler = late(0.4)  # type: ignore[assignment]

    async def later(request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    two[1].handler = later
    answer = await gateway.post(chat(stream=True))
    assert answer.body == FIRST[0] + DONE
    row = (await gateway.rows())[0]
    assert (row["provider"], row["cost_microusd"]) == ("up0", 9 + 2)
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("failing", [0, 1])
async def test_one_that_fails_leaves_the_race_to_the_other(
    gateway: RunningGateway, two: list[FakeUpstream], failing: int
) -> None:
    async def fail(request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2 if failing == 0 else 0)
        await answering({}, 500)(request, writer)

    two[failing].handler = fail
    if failing == 1:
        two[0].handler = late(0.4)  # type: ignore[assignment]
    answer = await gateway.post(chat(stream=True))
    assert answer.status == 200 and answer.body == [SECOND, FIRST][failing][0] + DONE
    await gateway.assert_nothing_leaked()


async def test_a_client_that_leaves_ends_both(
    gateway: RunningGateway, two: list[FakeUpstream]
) -> None:
    two[0].handler = two[1].handler = late(30)  # type: ignore[assignment]
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.5):
            await gateway.post(chat(stream=True))
    async with asyncio.timeout(3):
        while not (two[0].closed_early and two[1].closed_early):
            await asyncio.sleep(0.01)
    row = (await gateway.rows())[0]
    assert (row["outcome"], row["cost_microusd"]) == ("client_gone", 0)
    await gateway.assert_nothing_leaked()
