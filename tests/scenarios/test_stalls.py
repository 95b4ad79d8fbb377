"""Large and hostile bodies never keep the event loop for 50 ms.

Client and provider are other processes, started before the loop is watched: to fork a process as
large as a whole test run keeps its loop for 50 ms. A stall is a gap between two beats of the loop,
but no longer than the CPU time the loop's thread used meanwhile: a busy machine does not fail the
test. What another thread does while it holds the interpreter's lock is not seen here.
"""

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway._native.tokens import load
from tests.fakes.gateway import CATALOG, RunningGateway, running

STALL_MS = 50
BEAT_S = 0.002
BODY_BYTES = 30 << 20
PROVIDER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
text = b"the quick brown fox " * (3 << 20)
body = (b'{"choices":[{"index":0,"message":{"role":"assistant","content":"' + text + b'"},'
        b'"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}')
while True:
    link, _ = listener.accept()
    got = b""
    while b"\\r\\n\\r\\n" not in got:
        got += link.recv(65536)
    head, _, rest = got.partition(b"\\r\\n\\r\\n")
    left = int(head.lower().partition(b"content-length: ")[2].split(b"\\r\\n")[0]) - len(rest)
    while left:
        left -= len(link.recv(min(left, 1 << 20)))
    link.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\n"
                 b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    link.close()
"""
CLIENT = """
import socket, sys
port, key, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
body = open(path, "rb").read()
print("ready", flush=True)
sys.stdin.readline()
link = socket.create_connection(("127.0.0.1", port))
link.sendall(b"POST /v1/chat/completions HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n"
             b"Content-Type: application/json\\r\\nAuthorization: Bearer %b\\r\\n"
             b"Content-Length: %d\\r\\n\\r\\n" % (key.encode(), len(body)) + body)
first, size = b"", 0
while data := link.recv(1 << 20):
    first, size = first or data[:12], size + len(data)
print(first.decode(), size)
"""


def prompt(content: bytes) -> bytes:
    return b'{"model":"m","messages":[{"role":"user","content":"' + content + b'"}]}'


def message(count: int) -> bytes:
    one = b'{"role":"user","content":"hi there"}'
    return b'{"model":"m","messages":[' + b",".join([one] * count) + b"]}"


def bodies() -> dict[str, tuple[bytes, int]]:
    """Body and the status that answers it."""
    million = b",".join(b'"key%d":1' % number for number in range(2_000_000))
    nested = b"[" * 60 + b"]" * 60
    return {
        "long prompt": (prompt(b"some words of text " * (BODY_BYTES // 19)), 200),
        "one letter": (prompt(b"a" * BODY_BYTES), 200),
        "escapes": (prompt(b"\\u4e2d" * (BODY_BYTES // 6)), 200),
        "too deep": (b'{"model":"m","x":' + b"[" * BODY_BYTES, 400),
        "deep often": (
            b'{"messages":[],"x":[' + b",".join([nested] * (BODY_BYTES // 121)) + b'],"model":"m"}',
            200,
        ),
        "million keys": (b'{"messages":[],' + million + b',"model":"m"}', 200),
        "small messages": (message(BODY_BYTES // 37), 200),
        "a field of millions": (
            b'{"model":"m","messages":[],"stream":true,"stream_options":{' + million + b"}}",
            400,
        ),
    }


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """The stalls, in ms, of the loop while this is open."""
    stalls: list[float] = []

    async def beat() -> None:
        wall_s, cpu_s = time.monotonic(), time.thread_time()
        while True:
            await asyncio.sleep(BEAT_S)
            now_s, used_s = time.monotonic(), time.thread_time()
            stalls.append(min(now_s - wall_s - BEAT_S, used_s - cpu_s) * 1000)
            wall_s, cpu_s = now_s, used_s

    beating = asyncio.ensure_future(beat())
    try:
        yield stalls
    finally:
        beating.cancel()


async def assert_no_stall(program: str, *args: str) -> list[bytes]:
    """What the client `program` prints, in words, while it keeps the loop from nothing."""
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *args),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert client.stdout is not None
    assert await client.stdout.readline() == b"ready\n"
    async with watched() as stalls:
        stdout, _ = await asyncio.wait_for(client.communicate(b"go\n"), 90)
    assert max(stalls) < STALL_MS, sorted(stalls)[-5:]
    return stdout.split()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    load("o200k_base")  # as a served gateway has done before it listens
    provider = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROVIDER, stdout=asyncio.subprocess.PIPE
    )
    assert provider.stdout is not None
    port = int(await provider.stdout.readline())
    catalog = CATALOG.format(port=port, disconnect="abort").replace("100000", "100000000", 1)
    try:
        async with running(tmp_path / "data", catalog=catalog, credit_usd="1000") as one:
            gc.collect()
            gc.freeze()  # as served; to collect the tests' whole heap takes 0.1 s
            yield one
    finally:
        provider.kill()
        await provider.wait()


@pytest.mark.parametrize("name", bodies())
async def test_no_body_and_no_answer_stalls_the_loop(
    gateway: RunningGateway, tmp_path: Path, name: str
) -> None:
    body, status = bodies()[name]
    path = tmp_path / "body"
    await asyncio.to_thread(path.write_bytes, body)
    words = await assert_no_stall(CLIENT, str(gateway.port), gateway.key, str(path))
    assert int(words[1]) == status, words
    if status == 200:
        assert int(words[2]) > 60 << 20
