"""Slow clients, and starts that cannot succeed: all bounded, all said."""

import asyncio
import contextlib
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.app import unsafe_server
from gateway.web import security
from gateway.web.connection import LINGER_S
from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.process import COMMAND, serving
from tests.fakes.upstream import FakeUpstream

SLOW = 200
# `SLOW_CLIENTS=1000`: so many of each kind, within the limits as they are delivered.
CLIENTS = int(os.environ.get("SLOW_CLIENTS", "0"))
ROOT = Path(__file__).parents[2]
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"


async def drip(gateway: RunningGateway, start: bytes) -> bytes:
    """A client that sends a byte now and then and never ends; what it is told at last."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(start)
    answer = asyncio.ensure_future(reader.read())
    with contextlib.suppress(ConnectionError):
        while not answer.done():
            writer.write(b"x")
            await asyncio.wait({answer}, timeout=0.1)
            for _ in range(3):  # what has come is read first: a byte to a closed door resets it
                await asyncio.sleep(0)
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        return await answer
    return b""


@pytest.mark.parametrize("start", [HEAD + b"X-Slow: ", HEAD + b"Content-Length: 900\r\n\r\n{"])
async def test_slow_requests_end_while_fresh_ones_are_served(tmp_path: Path, start: bytes) -> None:
    upstream = await FakeUpstream().start()
    async with running(
        tmp_path / "data", upstream, server_header_timeout_s=1.0, server_body_timeout_s=1.0
    ) as gateway:
        slow = [asyncio.create_task(drip(gateway, start)) for _ in range(SLOW)]
        async with asyncio.timeout(30):
            while gateway.gateway.server.connections < SLOW // 2:
                await asyncio.sleep(0.01)
            while not all(task.done() for task in slow):
                assert (await gateway.post(chat())).status == 200
                await asyncio.sleep(0.05)
        answers = [task.result() for task in slow]
        told = [answer for answer in answers if answer]  # a reset may overtake the words
        assert told and all(b" 408 " in answer.split(b"\r\n")[0] for answer in told)
        assert gateway.gateway.server.connections <= 1
        await gateway.assert_nothing_leaked()
    await upstream.stop()


async def test_a_body_slower_than_the_slowest_is_cut_at_its_deadline(tmp_path: Path) -> None:
    """What has come of it earns no more time: 900 bytes a second would last ten times as long."""
    async with running(tmp_path / "data", server_body_timeout_s=1.0) as gateway:
        gateway.gateway.server.limits = gateway.gateway.server.limits._replace(header_timeout_s=1.0)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(HEAD + b"Content-Length: 90000\r\n\r\n")
        answer, sent = asyncio.ensure_future(reader.read()), 0
        with contextlib.suppress(ConnectionError):
            while not answer.done() and sent < 90_000:
                writer.write(b" " * 90)
                sent += 90
                await asyncio.wait({answer}, timeout=0.1)
        assert answer.done() and sent < 4_000
        with contextlib.suppress(ConnectionError):  # a reset may overtake the words
            assert b" 408 " in (await answer).split(b"\r\n")[0]
        writer.transport.abort()


def slow(path: str, *lines: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: h\r\n{''.join(lines)}".encode()


API, PAGE = "/v1/chat/completions", "/sign-in"
LENGTH, CHUNKED = "Content-Length: 9000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
# What is sent at first, and then again and again; the last is sent after half of the limit.
SLOW_HEADS = {
    "nothing": (b"", b""),
    "empty lines": (b"\r\n", b"\r\n"),
    "half a line": (slow(API, "X-A: "), b"x"),
    "whole lines": (slow(API), b"X-A: b\r\n"),
    "a page's": (slow(PAGE, "X-A: "), b"x"),
    "a late second letter": (b"P", slow(API, "X-A: ")[1:]),
}
SLOW_BODIES = {
    "of a length": (slow(API, LENGTH), b"x"),
    "in chunks": (slow(API, CHUNKED), b"1\r\nx\r\n"),
    "a form": (slow(PAGE, FORM, LENGTH), b"x"),
    "a form in chunks": (slow(PAGE, FORM, CHUNKED), b"1\r\nx\r\n"),
}


class Awake:
    """How long the loop has been at work: what a busy machine keeps from it does not count."""

    STEP_S = 0.02

    def __init__(self) -> None:
        self.steps = 0

    @property
    def awake_s(self) -> float:
        return self.steps * self.STEP_S

    async def count(self) -> None:
        while True:
            await asyncio.sleep(self.STEP_S)
            self.steps += 1


async def kept_s(
    port: int, start: bytes, more: bytes, pause_s: float, awake: Awake
) -> tuple[float, float]:
    """How long a client that sends a little now and then is kept, by the clock and awake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun_s, begun_awake_s = asyncio.get_running_loop().time(), awake.awake_s
    answer = asyncio.ensure_future(reader.read())
    with contextlib.suppress(ConnectionError):
        writer.write(start)
        while not answer.done():
            if not (await asyncio.wait({answer}, timeout=pause_s))[0]:
                writer.write(more)
            await asyncio.sleep(0)
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await answer
    return asyncio.get_running_loop().time() - begun_s, awake.awake_s - begun_awake_s


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", ["heads", "bodies"])
async def test_no_slow_client_is_kept_past_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    limits = {"server_header_timeout_s": 10.0, "server_body_timeout_s": 20.0}
    if not CLIENTS:
        limits = {"server_header_timeout_s": 2.0, "server_body_timeout_s": 3.0}
        monkeypatch.setattr(security, "BODY_TIMEOUT_S", 3.0 - LINGER_S - 0.4)
    kinds = SLOW_HEADS if what == "heads" else SLOW_BODIES
    limit_s = limits["server_header_timeout_s" if what == "heads" else "server_body_timeout_s"]
    number = CLIENTS or 20
    async with running(tmp_path / "data", **limits) as gateway:
        clients: dict[str, list[asyncio.Task[tuple[float, float]]]] = {kind: [] for kind in kinds}
        awake = Awake()
        counting = asyncio.create_task(awake.count())
        for _ in range(number):
            for kind, (start, more) in kinds.items():
                pause_s = limit_s / 2 if kind == "a late second letter" else limit_s / 20
                one = asyncio.create_task(kept_s(gateway.port, start, more, pause_s, awake))
                clients[kind].append(one)
            await asyncio.sleep(1 / number)  # at every moment of a sweep's round
        kept = {kind: await asyncio.gather(*some) for kind, some in clients.items()}
        counting.cancel()
        assert all(limit_s / 2 < max(each)[0] for each in kept.values()), kept
        assert all(awake_s <= limit_s for each in kept.values() for _, awake_s in each), kept


def one_line(*words: str, **environ: str) -> str:
    """The one line with which a start is refused."""
    done = subprocess.run(
        [*COMMAND, "serve", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environ,
    )
    assert done.returncode in (1, 2) and done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("tallygate: ")
    return line


def test_starts_that_cannot_succeed_say_why_in_one_line(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as process:
        assert "in use by process" in one_line("--data", str(process.data_dir), "--port", "0")
        taken = one_line("--data", str(tmp_path / "other"), "--port", str(process.port))
        assert f"port {process.port}" in taken and "--port" in taken
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert str(folder) in one_line("--data", str(folder), "--port", "0")


def test_a_start_with_the_slower_parser_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiohttp falls back to a parser in Python without a word; requests were smuggled past it."""
    words = ("--data", str(tmp_path / "data"), "--port", "0")
    assert "aiohttp" in one_line(*words, AIOHTTP_NO_EXTENSIONS="1")
    assert not (tmp_path / "data").exists()
    assert unsafe_server() == ""
    monkeypatch.setattr("aiohttp.__version__", "3.14.3")
    assert "3.14.4" in unsafe_server()


def test_a_process_that_fails_leaves_no_memory_behind(tmp_path: Path) -> None:
    """A core dump would hold keys and prompts."""
    with serving(tmp_path / "data") as process:
        assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)


def test_without_a_compiler_make_says_what_to_install(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".ci").mkdir()
    for name in ("pyproject.toml", "setup.py", ".ci/lock.txt"):
        (tmp_path / name).touch()
    fake = tmp_path / ".venv" / "bin" / "python"
    fake.parent.mkdir(parents=True)
    fake.touch()
    done = subprocess.run(
        ["make", "-s", "run", "CC=no-such-compiler"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert done.returncode and len(said) == 1 and "C compiler" in said[0]
