"""Descriptors run out: whether the process lives is still answered, the rest refused in words."""

import asyncio
import contextlib
import json
import resource
import socket
import time
from pathlib import Path

import pytest

from tests.fakes.gateway import CATALOG, chat
from tests.fakes.process import Process, serving
from tests.fakes.upstream import SSE_HEAD, FakeUpstream, raw

FILES = 200
IDLE = 300
LIMITED = ("sh", "-c", f'ulimit -n {FILES} && exec "$@"', "sh")
WITHIN_S = 1.0
ASKED = 60


def ask(process: Process, request: bytes) -> bytes:
    """The whole answer; empty where the connection was cut."""
    answer = b""
    with contextlib.suppress(ConnectionError), socket.socket() as one:
        one.settimeout(5)
        one.connect(("127.0.0.1", process.port))
        one.sendall(request)
        while data := one.recv(65_536):
            answer += data
    return answer


def health(process: Process) -> bytes:
    return ask(process, b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")


def paid(process: Process, model: str = "sandbox/echo") -> bytes:
    body = json.dumps({**chat(), "model": model}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {process.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    return ask(process, head.encode() + body)


def warnings(process: Process) -> list[str]:
    lines = (process.data_dir.parent / "stderr.log").read_text().splitlines()
    return [line for line in lines if '"level":"info"' not in line]


def connect(process: Process, number: int, made: list[socket.socket]) -> None:
    """Connections that send nothing."""
    made += [socket.create_connection(("127.0.0.1", process.port), 5) for _ in range(number)]


def until(process: Process, wanted: bytes, made: list[socket.socket]) -> None:
    """The wanted answer comes within a second, while more come where there are some."""
    asked = time.monotonic()
    while not (answer := paid(process)).startswith(wanted):
        assert time.monotonic() - asked < WITHIN_S, answer
        connect(process, len(made) // IDLE, made)
        time.sleep(0.02)


@pytest.mark.parametrize("when", ["at the start", "while it runs"])
def test_the_process_is_seen_to_live_without_a_descriptor(tmp_path: Path, when: str) -> None:
    under = LIMITED if when == "at the start" else ()
    with serving(tmp_path / "data", under=under) as process:
        if not under:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        with contextlib.ExitStack() as made:
            idle: list[socket.socket] = []
            made.callback(lambda: [one.close() for one in idle])
            until(process, b"HTTP/1.1 200 ", idle)
            connect(process, IDLE, idle)
            until(process, b"HTTP/1.1 503 ", idle)
            for number in range(ASKED):
                connect(process, 1, idle)
                assert health(process).startswith(b"HTTP/1.1 200 "), number
                time.sleep(0.02)
            refused = paid(process)
            assert refused.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 1\r\n" in refused
            assert json.loads(refused.partition(b"\r\n\r\n")[2])["error"]["code"] == "overloaded"
            assert not process.ended()
        until(process, b"HTTP/1.1 200 ", [])
        [said] = warnings(process)
        assert json.loads(said)["event"] == "connections_at_limit"
        assert process.run("ledger", "verify")["findings"] == []


async def hang(process: Process, body: bytes) -> None:
    """A client that asks again as long as it is told to come back."""
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
    head += f"Authorization: Bearer {process.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
        try:
            while True:
                writer.write(head.encode() + body)
                said = await reader.readuntil(b"\r\n\r\n")
                if not said.startswith(b"HTTP/1.1 503 "):
                    await reader.read()
                    return
                length = said.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                await asyncio.sleep(0.05)
        finally:
            writer.transport.abort()


async def test_connections_to_providers_do_not_take_the_last_descriptors(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    upstream.handler = raw(SSE_HEAD, then="hang")
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(CATALOG.format(port=upstream.port, disconnect="abort"))
    body = json.dumps(chat(stream=True, max_tokens=1)).encode()
    with serving(tmp_path / "data", "--catalog", str(catalog), under=LIMITED) as process:
        clients = [asyncio.create_task(hang(process, body)) for _ in range(FILES)]
        await asyncio.sleep(2 * WITHIN_S)
        for number in range(ASKED):
            answer = await asyncio.to_thread(health, process)
            assert answer.startswith(b"HTTP/1.1 200 "), number
        for one in clients:
            one.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await asyncio.to_thread(until, process, b"HTTP/1.1 200 ", [])
        assert len(warnings(process)) == 1
        assert not await asyncio.to_thread(process.ended)
