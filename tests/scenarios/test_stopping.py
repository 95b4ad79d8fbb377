"""Stops and restarts: what runs may end, what waits is served by the next process.

SIGTERM, SIGINT and SIGHUP (a terminal that is closed) all stop gracefully; under nohup SIGHUP does
nothing. With a listening socket of a supervisor a restart refuses nobody.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.process import COMMAND, Process, serving, tallygate
from tests.scenarios.test_disk import END, SHORT, ask

STREAMS = int(os.environ.get("STOP_STREAMS", "60"))
STREAM = {"model": "sandbox/lorem:tokens=100,tps=40", "stream": True}


async def until_all_run(process: Process) -> None:
    wanted = f"tallygate_active_requests {STREAMS}.0"
    async with aiohttp.ClientSession() as session, asyncio.timeout(20):
        while True:
            async with session.get(process.url + "/metrics") as response:
                if wanted in await response.text():
                    return
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def heard(number: int) -> Iterator[None]:
    """What is started inside hears a signal, also in a run whose shell has it ignored."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_streams_end_whole_and_nobody_new_is_let_in(tmp_path: Path, number: int) -> None:
    async def play(process: Process) -> list[bytes]:
        streams = [asyncio.create_task(ask(process, **STREAM)) for _ in range(STREAMS)]
        await until_all_run(process)
        os.kill(process.pid, number)
        refused = 0
        async with asyncio.timeout(20):
            while not all(stream.done() for stream in streams):
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", process.port)
                    writer.close()
                    assert not refused, "let in again"
                except ConnectionError:  # the moment of closing may also reset
                    refused += 1
                await asyncio.sleep(0.05)
        assert refused
        return [(await stream)[3] for stream in streams]

    with heard(number), serving(tmp_path / "data") as process:
        bodies = asyncio.run(play(process))
        assert process._process is not None and process._process.wait(20) == 0
        process._close()
    assert all(body.endswith(END) for body in bodies)
    rows = tallygate(process.data_dir, "requests", "list", "--limit", "1000")
    assert Counter(row["outcome"] for row in rows) == {"completed": STREAMS}
    assert tallygate(process.data_dir, "ledger", "verify")["findings"] == []


def test_under_nohup_a_closed_terminal_stops_nothing(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited
    try:
        with serving(tmp_path / "data") as process:
            os.kill(process.pid, signal.SIGHUP)
            time.sleep(0.2)
            assert asyncio.run(ask(process, **SHORT))[0] == 200
    finally:
        signal.signal(signal.SIGHUP, before)


HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Supervisor:
    """Holds the listening socket, as systemd does, and runs one gateway after another on it."""

    def __init__(self, data_dir: Path) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.socket.getsockname()[1]
        self._data_dir = data_dir

    def start(self) -> subprocess.Popen[str]:
        number = self.socket.fileno()
        words = [*COMMAND, "serve", "--data", str(self._data_dir)]
        process = subprocess.Popen(
            [sys.executable, "-c", HAND_OVER, str(number), *words],
            pass_fds=[number],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        for line in process.stdout:
            if "ready at" in line:
                assert line.rstrip().endswith(f":{self.port}")
                break
        return process


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "data")
    yield made
    made.socket.close()


REQUESTS = int(os.environ.get("RESTART_REQUESTS", "600"))


def test_a_restart_refuses_nobody(supervisor: Supervisor, tmp_path: Path) -> None:
    """New connections all the while; each is answered, by this process or the next."""
    process = supervisor.start()
    statuses: Counter[int] = Counter()

    async def one(session: aiohttp.ClientSession, gate: asyncio.Semaphore) -> None:
        async with (
            gate,
            session.get(f"http://127.0.0.1:{supervisor.port}/healthz") as response,
        ):
            statuses[response.status] += 1

    async def restart() -> None:
        nonlocal process
        for _ in range(2):
            await asyncio.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 30) == 0
            assert process.stdout is not None
            process.stdout.close()
            process = await asyncio.to_thread(supervisor.start)

    async def play() -> None:
        gate = asyncio.Semaphore(20)
        timeout = aiohttp.ClientTimeout(total=60)
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            restarting = asyncio.create_task(restart())
            while not restarting.done() or sum(statuses.values()) < REQUESTS:
                await asyncio.gather(*(one(session, gate) for _ in range(100)))
            await restarting

    try:
        asyncio.run(play())
    finally:
        process.terminate()
        assert process.wait(30) == 0
        assert process.stdout is not None
        process.stdout.close()
    assert set(statuses) == {200}, statuses
