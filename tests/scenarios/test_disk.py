"""Storage that fails under a serving process: full, or locked by somebody else for a while.

Streams in flight finish once it works again, new paid requests get 503 in bounded time, nothing
acknowledged is lost, and service resumes without a restart.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.disk import small_file_system
from tests.fakes.process import COMMAND, Process, tallygate

LOCKED_S = float(os.environ.get("LOCKED_S", "3"))  # by another process
STREAM = {"model": "sandbox/lorem:tokens=30,tps=60", "stream": True}
SHORT = {"model": "sandbox/lorem:tokens=3,tps=0", "max_tokens": 3}
END = b"data: [DONE]\n\n"


async def ask(process: Process, **body: Any) -> tuple[int, str, str, bytes]:
    """Status, request id, Retry-After and body of one request; each on a connection of its own."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            process.url + "/v1/chat/completions",
            json={"messages": [{"role": "user", "content": "hi"}], **body},
            headers={"Authorization": f"Bearer {process.key}"},
        ) as response,
    ):
        headers = response.headers
        return (
            response.status,
            headers["x-request-id"],
            headers.get("Retry-After", ""),
            await response.read(),
        )


async def refused(process: Process, streams: list[asyncio.Task[Any]]) -> None:
    """Wait until a new paid request gets 503, then see that each next one does so at once.

    A request admitted just before the fault is noticed waits for the disk like the streams do.
    """
    async with asyncio.timeout(20):
        while True:
            task = asyncio.create_task(ask(process, **SHORT))
            done, _ = await asyncio.wait({task}, timeout=2)
            if done and task.result()[0] == 503:
                break
            streams.append(task)
    for _ in range(3):
        async with asyncio.timeout(5):
            status, _, retry_after, body = await ask(process, **SHORT)
        assert status == 503 and int(retry_after) > 0
        assert json.loads(body)["error"]["code"] == "storage_unavailable"
    async with aiohttp.ClientSession() as session:
        async with session.get(process.url + "/readyz") as response:
            assert response.status == 503 and response.headers["Retry-After"]
        async with session.get(process.url + "/healthz") as response:
            assert response.status == 200


async def recovered(process: Process, admitted: list[asyncio.Task[Any]]) -> list[str]:
    """The ids of all that was admitted, once each has ended well and new work is taken."""
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*admitted)
        while (last := await ask(process, **SHORT))[0] != 200:
            assert last[0] == 503
            await asyncio.sleep(0.1)
    assert all(status == 200 for status, *_ in answers)
    assert all(body.endswith(END) or b'"usage"' in body for *_, body in answers)
    return [request_id for _, request_id, *_ in [*answers, last]]


def check_books(data_dir: Path, acknowledged: list[str], granted_microusd: int) -> None:
    rows = tallygate(data_dir, "requests", "list", "--limit", "1000")
    charged = {row["id"]: row["cost_microusd"] for row in rows}
    assert len(charged) == len(rows)
    assert all(charged[request_id] > 0 for request_id in acknowledged)
    accounts = tallygate(data_dir, "accounts", "list")
    assert sum(a["balance_microusd"] for a in accounts) == granted_microusd - sum(charged.values())
    assert tallygate(data_dir, "ledger", "verify")["findings"] == []


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    one = Process(tmp_path / "data")
    yield one
    if one._process is not None and not one.ended():
        one.terminate()


def test_a_locked_database_is_waited_for(process: Process, tmp_path: Path) -> None:
    async def play() -> list[str]:
        streams = [asyncio.create_task(ask(process, **STREAM)) for _ in range(20)]
        await asyncio.sleep(0.2)
        other = sqlite3.connect(process.data_dir / "tallygate.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        try:
            await refused(process, streams)
            await asyncio.sleep(max(0, LOCKED_S - (time.monotonic() - began)))
            assert not any(task.done() for task in streams)  # no end before its charge is stored
        finally:
            other.execute("ROLLBACK")
            other.close()
        return await recovered(process, streams)

    process.start()
    first = process.pid
    acknowledged = asyncio.run(play())
    assert process.pid == first and not process.ended()
    process.terminate()
    check_books(process.data_dir, acknowledged, 10_000_000)


@pytest.fixture
def small_disk(process: Process) -> Iterator[Path]:
    """The process's data folder as a file system of its own, of a few MiB."""
    with small_file_system(process.data_dir, 6) as folder:
        yield folder
        if process._process is not None and not process.ended():
            process.kill()


def test_a_full_disk_is_waited_for(process: Process, small_disk: Path) -> None:
    async def fill(ballast: Path) -> None:
        with ballast.open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    async def play() -> list[str]:
        ballast = small_disk / "ballast"
        streams = [asyncio.create_task(ask(process, **STREAM)) for _ in range(20)]
        await asyncio.sleep(0.2)
        await fill(ballast)
        await refused(process, streams)
        ballast.unlink()
        return await recovered(process, streams)

    process.start()
    acknowledged = asyncio.run(play())
    assert not process.ended()
    process.kill()  # what was acknowledged is on the disk
    check_books(process.data_dir, acknowledged, 10_000_000)


def test_a_folder_that_cannot_be_written_is_said_in_one_line(
    process: Process, small_disk: Path
) -> None:
    process.start()
    key = process.key
    process.terminate()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    words = [*COMMAND, "serve", "--port", "0", "--data", str(small_disk)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    [line] = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "" and str(small_disk) in line
    assert "read-only" in line.lower() and key not in line
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    process.start()
    assert asyncio.run(ask(process, **SHORT))[0] == 200
