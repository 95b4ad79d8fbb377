"""Streams on the pump's thread: they need neither the loop nor the interpreter until they end."""

import asyncio
import contextlib
import json
import select
import socket
import struct
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway._native.tokens import Counter
from gateway.proxy.upstream import carrier
from tests.fakes.gateway import CATALOG, RunningGateway, chat, running
from tests.fakes.upstream import (
    DONE,
    SSE_HEAD,
    FakeUpstream,
    Received,
    chunk,
    framed,
    streaming,
)

TO_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
LAST = b"0\r\n\r\n"


class Provider:
    """A provider on a thread of its own, which sends when it is told to."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.turns = threading.Semaphore(0)
        self.pieces: list[bytes] = []
        self.left = threading.Event()
        self.resets = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        request = connection.recv(65536)
        assert b"stream" in request
        connection.sendall(self._head)
        for piece in iter(self._next, b""):
            connection.sendall(piece)
        with connection, contextlib.suppress(TimeoutError):
            if self.resets:  # closed so, a socket says RST
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return
            connection.settimeout(10)
            if not connection.recv(1):
                self.left.set()

    def _next(self) -> bytes:
        self.turns.acquire()
        return self.pieces.pop(0)

    def send(self, *pieces: bytes) -> None:
        self.pieces += pieces
        self.turns.release(len(pieces))

    def close(self) -> None:
        self._listening.close()
        self.send(b"")
        self._thread.join(15)


class Reader:
    """A client on a thread of its own: what it has read, and when it has read enough."""

    def __init__(self, port: int, key: str) -> None:
        self.received = b""
        self.ended = threading.Event()
        self._more = threading.Condition()
        body = json.dumps(chat(stream=True)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(head.encode() + body)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while data := self.socket.recv(65536):
            with self._more:
                self.received += data
                self._more.notify()
            if self.received.endswith(LAST):
                self.ended.set()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(15)
        self.socket.close()

    def until(self, words: bytes) -> bool:
        with self._more:
            return self._more.wait_for(lambda: words in self.received, 10)


@contextlib.asynccontextmanager
async def begun(
    data_dir: Path, head: bytes = SSE_HEAD, **limits: object
) -> AsyncIterator[tuple[Provider, RunningGateway, Reader]]:
    """A stream whose first piece has arrived, and which the loop has let go of."""
    provider = Provider(head)
    catalog = CATALOG.format(port=provider.port, disconnect="abort")
    async with running(data_dir, catalog=catalog, **limits) as gateway:
        reader = Reader(gateway.port, gateway.key)
        try:
            provider.send(chunk("It ") if head is TO_CLOSE else framed(chunk("It ")))
            assert await asyncio.to_thread(reader.until, b"It ")
            await asyncio.sleep(0.1)
            yield provider, gateway, reader
            await gateway.assert_nothing_leaked()
        finally:
            reader.close()
            await asyncio.to_thread(provider.close)


async def test_a_stream_goes_on_while_the_loop_does_nothing(tmp_path: Path) -> None:
    async with begun(tmp_path) as (provider, gateway, reader):
        for number in range(30):  # the loop is here, in the threads' waits, and nowhere else
            provider.send(framed(chunk(f"goes on {number}.")))
            assert reader.until(f"goes on {number}.".encode())
        provider.send(framed(DONE), LAST, b"")
        assert await asyncio.to_thread(reader.ended.wait, 10)
        [row] = await gateway.rows()
        text = "It " + "".join(f"goes on {number}." for number in range(30))
        counter = Counter("o200k_base")
        counter.feed(text)
        assert row["output_tokens"] == counter.finish()
        assert row["outcome"] == "completed" and row["basis"] == "measured"


async def test_its_hold_grows_ahead_of_it_where_there_is_plenty(tmp_path: Path) -> None:
    async with begun(tmp_path) as (provider, gateway, reader):
        pump = gateway.plane.carrier.pump
        if pump is None:
            pytest.skip("there is no pump here")
        [attempt] = gateway.plane.attempts
        [exchange] = gateway.plane.active
        assert exchange.hold is not None
        held_microusd = [exchange.hold.amount_microusd]
        for number in range(30):  # as above; what looks at every stream now and then is called here
            provider.send(framed(chunk(" word" * 1_000 + f" {number}.")))
            assert reader.until(f" {number}.".encode())
            attempt.check(gateway.plane.loop.time())
            held_microusd.append(exchange.hold.amount_microusd)
        assert not select.select([pump.descriptor], [], [], 0)[0]  # it never came home
        assert len(set(held_microusd)) > 3
        assert held_microusd == sorted(held_microusd)
        provider.send(framed(DONE), LAST, b"")
        assert await asyncio.to_thread(reader.ended.wait, 10)
        [row] = await gateway.rows()
        assert row["outcome"] == "completed" and row["output_tokens"] > 30_000


async def test_a_client_that_leaves_ends_it_at_the_provider(tmp_path: Path) -> None:
    async with begun(tmp_path) as (provider, gateway, reader):
        provider.send(framed(chunk("goes on")))
        assert await asyncio.to_thread(reader.until, b"goes on")
        reader.socket.shutdown(socket.SHUT_RDWR)
        provider.send(b"")
        assert await asyncio.to_thread(provider.left.wait, 10)
        [row] = await gateway.rows()
        assert row["outcome"] == "client_gone" and row["output_tokens"] == 3


@pytest.mark.parametrize("resets", [False, True])
async def test_a_body_without_a_length_ends_with_its_connection_unless_that_breaks(
    tmp_path: Path, resets: bool
) -> None:
    async with begun(tmp_path, TO_CLOSE) as (provider, gateway, reader):
        provider.send(chunk("goes on"), chunk(finish="stop"))
        assert await asyncio.to_thread(reader.until, b"goes on")
        provider.resets = resets
        if not resets:
            provider.send(DONE)
        provider.send(b"")
        assert await asyncio.to_thread(reader.until, b"upstream_" if resets else b"[DONE]")
        [row] = await gateway.rows()
        assert row["outcome"] == ("upstream_failed" if resets else "completed")
        assert row["output_tokens"] == 3


async def test_a_silent_stream_gets_its_comment_and_goes_on(tmp_path: Path) -> None:
    async with begun(tmp_path, server_stream_keepalive_s=1) as (provider, _, reader):
        provider.send(framed(chunk("goes on")))
        assert await asyncio.to_thread(reader.until, b": keep-alive\n\n")
        provider.send(framed(chunk(" and on")), framed(DONE), LAST, b"")
        assert await asyncio.to_thread(reader.ended.wait, 10)
        assert reader.received.index(b"goes on") < reader.received.index(b": keep-alive")
        assert reader.received.index(b": keep-alive") < reader.received.index(b"and on")


async def test_its_hold_grows_and_credit_that_ends_ends_it(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    async def endless(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE_HEAD)
        while not writer.transport.is_closing():
            writer.write(framed(chunk(" word" * 20)))
            await writer.drain()
            await asyncio.sleep(0)

    upstream.handler = endless
    async with running(tmp_path, upstream, credit_usd="0.01") as gateway:
        answer = await gateway.post(chat(stream=True))
        assert b"insufficient_credit" in answer.body
        [row] = await gateway.rows()
        assert row["outcome"] == "credit_exhausted"
        assert row["output_tokens"] > 4_000  # many steps of 512
        assert await gateway.balance_microusd() >= 0
        await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_where_there_is_no_pump_the_loop_carries_them(
    tmp_path: Path, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def none(_: int) -> None:
        raise OSError("no epoll")

    monkeypatch.setattr(carrier, "Pump", none)
    whole = b"".join(chunk(f" word{number}") for number in range(40)) + DONE
    upstream.handler = streaming(*(whole[at : at + size] for at in range(0, len(whole), size)))
    async with running(tmp_path, upstream) as gateway:
        assert gateway.plane.carrier.pump is None
        answer = await gateway.post(chat(stream=True))
        assert answer.body == whole
        await gateway.assert_nothing_leaked()
