"""Models, prices and keys change while the server runs; requests in flight keep their price."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.process import Process, serving, tallygate
from tests.fakes.upstream import (
    DONE,
    FakeUpstream,
    answering,
    chunk,
    completion,
    streaming,
    usage_event,
)

PROVIDER = """
[[providers]]
name = "up"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "sk-upstream-secret"
allow_private_address = true
"""
MODEL = """
[[models]]
name = "{name}"
context_tokens = 100000
max_output_tokens = 1000
[[models.targets]]
provider = "up"
model = "{target}"
[models.price]
input = "{price}"
output = "{price}"
"""


class Shop:
    """A served gateway, its provider, and the catalog file that is edited between requests."""

    def __init__(self, process: Process, upstream: FakeUpstream, file: Path) -> None:
        self.process = process
        self.upstream = upstream
        self.file = file

    def write(self, **models: tuple[str, str]) -> Path:
        blocks = [PROVIDER.format(port=self.upstream.port)]
        for name, (target, price) in models.items():
            blocks.append(MODEL.format(name=name, target=target, price=price))
        self.file.write_text("".join(blocks))
        return self.file

    async def apply(self, *flags: str, **models: tuple[str, str]) -> Any:
        file = self.write(**models)
        return await asyncio.to_thread(self.process.run, "catalog", "apply", str(file), *flags)

    async def ask(self, model: str, key: str = "", **more: Any) -> tuple[int, bytes]:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                self.process.url + "/v1/chat/completions",
                json=body,
                headers={"Authorization": f"Bearer {key or self.process.key}"},
            ) as response,
        ):
            return response.status, await response.read()

    async def models(self) -> set[str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                self.process.url + "/v1/models",
                headers={"Authorization": f"Bearer {self.process.key}"},
            ) as response,
        ):
            return {model["id"] for model in (await response.json())["data"]}

    async def rows(self) -> list[dict[str, Any]]:
        return list(await asyncio.to_thread(self.process.run, "requests", "list"))


@contextlib.asynccontextmanager
async def open_shop(tmp_path: Path, **models: tuple[str, str]) -> Any:
    """Serve with `--catalog FILE` from the first start on."""
    upstream = await FakeUpstream(answering(completion("hello", 1000, 1000))).start()
    process = Process(tmp_path / "data")
    shop = Shop(process, upstream, tmp_path / "catalog.toml")
    process.words += ["--catalog", str(shop.write(**models))]
    await asyncio.to_thread(process.start)
    try:
        yield shop
    finally:
        if not process.ended():
            await asyncio.to_thread(process.terminate)
        await upstream.stop()


async def test_models_and_prices_change_without_a_restart(tmp_path: Path) -> None:
    async with open_shop(tmp_path, first=("a", "1")) as shop:
        assert (await shop.ask("first"))[0] == 200
        assert (await shop.ask("second"))[0] == 404
        changes = await shop.apply(first=("a", "3"), second=("b", "5"))
        assert changes
        assert {"first", "second"} <= await shop.models()
        assert (await shop.ask("first"))[0] == 200
        assert (await shop.ask("second"))[0] == 200
        assert [request.json["model"] for request in shop.upstream.requests] == ["a", "a", "b"]
        await shop.apply(first=("c", "3"), second=("b", "5"))
        assert (await shop.ask("first"))[0] == 200
        assert shop.upstream.requests[-1].json["model"] == "c"
        await shop.apply("--prune", first=("c", "3"))
        assert (await shop.ask("second"))[0] == 404
        assert "second" not in await shop.models()
        billed = [row for row in await shop.rows() if row["status"] == 200]
        assert [row["cost_microusd"] for row in billed] == [6000, 10_000, 6000, 2000]
        versions = [row["price_version"] for row in reversed(billed)]
        assert versions[0] != versions[1] == versions[3]
    assert '"request"' not in (tmp_path / "stderr.log").read_text()  # log.requests is off


async def test_a_broken_catalog_changes_nothing(tmp_path: Path) -> None:
    async with open_shop(tmp_path, first=("a", "1")) as shop:
        shop.file.write_text(PROVIDER.format(port=1) + MODEL.replace("{price}", "cheap"))
        with pytest.raises(AssertionError, match="catalog"):
            await asyncio.to_thread(shop.process.run, "catalog", "apply", str(shop.file))
        assert (await shop.ask("first"))[0] == 200  # still at the old address


async def test_a_request_in_flight_keeps_its_price(tmp_path: Path) -> None:
    async with open_shop(tmp_path, first=("a", "1")) as shop:
        words = [chunk("word ")] * 40
        shop.upstream.handler = streaming(*words, usage_event(1000, 1000), DONE, pause_s=0.05)
        running = asyncio.create_task(shop.ask("first", stream=True))
        async with asyncio.timeout(10):
            while not shop.upstream.requests:
                await asyncio.sleep(0.01)
        await shop.apply("--prune", other=("a", "7"))
        assert (await shop.ask("first"))[0] == 404
        await shop.apply(first=("a", "7"))
        assert not running.done()
        assert (await shop.ask("first", stream=True))[0] == 200
        status, body = await running
        assert status == 200 and body.endswith(DONE)
        costs = {row["cost_microusd"] for row in await shop.rows() if row["status"] == 200}
        assert costs == {2000, 14_000}
        report = await asyncio.to_thread(shop.process.run, "ledger", "verify")
        assert report["findings"] == []


def test_a_key_revoked_by_command_is_refused_at_the_next_request(tmp_path: Path) -> None:
    async def play(process: Process, key: str) -> None:
        shop = Shop(process, FakeUpstream(), tmp_path / "unused")
        long = asyncio.create_task(shop.ask("sandbox/lorem:tokens=60,tps=40", key, stream=True))
        assert (await shop.ask("sandbox/lorem:tokens=3", key))[0] == 200
        listed = await asyncio.to_thread(process.run, "keys", "list")
        [mine] = [row for row in listed if key.startswith(row["prefix"].rstrip("…."))]
        await asyncio.to_thread(process.run, "keys", "revoke", mine["id"])
        status, body = await shop.ask("sandbox/lorem:tokens=3", key)
        assert (status, json.loads(body)["error"]["code"]) == (401, "invalid_api_key")
        assert (await shop.ask("sandbox/lorem:tokens=3"))[0] == 200  # other keys go on
        assert (await long)[1].endswith(DONE)  # what was admitted may finish

    with serving(tmp_path / "data") as process:
        key = process.fund("1")
        asyncio.run(play(process, key))
        process.terminate()
        process.start()  # a restart does not bring it back
        assert (
            asyncio.run(Shop(process, FakeUpstream(), tmp_path).ask("sandbox/echo", key))[0] == 401
        )
    assert tallygate(process.data_dir, "ledger", "verify")["findings"] == []
