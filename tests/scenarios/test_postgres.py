"""The gateway over a PostgreSQL database: streamed, charged, killed, started again."""

import asyncio
from pathlib import Path

import aiohttp

from tests.fakes.postgres import Server
from tests.fakes.process import EMAIL, Process, all_requests, serving

BODY = {
    "model": "sandbox/lorem:tokens=20,tps=0",
    "stream": True,
    "messages": [{"role": "user", "content": "hi"}],
}


async def streamed(process: Process, key: str, count: int) -> None:
    async def one(session: aiohttp.ClientSession) -> None:
        async with session.post(
            process.url + "/v1/chat/completions",
            json=BODY,
            headers={"Authorization": f"Bearer {key}"},
        ) as response:
            assert (await response.read()).endswith(b"data: [DONE]\n\n")

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(one(session) for _ in range(count)))


def test_a_killed_gateway_finds_every_charge_again(tmp_path: Path, postgres: Server) -> None:
    environ = {"TALLYGATE_STORE_URL": postgres.empty()}
    with serving(tmp_path / "data", **environ) as process:
        assert process.key
        key = process.fund("5")
        asyncio.run(streamed(process, key, 20))
        process.kill()
        process.start()
        rows = process.run("requests", "list", "--limit", "100")
        assert len(rows) == 20 and all(row["cost_microusd"] > 0 for row in rows)
        spent = sum(row["cost_microusd"] for row in rows)
        balance = process.run("credits", "balance", EMAIL)["balance_microusd"]
        assert balance == 5_000_000 - spent
        asyncio.run(streamed(process, key, 5))
        assert process.run("ledger", "verify")["findings"] == []
        assert len(all_requests(process.data_dir)) == 25
    assert not (tmp_path / "data" / "tallygate.db").exists()
