"""One balance and many clients; kill -9 under load: nothing negative, lost or doubled."""

import asyncio
import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.cli.client import call
from tests.fakes.process import EMAIL, Process, all_requests, serving, tallygate

BODY = {"model": "sandbox/lorem:tokens=10,tps=0", "messages": [{"role": "user", "content": "hi"}]}


async def ask(session: aiohttp.ClientSession, process: Process, key: str, **more: Any) -> str:
    """One request, again while the credit is only in use; the error's code, or `ok`."""
    while True:
        async with session.post(
            process.url + "/v1/chat/completions",
            json={**BODY, "max_tokens": 10, **more},
            headers={"Authorization": f"Bearer {key}"},
        ) as response:
            body = await response.json()
            if response.status == 200:
                return "ok"
            code = str(body["error"]["code"])
            if code != "credit_in_use":
                return code
            assert response.headers["Retry-After"]
        await asyncio.sleep(0.02)


TRIALS = int(os.environ.get("SPEND_TRIALS", "3"))  # `make race`: hundreds
WHERE = [("sqlite", "full"), ("sqlite", "relaxed"), ("postgres", "full")]


@pytest.mark.parametrize(("store", "durability"), WHERE)
def test_two_hundred_clients_spend_a_balance_for_a_hundred(
    tmp_path: Path, store: str, durability: str, request: pytest.FixtureRequest
) -> None:
    seed = random.Random(17)

    async def clients(process: Process, key: str) -> Counter[str]:
        async def one(session: aiohttp.ClientSession, after_s: float) -> str:
            await asyncio.sleep(after_s)
            return await ask(session, process, key)

        spread_s = seed.choice([0, 0.01, 0.1])
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            asked = [one(session, seed.random() * spread_s) for _ in range(200)]
            return Counter(await asyncio.gather(*asked))

    environ = {"TALLYGATE_LEDGER_DURABILITY": durability}
    if store == "postgres":
        environ["TALLYGATE_STORE_URL"] = request.getfixturevalue("postgres").empty()
    with serving(tmp_path / "data", **environ) as process:
        probe = process.fund("1", "probe@example.com")
        asyncio.run(clients_once(process, probe))
        [row] = process.run("requests", "list", "--limit", "1")
        cost = row["cost_picousd"]
        usd = f"{cost * 100 // 10**6 // 10**6}.{cost * 100 // 10**6 % 10**6:06d}"
        assert cost * 100 % 10**6 == 0
        key = process.fund(usd)
        for trial in range(TRIALS):
            if trial:
                call(process.data_dir, "credits.grant", email=EMAIL, usd=usd, reason="again")
            outcome = asyncio.run(clients(process, key))
            assert outcome == {"ok": 100, "insufficient_credit": 100}, trial
            balance = call(process.data_dir, "credits.balance", email=EMAIL)
            assert balance["balance_microusd"] == 0, trial
        assert process.run("ledger", "verify")["findings"] == []


async def clients_once(process: Process, key: str) -> None:
    async with aiohttp.ClientSession() as session:
        assert await ask(session, process, key) == "ok"


STREAMS = int(os.environ.get("KILL_STREAMS", "30"))


async def load(process: Process, key: str, seen: dict[str, bool], kill_after_s: float) -> None:
    """Streams until the process dies; `seen[id]` says whether the client saw that one's end."""

    async def one(session: aiohttp.ClientSession) -> None:
        while True:
            request_id = ""
            try:
                async with session.post(
                    process.url + "/v1/chat/completions",
                    json={**BODY, "model": "sandbox/lorem:tokens=20,tps=400", "stream": True},
                    headers={"Authorization": f"Bearer {key}"},
                ) as response:
                    request_id = response.headers["x-request-id"]
                    seen[request_id] = False
                    body = await response.read()
                    if body.endswith(b"data: [DONE]\n\n"):
                        seen[request_id] = True
            except (aiohttp.ClientError, ConnectionError):
                return

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        tasks = [asyncio.create_task(one(session)) for _ in range(STREAMS)]
        await asyncio.sleep(kill_after_s)
        await asyncio.to_thread(process.kill)
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_kill_9_loses_and_doubles_no_charge(
    tmp_path: Path, crash_rounds: int, store: str, request: pytest.FixtureRequest
) -> None:
    seed = random.Random(11)
    seen: dict[str, bool] = {}
    process = Process(tmp_path / "data")
    if store == "postgres":
        process.environ["TALLYGATE_STORE_URL"] = request.getfixturevalue("postgres").empty()
        crash_rounds = min(crash_rounds, max(3, crash_rounds // 4))
    process.start()
    key = process.fund("100")
    starts_s = []
    for _ in range(crash_rounds):
        asyncio.run(load(process, key, seen, seed.uniform(0.15, 0.6)))
        began = time.monotonic()
        process.start()
        starts_s.append(time.monotonic() - began)
        assert process.run("ledger", "verify")["findings"] == []
    listed = all_requests(process.data_dir)
    rows = {row["id"]: row for row in listed}
    assert len(rows) == len(listed)
    ended = [request_id for request_id, end in seen.items() if end]
    assert len(ended) > crash_rounds
    for request_id in ended:
        assert rows[request_id]["cost_microusd"] > 0, f"{request_id} was seen whole, not charged"
    spent = sum(row["cost_microusd"] for row in listed)
    balance = process.run("credits", "balance", EMAIL)["balance_microusd"]
    assert balance == 100 * 10**6 - spent >= 0
    process.terminate()
    starts_s.sort()  # the promise of 2 s is shown where somebody reads it: `make crash`
    print(
        f"\n{store}: {crash_rounds} kills, {len(seen)} streams, {len(ended)} seen whole, "
        f"serving again after {starts_s[len(starts_s) // 2]:.2f} s (most {starts_s[-1]:.2f} s)"
    )
    assert starts_s[-1] < 10
    if store == "sqlite":
        assert tallygate(process.data_dir, "ledger", "verify")["findings"] == []


def test_sigterm_lets_streams_finish_and_settles_the_rest(tmp_path: Path) -> None:
    async def stream(process: Process, key: str, model: str) -> bytes:
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                process.url + "/v1/chat/completions",
                json={**BODY, "model": model, "stream": True},
                headers={"Authorization": f"Bearer {key}"},
            ) as response,
        ):
            return await response.read()

    async def play(process: Process) -> list[bytes]:
        short = asyncio.create_task(stream(process, process.key, "sandbox/lorem:tokens=30,tps=30"))
        long = asyncio.create_task(stream(process, process.key, "sandbox/lorem:tokens=900,tps=30"))
        await asyncio.sleep(0.3)
        code = await asyncio.to_thread(process.terminate)
        assert code == 0
        return [await short, await long]

    with serving(tmp_path / "data", TALLYGATE_SERVER_SHUTDOWN_TIMEOUT_S="2") as process:
        short, long = asyncio.run(play(process))
    assert short.endswith(b"data: [DONE]\n\n")
    assert b"[DONE]" not in long
    assert json.loads(long.rsplit(b"data: ", 1)[1])["error"]["code"] == "shutting_down"
    rows = tallygate(process.data_dir, "requests", "list")
    assert {row["outcome"] for row in rows} == {"completed", "shutdown"}
    assert all(row["cost_microusd"] > 0 for row in rows)
    assert tallygate(process.data_dir, "ledger", "verify")["findings"] == []
