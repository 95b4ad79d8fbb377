"""Connections to providers: none leaks, none is reused in doubt, no client's state stays on one."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.base.errors import ShuttingDown, UpstreamTimeout
from gateway.proxy.dialects.endpoints import CHAT
from gateway.proxy.exchange import Exchange
from gateway.proxy.meter import METER
from gateway.proxy.upstream.attempt import Attempt
from tests.fakes.gateway import CATALOG, RunningGateway, chat, running
from tests.fakes.upstream import (
    DONE,
    SSE_HEAD,
    FakeUpstream,
    Received,
    answering,
    chunk,
    completion,
    framed,
    usage_event,
)


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", upstream, upstream_first_byte_timeout_s=2) as one:
        yield one


def request(gateway: RunningGateway, body: bytes) -> bytes:
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (gateway.key.encode(), len(body), body)
    )


async def until(true: Any, timeout_s: float = 5) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_client_that_leaves_while_we_dial_leaves_nothing_behind(
    tmp_path: Path, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path / "data", upstream, disconnect="drain") as gateway:
        pool, dialling, go_on = gateway.plane.pool, asyncio.Event(), asyncio.Event()
        dial = pool.dial

        async def slow_dial(origin: Any) -> Any:
            dialling.set()
            await go_on.wait()
            return await dial(origin)

        monkeypatch.setattr(type(pool), "dial", lambda self, origin: slow_dial(origin))
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(request(gateway, b'{"model":"m","messages":[]}'))
        await dialling.wait()
        writer.transport.abort()
        await until(lambda: gateway.gateway.server.connections == 0)
        go_on.set()
        [row] = await gateway.rows()
        assert row["outcome"] == "client_gone" and row["cost_microusd"] == 0
        await until(lambda: pool.open_connections() == 0)
        assert gateway.plane.draining == 0 and not upstream.requests
        await gateway.assert_nothing_leaked()


async def test_a_pooled_connection_is_read_again_after_a_client_that_was_slow(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    """The client is behind when the answer ends; the provider's connection serves the next."""
    end = framed(chunk("z" * 6_000_000) + usage_event(9, 9) + DONE) + b"0\r\n\r\n"

    async def slow_then_quick(received: Received, writer: asyncio.StreamWriter) -> None:
        if len(upstream.requests) == 1:
            writer.write(SSE_HEAD + end)
        else:
            await answering(completion())(received, writer)

    upstream.handler = slow_then_quick
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
    writer.write(request(gateway, b'{"model":"m","messages":[],"stream":true}'))
    got = b""
    while DONE not in got[-100:]:
        got += await asyncio.wait_for(reader.read(65536), 5)
        await asyncio.sleep(0)
    writer.close()
    answer = await gateway.post(chat())
    assert answer.status == 200


class Wire:
    """A connection that notes what is asked of it."""

    closed = reused = started = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.asked.append(name)


async def test_an_attempt_that_is_over_does_not_touch_its_connection(
    gateway: RunningGateway,
) -> None:
    """Between the end of an answer and its request's next step, another may use the connection."""
    client: Any = SimpleNamespace(closed=False, send=lambda _: None)
    x = Exchange(gateway.plane, client, CHAT, b"", "", {})
    for finish in (Attempt.ended, lambda attempt: attempt.failed(UpstreamTimeout())):
        wire: Any = Wire()
        attempt = Attempt(x, wire, METER)
        attempt.pause()
        attempt.resume()
        assert wire.asked == ["pause", "resume"]
        finish(attempt)
        attempt.pause()
        attempt.resume()
        attempt.stop(ShuttingDown())
        attempt.client_gone()
        assert wire.asked == ["pause", "resume"]


async def test_an_answer_before_the_whole_request_ends_the_connection(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    """A server may answer early; the rest of the request must not meet the next one."""
    closed = asyncio.Event()
    count = 0

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\n{}")
        await asyncio.sleep(0.3)
        while await reader.read(1 << 20):
            pass
        closed.set()
        writer.close()

    server = await asyncio.start_server(early, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await gateway.command("catalog.apply", toml=CATALOG.format(port=port, disconnect="abort"))
    answer = await gateway.post(chat("x " * 8_000_000))
    assert answer.code == "upstream_rejected"
    async with asyncio.timeout(5):
        await closed.wait()
    server.close()


async def test_endless_trailers_are_cut(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    sent = 0

    async def trailers(received: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(SSE_HEAD + framed(chunk("a")) + b"0\r\nX: ")
        for _ in range(400):
            writer.write(b"y" * 100_000)
            await writer.drain()
            sent += 100_000

    upstream.handler = trailers
    answer = await gateway.post(chat(stream=True))
    assert b"upstream_truncated" in answer.body
    assert sent < 30_000_000
    await gateway.assert_nothing_leaked()


async def test_trailers_are_not_headers(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    async def late_header(received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 429 X\r\nTransfer-Encoding: chunked\r\n\r\n"
            + framed(b"{}")
            + b"0\r\nRetry-After: 9\r\n\r\n"
        )

    upstream.handler = late_header
    answer = await gateway.post(chat())
    assert answer.status == 429 and "Retry-After" not in answer.headers


TWO = """
[[providers]]
name = "first"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "sk-a"
allow_private_address = true
[[providers]]
name = "second"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "sk-b"
allow_private_address = true
[[models]]
name = "m"
context_tokens = 1000
max_output_tokens = 1000
encoding = "o200k_base"
[[models.targets]]
provider = "first"
model = "a"
[[models.targets]]
provider = "second"
model = "b"
[models.price]
input = "1"
output = "1"
"""


async def test_a_refused_credential_sends_the_request_to_the_next_provider(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    async def only_b(received: Received, writer: asyncio.StreamWriter) -> None:
        good = received.json["model"] == "b"
        await answering(completion() if good else {}, 200 if good else 401)(received, writer)

    upstream.handler = only_b
    async with running(
        tmp_path / "data", upstream, catalog=TWO.format(port=upstream.port)
    ) as gateway:
        answer = await gateway.post(chat())
        assert answer.status == 200 and answer.headers["x-tallygate-attempts"] == "2"


async def test_a_stop_is_not_retried_and_reaches_requests_that_dial(
    tmp_path: Path, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(received: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    upstream.handler = hang
    async with running(
        tmp_path / "data", upstream, catalog=TWO.format(port=upstream.port)
    ) as gateway:
        waiting = asyncio.ensure_future(gateway.post(chat()))
        await until(lambda: len(upstream.requests) == 1)
        forever = asyncio.Event()
        monkeypatch.setattr(type(gateway.plane.pool), "dial", lambda *_: forever.wait())
        dialling = asyncio.ensure_future(gateway.post(chat()))
        await until(lambda: len(gateway.plane.active) == 2)
        async with asyncio.timeout(4):
            await gateway.gateway.server.stop(0.1)
        assert [(await one).code for one in (waiting, dialling)] == ["shutting_down"] * 2
        assert len(upstream.requests) == 1
        assert not gateway.plane.active


async def test_responses_fetched_later_are_refused(gateway: RunningGateway) -> None:
    answer = await gateway.post({"model": "m", "input": "x", "background": True}, "/v1/responses")
    assert (answer.status, answer.json["error"]["param"]) == (400, "background")
    answer = await gateway.post({**chat(), "user": "u" * 100_000})
    assert answer.status == 400


async def test_a_compressed_stream_is_still_metered(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    body = gzip.compress(chunk("hello") + usage_event(9, 5) + DONE)
    head = SSE_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")

    async def zipped(received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head + framed(body) + b"0\r\n\r\n")

    upstream.handler = zipped
    assert (await gateway.post(chat(stream=True))).body == chunk("hello") + DONE
    [row] = await gateway.rows()
    assert row["output_tokens"] == 5
