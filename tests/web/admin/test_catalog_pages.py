"""Providers, models and prices in the console: added, edited, tested, scheduled, compared."""

import html
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream, answering, raw
from tests.web.admin.test_pages import staff
from tests.web.test_security_settings import Browser

SECRET = "sk-upstream-secret"


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", upstream) as one:
        yield one


@pytest.fixture
async def operator(gateway: RunningGateway) -> Browser:
    return await staff(gateway, "operator")


def day(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


def input_price(gateway: RunningGateway, name: str = "m") -> int:
    price = gateway.gateway.platform.catalog.snapshot.models[name].price
    assert price is not None
    return price.input


async def test_a_provider_a_model_and_a_price_are_added_and_used(
    gateway: RunningGateway, operator: Browser, upstream: FakeUpstream
) -> None:
    url = f"http://127.0.0.1:{upstream.port}/v1"
    form = {
        "name": "mine",
        "kind": "openai",
        "base_url": url,
        "api_key": "sk-own",
        "private": "yes",
    }
    assert await operator.post("/admin/providers", **form) == (303, "/admin/providers/mine")
    assert (await operator.post("/admin/providers", **form))[0] == 422  # there already
    model = {"name": "team/new", "provider": "mine", "target": "real-name"}
    model |= {"context_tokens": "8000", "max_output_tokens": "1000"}
    assert await operator.post("/admin/models", **model) == (303, "/admin/models/team%2Fnew")
    assert (await gateway.post(chat() | {"model": "team/new"})).code == "model_not_priced"
    price = {"input": "1.5", "output": "3"}
    assert (await operator.post("/admin/models/team%2Fnew/price", **price))[0] == 303
    answer = await gateway.post(chat() | {"model": "team/new"})
    assert answer.status == 200 and upstream.requests[-1].json["model"] == "real-name"
    assert upstream.requests[-1].headers["authorization"] == "Bearer sk-own"
    assert (await gateway.rows())[0]["cost_microusd"] == (7 * 15 + 3 * 30) // 10


async def test_a_preset_is_added_with_its_models(
    gateway: RunningGateway, operator: Browser
) -> None:
    _, text = await operator.get("/admin/providers")
    presets = re.findall(r'<option value="([\w-]+)">', text)
    assert "groq" in presets
    status, where = await operator.post("/admin/providers", preset="groq", api_key="gsk-abc")
    assert (status, where) == (303, "/admin/providers/groq")
    snapshot = gateway.gateway.platform.catalog.snapshot
    assert snapshot.providers["groq"].api_key == "gsk-abc"
    assert any(each.targets[0].provider.name == "groq" for each in snapshot.models.values())
    assert (await operator.post("/admin/providers", preset="nobody"))[0] == 422


async def test_a_key_is_never_shown_and_never_moves_to_another_address(
    gateway: RunningGateway, operator: Browser, upstream: FakeUpstream
) -> None:
    for path in ("/admin/providers", "/admin/providers/up", "/admin/models/m", "/admin/prices"):
        status, text = await operator.get(path)
        assert status == 200 and SECRET not in text and SECRET[3:11] not in text
    form = {"base_url": f"http://127.0.0.1:{upstream.port}/v1", "disconnect": "drain"}
    form |= {"private": "yes", "health_interval_s": "60"}
    assert (await operator.post("/admin/providers/up", **form))[0] == 303
    provider = gateway.gateway.platform.catalog.snapshot.providers["up"]
    assert (provider.api_key, provider.disconnect) == (SECRET, "drain")
    assert provider.health_interval_s == 60
    for elsewhere in ("http://127.0.0.1:1/v1", f"https://127.0.0.1:{upstream.port}/v1"):
        status, text = await operator.post("/admin/providers/up", **form | {"base_url": elsewhere})
        assert status == 422 and "Enter the key again" in text
    wrong: dict[str, str]
    for wrong in (
        {"base_url": "ftp://x"},
        {"disconnect": "never"},
        {"health_interval_s": "-1"},
        {"api_key": "two words"},
    ):
        assert (await operator.post("/admin/providers/up", **form | wrong))[0] == 422, wrong
    assert gateway.gateway.platform.catalog.snapshot.providers["up"] == provider
    moved = form | {"base_url": "http://127.0.0.1:1/v1", "api_key": "sk-another"}
    assert (await operator.post("/admin/providers/up", **moved))[0] == 303
    assert gateway.gateway.platform.catalog.snapshot.providers["up"].api_key == "sk-another"


async def test_the_test_button_sends_one_real_request_that_nobody_pays(
    gateway: RunningGateway, operator: Browser, upstream: FakeUpstream
) -> None:
    status, text = await operator.post("/admin/providers/up/test")
    assert status == 200 and "It works." in text
    [asked] = upstream.requests
    assert asked.json["model"] == "up-model" and asked.json["messages"]
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert 16 in (asked.json.get("max_tokens"), asked.json.get("max_completion_tokens"))
    for handler, code in (
        (answering({"error": {"message": f"bad key {SECRET}"}}, 401), "upstream_credentials"),
        (answering({}, 503), "upstream_failed"),
        (raw(b"nonsense\r\n\r\n"), "upstream_"),
        (raw(), "upstream_unreachable"),
    ):
        upstream.handler = handler
        _, text = await operator.post("/admin/providers/up/test")
        assert "The test failed" in text and code in text and SECRET not in text
    sandbox = await operator.post("/admin/providers/sandbox/test")
    assert "It works." in sandbox[1] or sandbox[0] == 404
    assert await gateway.balance_microusd() == 10_000_000 and await gateway.rows() == []
    [row] = [each for each in gateway.plane.router.report() if each["provider"] == "up"]
    assert (row["requests"], row["failures"], row["state"]) == (0, 0, "closed")


async def test_a_price_that_rises_is_announced_a_week_ahead(
    gateway: RunningGateway, operator: Browser
) -> None:
    path = "/admin/models/m/price"
    now = {"input": "1", "cache_read": "0.5", "output": "2"}
    for raised in (
        {"input": "1.000001"},
        {"cache_read": "0.6"},
        {"reasoning": "3"},
        {"request": "1"},
    ):
        for begins in ("", day(0), day(6), day(-3)):
            status, text = await operator.post(path, **now | raised | {"begins": begins})
            assert status == 422 and "announced 7 days ahead" in text, (raised, begins)
    assert (await operator.post(path, **now | {"input": "2", "begins": day(9)}))[0] == 303
    assert input_price(gateway) == 1_000_000
    _, text = await operator.get("/admin/models/m")
    assert "Scheduled" in text and "input 2" in text
    lower = now | {"input": "0.5", "begins": ""}  # a fall begins at once, and replaces the plan
    assert (await operator.post(path, **lower))[0] == 303
    assert input_price(gateway) == 500_000
    assert "Scheduled" not in (await operator.get("/admin/models/m"))[1]
    for wrong in ({"begins": "tomorrow"}, {"begins": day(400)}, {"input": "x"}, {"input": ""}):
        assert (await operator.post(path, **lower | wrong))[0] == 422, wrong


async def test_a_scheduled_price_begins_or_is_taken_back(
    gateway: RunningGateway, operator: Browser
) -> None:
    path = "/admin/models/m/price"
    platform = gateway.gateway.platform
    raised = {"input": "3", "output": "4", "begins": day(9)}
    assert (await operator.post(path, **raised))[0] == 303
    status, text = await operator.get(f"{path}/keep")
    assert status == 200 and "The present price stays" in text
    assert (await operator.post(f"{path}/keep", confirm="yes"))[0] == 303
    assert (await operator.post(f"{path}/keep", confirm="yes"))[0] == 422
    assert (await operator.post(path, **raised | {"begins": day(10)}))[0] == 303
    versions = await platform.catalog.price_versions("m")
    at_us = versions[0].effective_us
    clock, platform.catalog._clock = (
        platform.catalog._clock,
        type(  # type: ignore[attr-defined]
            "Later",
            (),
            {"now_us": staticmethod(lambda: at_us - 1), "monotonic_s": lambda self: 0.0},
        )(),
    )
    await platform.catalog.load()
    assert input_price(gateway) == 1_000_000
    platform.catalog._clock.now_us = lambda: at_us  # type: ignore[method-assign]
    assert await platform.catalog.refresh_due()
    assert input_price(gateway) == 3_000_000
    platform.catalog._clock = clock


async def test_a_models_entry_changes_and_its_prices_do_not(
    gateway: RunningGateway, operator: Browser
) -> None:
    _, text = await operator.get("/admin/models/m")
    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", text, re.S)
    assert found is not None
    entry = html.unescape(found[1])
    assert "price" not in entry and SECRET not in entry
    wanted = entry.replace("[[models.targets]]", 'aliases = ["also-m"]\n[[models.targets]]')
    assert (await operator.post("/admin/models/m", entry=wanted))[0] == 303
    assert gateway.gateway.platform.catalog.snapshot.aliases["also-m"].name == "m"
    priced = wanted + '\n[models.price]\ninput = "99"\noutput = "99"\n'
    assert (await operator.post("/admin/models/m", entry=priced))[0] == 303
    assert input_price(gateway) == 1_000_000
    for wrong in ("", "x", entry.replace('name = "m"', 'name = "other"'), "[[models]]\n" * 2):
        status, shown = await operator.post("/admin/models/m", entry=wrong)
        assert status == 422 and html.escape(wrong[:5]) in shown, wrong


async def test_prices_are_compared_with_known_ones(
    gateway: RunningGateway, operator: Browser
) -> None:
    catalog = """
[[providers]]
name = "openai"
base_url = "https://api.openai.com/v1"
[[models]]
name = "cheap"
context_tokens = 128000
max_output_tokens = 16384
[[models.targets]]
provider = "openai"
model = "gpt-4o-mini"
[models.price]
input = "0.14"
cache_read = "0.075"
output = "0.60"
[[models]]
name = "dear"
context_tokens = 128000
max_output_tokens = 16384
[[models.targets]]
provider = "openai"
model = "gpt-4o-mini"
[models.price]
input = "0.20"
cache_read = "0.1"
output = "0.80"
"""
    await gateway.command("catalog.apply", toml=catalog)
    _, text = await operator.get("/admin/prices")
    rows = {
        name: re.sub(r"<[^>]+>|\s+", " ", row)
        for name, row in re.findall(r'<a href="/admin/models/(\w+)">(.*?)</tr>', text, re.S)
    }
    assert "below cost" in rows["cheap"] and "$0.15" in rows["cheap"]
    assert "above cost" in rows["dear"] and "unknown" in rows["m"]
    found = re.search(r'href="(/admin/models/cheap\?[^"]+)"', text)
    assert found is not None
    _, text = await operator.get(html.unescape(found[1]))
    assert re.search(r'name="input"[^>]* value="0.15"', text)
    assert input_price(gateway, "cheap") == 140_000  # proposed, and not changed
