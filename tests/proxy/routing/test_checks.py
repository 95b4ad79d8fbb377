"""Active health checks: a dead provider is known before a request meets it; so is its return."""

import asyncio
from pathlib import Path

from tests.fakes import routes
from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import answering, completion


async def state(gateway: RunningGateway) -> str:
    rows = await gateway.command("providers.health")
    return next(row["state"] for row in rows if row["provider"] == "up0")


async def test_checks_open_a_breaker_and_let_a_request_close_it(tmp_path: Path) -> None:
    async with routes.fakes(1) as [fake]:
        lines = routes.KEY + "\nhealth_interval_s = 1"
        catalog = routes.providers([fake], lines) + routes.model([0])
        async with running(
            tmp_path / "data",
            catalog=catalog,
            upstream_breaker_failures=1,
            upstream_breaker_open_s=600,
        ) as gateway:
            fake.handler = answering({}, 503)
            async with asyncio.timeout(5):
                while await state(gateway) != "open":
                    await asyncio.sleep(0.02)
            assert all(b"GET /v1/models" in request.head for request in fake.requests)
            assert all(b"secret" not in request.head for request in fake.requests)
            fake.handler = answering({}, 401)  # it is there, and wants a key
            seen = len(fake.requests)
            async with asyncio.timeout(5):
                while len(fake.requests) <= seen:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)
            fake.handler = answering(completion())
            assert (await gateway.post(chat())).status == 200
            assert await state(gateway) == "closed"
            await gateway.assert_nothing_leaked()
