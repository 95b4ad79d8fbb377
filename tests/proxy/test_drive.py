"""A driven coroutine behaves as in a Task: it steps, waits, is cancelled, and hears errors."""

import asyncio
from typing import Any

import pytest

from gateway.proxy.drive import drive


async def test_it_runs_at_once_and_goes_on_when_woken() -> None:
    loop = asyncio.get_running_loop()
    seen: list[Any] = []
    first: asyncio.Future[str] = loop.create_future()

    async def story() -> None:
        seen.append("begun")
        seen.append(await first)
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        seen.append(await asyncio.to_thread(lambda: "thread"))
        seen.append(await asyncio.create_task(asyncio.sleep(0, "task")))

    drive(story(), loop)
    assert seen == ["begun"]
    first.set_result("woken")
    async with asyncio.timeout(5):
        while len(seen) < 4:
            await asyncio.sleep(0.001)
    assert seen == ["begun", "woken", "thread", "task"]


async def test_an_error_of_what_is_awaited_is_raised_there() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    caught: list[BaseException] = []

    async def story() -> None:
        try:
            await future
        except ValueError as error:
            caught.append(error)

    drive(story(), loop)
    future.set_exception(ValueError("so"))
    await asyncio.sleep(0)
    assert [str(error) for error in caught] == ["so"]


@pytest.mark.parametrize("kind", ["future", "task", "sleep"])
async def test_a_cancel_reaches_the_coroutine_where_it_waits(kind: str) -> None:
    loop = asyncio.get_running_loop()
    ended: list[str] = []

    async def story() -> None:
        try:
            if kind == "future":
                await loop.create_future()
            elif kind == "task":
                await asyncio.create_task(asyncio.sleep(60))
            else:
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(kind)

    driven = drive(story(), loop)
    assert driven.cancel()
    async with asyncio.timeout(5):
        while not ended:
            await asyncio.sleep(0)
    assert not driven.cancel()
