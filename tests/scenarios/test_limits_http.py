"""Ten thousand requests over HTTP against each limit, two hundred at once; limits after kill -9.

The client is a few lines over raw sockets, so that the gateway is what takes the time.
"""

import asyncio
import contextlib
import json
import re
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.gateway import EMAIL, RunningGateway, running
from tests.fakes.process import serving

ASKED, CONNECTIONS = 10_000, 200


def request_of(key: str, model: str) -> bytes:
    body = json.dumps(
        {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
    )
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
    )
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


class Crowd:
    """Two hundred connections that ask until so many requests were made, and what they saw."""

    def __init__(self, port: int, keys: list[str], model: str) -> None:
        self.seen: Counter[str] = Counter()
        self.heads: dict[str, bytes] = {}  # one answer's head by outcome
        self._port = port
        self._requests = [request_of(key, model) for key in keys]
        self._left = ASKED

    async def ask(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(CONNECTIONS)))
        assert self.seen.total() == ASKED

    async def _client(self, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        request = self._requests[number % len(self._requests)]
        while self._left > 0:
            self._left -= 1
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            assert length is not None
            body = await reader.readexactly(int(length[1]))
            ok = head.startswith(b"HTTP/1.1 200")
            outcome = "ok" if ok else str(json.loads(body)["error"]["code"])
            self.seen[outcome] += 1
            self.heads[outcome] = head
        writer.close()
        await writer.wait_closed()


async def keys_of(gateway: RunningGateway) -> list[str]:
    """Five keys of one account: more of them buy nothing."""
    more = [await gateway.command("keys.create", email=EMAIL, name=f"k{n}") for n in range(4)]
    return [gateway.key, *(made["key"] for made in more)]


async def one(gateway: RunningGateway, model: str) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
    await gateway.post(body)
    [row] = await gateway.rows(1)
    return row


FAST = "sandbox/lorem:tokens=8,tps=0"
REFUSALS = {
    "requests_per_minute": {"rate_limit_exceeded"},
    "tokens_per_minute": {"token_limit_exceeded"},
    "day_usd": {"budget_exceeded", "budget_in_use"},
}


@pytest.mark.parametrize("limit", REFUSALS)
async def test_ten_thousand_requests_get_what_was_granted(tmp_path: Path, limit: str) -> None:
    granted = 1_000
    async with running(tmp_path, log_level="error") as gateway:
        keys = await keys_of(gateway)
        row = await one(gateway, FAST)
        each = {
            "requests_per_minute": 1,
            "tokens_per_minute": row["input_tokens"] + row["output_tokens"],
            "day_usd": row["cost_microusd"],
        }[limit]
        value: Any = granted * each
        if limit == "day_usd":  # one was spent already, and for one there is no answer at all
            value = f"{(value + each + 1) / 10**6:.6f}"
        await gateway.command("limits.set", email=EMAIL, **{limit: value})
        crowd = Crowd(gateway.port, keys, FAST)
        started_s = time.monotonic()
        await crowd.ask()
        took_s = time.monotonic() - started_s
        assert set(crowd.seen) - {"ok"} <= REFUSALS[limit]
        most = granted if limit == "day_usd" else granted * (1 + took_s / 60)
        assert granted * 0.99 <= crowd.seen["ok"] <= most
        if limit == "requests_per_minute":
            refused = crowd.heads["rate_limit_exceeded"].lower()
            assert re.search(rb"retry-after: [1-9]", refused)
            assert b"x-ratelimit-limit-requests: 1000" in refused
            assert b"x-ratelimit-remaining-requests: 0" in refused
        await gateway.assert_nothing_leaked()


async def test_ten_thousand_requests_never_run_more_at_once_than_may(tmp_path: Path) -> None:
    """Each takes some 20 ms, so that the places are always wanted and always all taken."""
    async with running(tmp_path, log_level="error") as gateway:
        keys = await keys_of(gateway)
        await gateway.command("limits.set", email=EMAIL, concurrent_requests=50)
        counts: Counter[int] = Counter()

        async def watch() -> None:
            while True:
                counts[sum(x.grant is not None for x in gateway.plane.active)] += 1
                await asyncio.sleep(0.002)

        watching = asyncio.create_task(watch())
        crowd = Crowd(gateway.port, keys, "sandbox/lorem:tokens=8,tps=400")
        await crowd.ask()
        watching.cancel()
        assert max(counts) == 50
        assert set(crowd.seen) == {"ok", "concurrency_limit_exceeded"}
        assert crowd.seen["ok"] > 50
        await gateway.assert_nothing_leaked()
        used = (await gateway.command("limits.show", email=EMAIL))["used"]
        assert used == {"requests_running": 0}


async def test_lists_of_models_say_how_the_rates_stand_and_take_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await gateway.command("limits.set", email=EMAIL, requests_per_minute=7)
        for path, name in (("/v1/models", ""), ("/v1/models/sandbox/lorem", "2023-06-01")):
            headers = {"Authorization": f"Bearer {gateway.key}"}
            headers |= {"anthropic-version": name} if name else {}
            async with gateway.session.get(gateway.url + path, headers=headers) as answer:
                assert answer.status == 200
                assert answer.headers["x-ratelimit-limit-requests"] == "7"
                assert answer.headers["x-ratelimit-remaining-requests"] == "7"
                assert ("anthropic-ratelimit-requests-limit" in answer.headers) == bool(name)


def stored_until_us(data: Path) -> int:
    """Until when the stored state remembers the latest requests."""
    with contextlib.closing(sqlite3.connect(f"file:{data}/tallygate.db?mode=ro", uri=True)) as db:
        query = "SELECT max(reset_us) FROM limit_state WHERE kind = 'requests'"
        return db.execute(query).fetchone()[0] or 0


async def test_limits_outlive_kill_9_within_their_window(tmp_path: Path) -> None:
    """What was answered before the kill counts after it: budgets as they were charged, rates as
    they were stored last, which is every second.
    """
    with serving(tmp_path / "data") as process:
        key = process.fund("10", "other@example.com")
        body = {"model": FAST, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
        names = ("--requests-per-minute", "30", "--day-usd", "5", "--tokens-per-minute", "100000")
        process.run("limits", "set", "other@example.com", *names)

        async def ask(times: int) -> Counter[str]:
            seen: Counter[str] = Counter()
            headers = {"Authorization": f"Bearer {key}"}
            async with aiohttp.ClientSession(headers=headers) as session:
                for _ in range(times):
                    url = f"{process.url}/v1/chat/completions"
                    async with session.post(url, json=body) as answer:
                        ok = answer.status == 200
                        seen["ok" if ok else (await answer.json())["error"]["code"]] += 1
            return seen

        started_s, started_us = time.monotonic(), time.time_ns() // 1000
        assert await ask(25) == {"ok": 25}
        async with asyncio.timeout(20):  # 25 requests are forgotten two seconds each
            while stored_until_us(tmp_path / "data") < started_us + 50_000_000:
                await asyncio.sleep(0.1)
        before = process.run("limits", "show", "other@example.com")["used"]
        process.kill()
        process.start()
        after = process.run("limits", "show", "other@example.com")["used"]
        assert after["day_spent_microusd"] == before["day_spent_microusd"] > 0
        seen = await ask(40)
        came_back = (time.monotonic() - started_s) / 2 + 1  # one every two seconds
        assert seen["rate_limit_exceeded"] >= 40 - 5 - came_back
        assert 25 + seen["ok"] <= 30 + came_back
