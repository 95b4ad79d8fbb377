"""The state of one client connection: bounded buffers, methods, slow readers."""

import asyncio
import fcntl
import re
import socket
import termios
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.web.server import UNSENT_BYTES
from tests.fakes.gateway import RunningGateway, running
from tests.fakes.upstream import FakeUpstream, answering, completion
from tests.web.test_http import exchange, request


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(
        tmp_path / "data", upstream, server_write_stall_timeout_s=1.0, server_body_timeout_s=2.0
    ) as one:
        yield one


async def test_a_client_that_never_reads_its_last_answer_is_cut(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = answering(completion("x" * 20_000_000))
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    body = b'{"model":"m","messages":[]}'
    writer.write(request(gateway, body, "Connection: close"))
    async with asyncio.timeout(10):
        while not upstream.requests or gateway.gateway.server.connections:
            await asyncio.sleep(0.05)
    writer.transport.abort()


async def test_the_kernel_holds_little_of_an_answer_that_is_not_read(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    """Else a thousand clients that read nothing take gigabytes, past every limit of ours."""
    if not hasattr(socket, "TCP_NOTSENT_LOWAT"):
        pytest.skip("this system does not bound what is unsent")
    upstream.handler = answering(completion("x" * 20_000_000))
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(request(gateway, b'{"model":"m","messages":[]}'))
    [connection] = gateway.gateway.server._connections
    async with asyncio.timeout(10):
        while not connection.transport.get_write_buffer_size():
            await asyncio.sleep(0.01)
    accepted = connection.transport.get_extra_info("socket")
    lowat = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
    assert lowat == UNSENT_BYTES
    waiting = bytearray(4)
    fcntl.ioctl(accepted.fileno(), termios.TIOCOUTQ, waiting)
    assert int.from_bytes(waiting, "little") < 8 * UNSENT_BYTES
    writer.transport.abort()


async def test_pipelined_requests_wait_until_answers_are_read(gateway: RunningGateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    one = b"GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n"
    count = 100_000
    writer.write(one * count + one.replace(b"Host", b"Connection: close\r\nHost"))
    await asyncio.sleep(0.5)
    [connection] = gateway.gateway.server._connections
    assert connection.transport.get_write_buffer_size() < 300_000
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    got = 0
    async with asyncio.timeout(60):
        while data := await reader.read(1 << 20):
            got += data.count(b"HTTP/1.1 401")
    assert got >= count * 0.99  # a status line that was cut by a read is not counted
    writer.close()


class CountingLoop:
    """A loop that counts the timers it is asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.timers = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_later(self, *words: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return self._loop.call_later(*words)


async def test_a_request_behind_a_page_that_is_not_read_costs_nothing(
    gateway: RunningGateway,
) -> None:
    """As it waits: a thousand such connections took half of a core, each asking every 2 ms."""
    async with gateway.session.get(gateway.url + "/") as response:
        found = re.search(r"/static/\w+/[\w./-]+\.css", await response.text())
    assert found is not None
    server = gateway.gateway.server
    count = 400
    one = f"GET {found[0]} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(one * count + one.replace(b"Host", b"Connection: close\r\nHost"))
    async with asyncio.timeout(10):
        while not any(each.transport.get_write_buffer_size() for each in server._connections):
            await asyncio.sleep(0.01)
    server.loop = counting = CountingLoop(server.loop)  # type: ignore[assignment]
    await asyncio.sleep(0.3)
    assert counting.timers < 10
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    got = 0
    async with asyncio.timeout(60):
        while data := await reader.read(1 << 20):
            got += data.count(b"HTTP/1.1 200")
    assert got >= count * 0.9  # a status line that was cut by a read is not counted
    writer.close()


async def test_a_head_request_gets_no_body_and_a_wrong_method_the_right_one(
    gateway: RunningGateway,
) -> None:
    data = b"HEAD /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    answer = await exchange(gateway, data)
    assert answer.startswith(b"HTTP/1.1 401 ") and answer.endswith(b"\r\n\r\n")
    answer = await exchange(gateway, data.replace(b"HEAD", b"PUT"))
    assert answer.startswith(b"HTTP/1.1 405 ") and b"\r\nAllow: GET, HEAD\r\n" in answer
    data = data.replace(b"HEAD /v1/models", b"GET /v1/chat/completions")
    assert b"\r\nAllow: POST\r\n" in await exchange(gateway, data)


async def test_endless_trailers_are_refused(gateway: RunningGateway) -> None:
    head = request(gateway, b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(head + b"2\r\n{}\r\n0\r\nX: " + b"y" * 4_000_000)
    assert (await asyncio.wait_for(reader.read(100), 1.5)).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_a_trailer_is_no_header(gateway: RunningGateway) -> None:
    body = b'{"model":"m","messages":[]}'
    head = request(gateway, b"", "Connection: close").replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    key = b"Authorization: Bearer " + gateway.key.encode() + b"\r\n"
    bare = head.replace(key, b"")
    chunked = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    assert (await exchange(gateway, bare + chunked + key + b"\r\n")).startswith(b"HTTP/1.1 401 ")
    assert (await exchange(gateway, head + chunked + b"\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_body_of_tiny_chunks_is_whole(gateway: RunningGateway) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"' + b"ab" * 50_000 + b'"}]}'
    head = request(gateway, b"", "Connection: close").replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    pieces = b"".join(b"2\r\n%b\r\n" % body[at : at + 2] for at in range(0, len(body) - 1, 2))
    last = body[len(body) - len(body) % 2 :]
    pieces += b"%x\r\n%b\r\n" % (len(last), last) if last else b""
    answer = await exchange(gateway, head + pieces + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:300]
