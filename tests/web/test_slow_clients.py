"""Slow clients, and starts that cannot succeed: all bounded, all said."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.process import COMMAND, serving
from tests.fakes.upstream import FakeUpstream

SLOW = 200
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


def one_line(*words: str) -> str:
    """The one line with which a start is refused."""
    done = subprocess.run([*COMMAND, "serve", *words], capture_output=True, text=True, timeout=60)
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


def test_without_a_compiler_make_says_what_to_install(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "setup.py").touch()
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
