"""Clients that leave: at every byte of a request and of its answer, by FIN, half a FIN, or RST.

Whatever they do, each request is settled at most once, nothing stays open, and others are served.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import DONE, FakeUpstream, chunk, reset, streaming, usage_event
from tests.web.test_http import request

WAYS = ("close", "half", "reset")


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    fake = await FakeUpstream().start()
    fake.handler = streaming(*(chunk(f"{n} ") for n in range(8)), usage_event(9, 60), DONE)
    yield fake
    await fake.stop()


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", upstream) as one:
        yield one


async def leave(gateway: RunningGateway, data: bytes, read: int, way: str) -> None:
    """Send these bytes, read so many of the answer, and leave in this way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        writer.write(data)
        await writer.drain()
        if read:
            await reader.readexactly(read)
        if way == "reset":
            reset(writer)
        elif way == "half":
            writer.write_eof()
            async with asyncio.timeout(10):
                while await reader.read(65_536):
                    pass
    writer.close()


async def nobody_left(gateway: RunningGateway) -> None:
    async with asyncio.timeout(10):
        while gateway.plane.active or gateway.gateway.server.connections > 1:
            await asyncio.sleep(0.01)
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("way", WAYS)
async def test_at_every_byte_of_a_request(gateway: RunningGateway, way: str) -> None:
    whole = request(gateway, json.dumps(chat(stream=True)).encode())
    gate = asyncio.Semaphore(20)

    async def one(size: int) -> None:
        async with gate:
            await leave(gateway, whole[:size], 0, way)

    await asyncio.gather(*(one(size) for size in range(len(whole))))
    await nobody_left(gateway)
    assert await gateway.rows() == []
    console = b"POST /sign-in HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\nemail=a"
    await asyncio.gather(*(leave(gateway, console[:n], 0, way) for n in range(len(console))))
    await nobody_left(gateway)
    assert (await gateway.post(chat(stream=True))).body.endswith(DONE)


@pytest.mark.parametrize("way", WAYS)
async def test_at_many_bytes_of_an_answer(gateway: RunningGateway, way: str) -> None:
    whole = request(gateway, json.dumps(chat(stream=True)).encode())
    size = len((await gateway.post(chat(stream=True))).body)
    seed, gate, count = random.Random(5), asyncio.Semaphore(20), 100

    async def one(read: int) -> None:
        async with gate:
            await leave(gateway, whole, read, way)

    await asyncio.gather(*(one(seed.randrange(size)) for _ in range(count)))
    await nobody_left(gateway)
    rows = await gateway.rows(1_000)
    assert len({row["id"] for row in rows}) == len(rows) <= count + 1
    assert (
        sum(row["cost_microusd"] for row in rows) == 10_000_000 - await gateway.balance_microusd()
    )
    assert all(row["cost_microusd"] <= 9 + 120 for row in rows)
    assert {row["outcome"] for row in rows} <= {"completed", "client_gone"}
    assert (await gateway.post(chat(stream=True))).body.endswith(DONE)


async def test_a_key_revoked_inside_streams_lets_them_end_and_nobody_begin(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    words = [chunk(f"{n} ") for n in range(20)]
    upstream.handler = streaming(*words, usage_event(9, 60), DONE, pause_s=0.01)
    streams = [asyncio.ensure_future(gateway.post(chat(stream=True))) for _ in range(100)]
    while len(gateway.plane.active) < 100:
        await asyncio.sleep(0.001)
    [key] = [each for each in await gateway.command("keys.list") if each["name"] == "test"]
    await gateway.command("keys.revoke", key=key["id"])
    assert (await gateway.post(chat())).code == "invalid_api_key"
    answers = await asyncio.gather(*streams)
    rows = await gateway.rows()
    assert len(rows) == len({row["id"] for row in rows}) == 100
    assert all(answer.status == 200 for answer in answers)
    assert all(row["cost_microusd"] > 0 for row in rows)
    await gateway.assert_nothing_leaked()
