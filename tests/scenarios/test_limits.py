"""Ten thousand requests at once against every limit: never more than granted, never fewer."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.proxy.dialects.endpoints import CHAT
from gateway.proxy.exchange import Exchange
from gateway.proxy.pipeline import serve
from tests.fakes.gateway import EMAIL, RunningGateway, running

ASKED = 10_000
MODEL = "sandbox/lorem:tokens=8,tps=0"
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}


class Caller:
    """A client without a socket: keeps the status and the body of its answer."""

    def __init__(self) -> None:
        self.closed = False
        self.task: asyncio.Task[None] | None = None
        self.status = 0
        self.body = b""

    def respond(self, status: int, headers: bytes, body: bytes | list[bytes]) -> None:
        self.status, self.body = status, body if isinstance(body, bytes) else b"".join(body)

    def start(self, status: int, headers: bytes) -> None:
        self.status = status

    def send(self, data: bytes) -> None:
        self.body += data

    def end(self, tail: bytes) -> None:
        self.body += tail

    def abort(self) -> None:
        self.closed = True

    @property
    def outcome(self) -> str:
        return "ok" if self.status == 200 else str(json.loads(self.body)["error"]["code"])


async def ask_at_once(gateway: RunningGateway, keys: list[str], number: int) -> Counter[str]:
    callers = [Caller() for _ in range(number)]
    body = json.dumps(BODY).encode()
    for index, caller in enumerate(callers):
        bearer = f"Bearer {keys[index % len(keys)]}"
        x = Exchange(gateway.plane, caller, CHAT, body, bearer, {})
        caller.task = asyncio.create_task(serve(x))
    await asyncio.gather(*(caller.task for caller in callers if caller.task is not None))
    await gateway.settled()
    return Counter(caller.outcome for caller in callers)


async def several_keys(gateway: RunningGateway) -> list[str]:
    more = [await gateway.command("keys.create", email=EMAIL, name=f"k{n}") for n in range(4)]
    return [gateway.key, *(made["key"] for made in more)]


async def cost_of_one(gateway: RunningGateway) -> tuple[int, int]:
    """(micro-dollars, tokens) of the body above; its cost has no part below a micro-dollar."""
    await gateway.post(BODY)
    [row] = await gateway.rows(1)
    assert row["cost_picousd"] % 10**6 == 0
    return row["cost_microusd"], row["input_tokens"] + row["output_tokens"]


@pytest.mark.parametrize("limit", ["requests_per_minute", "tokens_per_minute"])
async def test_rates_grant_their_minute_and_what_comes_back(tmp_path: Path, limit: str) -> None:
    async with running(tmp_path) as gateway:
        keys = await several_keys(gateway)
        _, tokens = await cost_of_one(gateway)
        each = 1 if limit == "requests_per_minute" else tokens
        await gateway.command("limits.set", email=EMAIL, **{limit: 1_000 * each})
        clock = gateway.plane.clock
        started_s = clock.monotonic_s()
        outcomes = await ask_at_once(gateway, keys, ASKED)
        took_s = clock.monotonic_s() - started_s
        refusal = "rate_limit_exceeded" if each == 1 else "token_limit_exceeded"
        assert set(outcomes) == {"ok", refusal}
        assert 1_000 <= outcomes["ok"] <= 1_000 * (1 + took_s / 60)
        await gateway.assert_nothing_leaked()
        shown = await gateway.command("limits.show", email=EMAIL)
        assert shown["used"].get("tokens_reserved", 0) == 0


async def test_a_budget_grants_what_it_holds_to_the_last_micro_dollar(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        keys = await several_keys(gateway)
        cost, _ = await cost_of_one(gateway)
        budget = cost * 301 + 1  # one was spent already; for 1 there is no answer at all
        await gateway.command("limits.set", email=EMAIL, week_usd=f"{budget / 10**6:.6f}")
        outcomes = await ask_at_once(gateway, keys, ASKED)
        assert outcomes["ok"] == 300
        assert set(outcomes) <= {"ok", "budget_exceeded", "budget_in_use"}
        again = await ask_at_once(gateway, keys, 100)
        assert again == {"budget_exceeded": 100}
        await gateway.assert_nothing_leaked()
        used = (await gateway.command("limits.show", email=EMAIL))["used"]
        assert used["week_spent_microusd"] == cost * 301
        assert used["week_held_microusd"] == 0


async def test_never_more_run_at_once_than_allowed(tmp_path: Path) -> None:
    async with running(tmp_path, log_level="error") as gateway:
        keys = await several_keys(gateway)
        await gateway.command("limits.set", email=EMAIL, concurrent_requests=50)
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, sum(x.grant is not None for x in gateway.plane.active))
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        outcomes = await ask_at_once(gateway, keys, ASKED)
        watching.cancel()
        assert most <= 50
        assert outcomes["ok"] >= 50
        assert set(outcomes) == {"ok", "concurrency_limit_exceeded"}
        used = (await gateway.command("limits.show", email=EMAIL))["used"]
        assert used == {"requests_running": 0}
        assert await ask_at_once(gateway, keys, 50) == {"ok": 50}


async def test_limits_outlive_a_restart(tmp_path: Path) -> None:
    async def spent(gateway: RunningGateway) -> Any:
        return (await gateway.command("limits.show", email=EMAIL))["used"]

    async with running(tmp_path) as gateway:
        await gateway.command(
            "limits.set", email=EMAIL, requests_per_minute=100, tokens_per_minute=1_000, day_usd="5"
        )
        for _ in range(20):
            await gateway.post(BODY)
        await gateway.settled()
        before = await spent(gateway)
    async with running(tmp_path, credit_usd="0") as gateway:
        after = await spent(gateway)
        assert before["day_spent_microusd"] == after["day_spent_microusd"] > 0
        assert 79 <= before["requests_remaining"] <= after["requests_remaining"] < 100
        assert before["tokens_remaining"] <= after["tokens_remaining"] < 1_000
