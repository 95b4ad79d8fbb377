"""Keys that are bound to models, endpoints and addresses, at a whole gateway."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.platform.keys import parse_scope
from tests.fakes.gateway import EMAIL, RunningGateway, chat, running

LOCAL = "127.0.0.1"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", server_trusted_proxies="127.0.0.0/8") as one:
        yield one


async def bound(gateway: RunningGateway, *parts: list[str]) -> None:
    """Make the gateway's key one of these bounds."""
    platform = gateway.gateway.platform
    scope = parse_scope(*parts)
    issued = await platform.keys.issue(platform.accounts.named(EMAIL), "bound", scope=scope)
    gateway.key = issued.text


def echo(model: str = "sandbox/echo") -> dict[str, object]:
    return chat(model=model) | {"model": model}


async def test_a_key_serves_its_models_only(gateway: RunningGateway) -> None:
    await bound(gateway, ["sandbox/echo"])
    assert (await gateway.post(echo())).status == 200
    assert (await gateway.post(echo("sandbox/echo:tps=1000"))).status == 200
    refused = await gateway.post(echo("sandbox/lorem"))
    assert (refused.status, refused.code) == (403, "key_not_allowed")
    assert (await gateway.post(echo("no-such-model"))).code == "model_not_found"
    fallbacks = {"X-Tallygate-Fallbacks": "sandbox/lorem"}
    assert (await gateway.post(echo(), **fallbacks)).code == "key_not_allowed"
    rows = await gateway.rows()
    assert [row["status"] for row in rows].count(403) == 2
    await gateway.assert_nothing_leaked()


async def test_a_cached_answer_is_no_way_around(gateway: RunningGateway) -> None:
    cached = {"X-Tallygate-Cache": "ttl=60"}
    assert (await gateway.post(echo(), **cached)).status == 200
    assert (await gateway.post(echo(), **cached)).headers["x-tallygate-cache"] == "hit"
    await bound(gateway, ["sandbox/lorem"])
    assert (await gateway.post(echo(), **cached)).code == "key_not_allowed"


async def test_a_key_serves_its_endpoints_only(gateway: RunningGateway) -> None:
    await bound(gateway, [], ["messages"])
    assert (await gateway.post(echo())).code == "key_not_allowed"
    message = {**echo(), "max_tokens": 5}
    assert (await gateway.post(message, "/v1/messages")).status == 200


async def test_a_key_is_used_from_its_addresses_only(gateway: RunningGateway) -> None:
    await bound(gateway, [], [], [LOCAL])
    assert (await gateway.post(echo())).status == 200
    # What a proxy says of the client counts, and what stands left of that is the client's word.
    foreign = {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}
    assert (await gateway.post(echo(), **foreign)).code == "key_not_allowed"
    await bound(gateway, [], [], ["203.0.113.0/24"])
    assert (await gateway.post(echo())).code == "key_not_allowed"
    assert (await gateway.post(echo(), **foreign)).status == 200
    assert (await gateway.post(echo(), **{"X-Forwarded-For": "nonsense"})).status == 403


async def test_a_realtime_session_is_bound_alike(gateway: RunningGateway) -> None:
    await bound(gateway, ["sandbox/echo"])
    url = f"{gateway.url}/v1/realtime?model=sandbox/lorem"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await gateway.session.ws_connect(url, headers={"Authorization": f"Bearer {gateway.key}"})
    assert refused.value.status == 403
