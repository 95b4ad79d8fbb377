"""A whole gateway in the test's own event loop, in front of a provider under its control."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway.app import Gateway
from gateway.base.config import load
from gateway.platform.assembly import open_platform
from gateway.web.admin.commands import run_command
from tests.fakes.folder import new_folder
from tests.fakes.upstream import FakeUpstream

EMAIL = "someone@example.com"
CATALOG = """
[[providers]]
name = "up"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "sk-upstream-secret"
allow_private_address = true
disconnect = "{disconnect}"
[[models]]
name = "m"
context_tokens = 100000
max_output_tokens = 10000
encoding = "o200k_base"
[[models.targets]]
provider = "up"
model = "up-model"
[models.price]
input = "1"
cache_read = "0.5"
output = "2"
"""


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


@dataclass
class RunningGateway:
    gateway: Gateway
    session: aiohttp.ClientSession
    key: str
    data_dir: Path

    @property
    def port(self) -> int:
        return self.gateway.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def plane(self) -> Any:
        return self.gateway.plane

    async def command(self, name: str, /, **params: Any) -> Any:
        return await run_command(self.gateway.platform, name, params)

    async def post(
        self, payload: Any, path: str = "/v1/chat/completions", **headers: str
    ) -> Answer:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        base = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        async with self.session.post(
            self.url + path, data=io.BytesIO(body), headers={**base, **headers}
        ) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def rows(self, limit: int = 100) -> list[dict[str, Any]]:
        """The request log, newest first, once everything queued is durable."""
        await self.settled()
        listed = await self.command("requests.list", limit=limit)
        return list(listed)

    async def settled(self) -> None:
        async with asyncio.timeout(10):
            while self.plane.active or self.plane.settlements.pending:
                await asyncio.sleep(0.005)

    async def balance_microusd(self, email: str = EMAIL) -> int:
        await self.settled()
        return int((await self.command("credits.balance", email=email))["balance_microusd"])

    async def assert_nothing_leaked(self) -> None:
        """No running exchange, no attempt, no hold; the ledger verifies."""
        await self.settled()
        async with asyncio.timeout(10):
            while self.plane.attempts:
                await asyncio.sleep(0.05)
        assert all(wallet.held_microusd == 0 for wallet in self.plane.bank.wallets.values())
        report = await self.command("ledger.verify")
        assert not report["findings"], report["findings"]


def chat(content: str = "hi", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content}], **more}


@contextlib.asynccontextmanager
async def running(
    data_dir: Path,
    upstream: FakeUpstream | None = None,
    *,
    credit_usd: str = "10",
    disconnect: str = "abort",
    catalog: str | None = None,
    **settings: Any,
) -> AsyncIterator[RunningGateway]:
    """A gateway with a funded account and a key; settings as `upstream_idle_timeout_s=1`."""
    flags = {name.replace("_", ".", 1): value for name, value in settings.items()}
    if "store.url" not in flags:
        new_folder(data_dir)
    platform = await open_platform(load(environ={}, flags=flags), data_dir)
    if catalog is None and upstream is not None:
        catalog = CATALOG.format(port=upstream.port, disconnect=disconnect)
    if catalog is not None:
        await run_command(platform, "catalog.apply", {"toml": catalog})
    with contextlib.suppress(Exception):
        await run_command(platform, "accounts.create", {"email": EMAIL})
    if credit_usd != "0":
        await run_command(
            platform, "credits.grant", {"email": EMAIL, "usd": credit_usd, "reason": "test"}
        )
    key = (await run_command(platform, "keys.create", {"email": EMAIL, "name": "test"}))["key"]
    gateway = Gateway(platform)
    await gateway.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        try:
            yield RunningGateway(gateway, session, key, data_dir)
        finally:
            await gateway.stop(2)
