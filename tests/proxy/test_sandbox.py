"""The sandbox through the whole gateway: metered, charged and logged like a real provider."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.platform.request_log.query import newest
from gateway.platform.request_log.record import RequestRow
from tests.fakes.gateway import RunningGateway, chat, running

CATALOG = """
[[providers]]
name = "box"
kind = "sandbox"
[[models]]
name = "sandbox/lorem"
context_tokens = 1000
max_output_tokens = 500
encoding = "o200k_base"
[[models.targets]]
provider = "box"
model = "sandbox/lorem"
[models.price]
input = "1"
output = "2"
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", catalog=CATALOG) as one:
        yield one


async def rows(gateway: RunningGateway) -> list[RequestRow]:
    await gateway.settled()
    return [entry.row for entry in await gateway.gateway.platform.database.read(newest)]


def lorem(options: str, **more: Any) -> dict[str, Any]:
    return {**chat("How do you do, wörld?"), "model": f"sandbox/lorem:{options}", **more}


@pytest.mark.parametrize(
    "payload",
    [
        lorem("tokens=40,tps=0", stream=True),
        lorem("tokens=40,tps=0,think=9", stream=True),
        lorem("tokens=40", n=3),
        lorem("tool=1", tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]),
        lorem("think=30,tps=0", stream=True, n=2, stream_options={"include_usage": True}),
    ],
)
async def test_what_is_reported_is_what_is_measured(
    gateway: RunningGateway, payload: dict[str, Any]
) -> None:
    before_microusd = await gateway.balance_microusd()
    assert (await gateway.post(payload)).status == 200
    [row] = await rows(gateway)
    assert row.outcome == "completed" and row.basis == "reported" and row.measured_exact
    assert row.reported_input_tokens == row.measured_input_tokens
    assert row.reported_output_tokens == row.measured_output_tokens
    assert row.cost_picousd == row.input_tokens * 10**6 + row.output_tokens * 2 * 10**6
    assert before_microusd - await gateway.balance_microusd() == row.cost_microusd
    await gateway.assert_nothing_leaked()


async def test_the_models_own_maximum_is_kept(gateway: RunningGateway) -> None:
    answer = await gateway.post(lorem("tokens=5000"))
    assert answer.json["usage"]["completion_tokens"] == 500
    assert answer.json["choices"][0]["finish_reason"] == "length"


async def test_an_unknown_option_is_the_callers_mistake(gateway: RunningGateway) -> None:
    answer = await gateway.post(lorem("speed=9"))
    assert answer.status == 400 and answer.code == "upstream_rejected"
    assert "'speed'; there are: tokens, tps" in answer.json["error"]["message"]
    [row] = await rows(gateway)
    assert row.cost_picousd == 0 and row.error_code == "upstream_rejected"


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ("error=401", 502, "upstream_credentials_exhausted"),
        ("error=404", 400, "upstream_rejected"),
        ("error=429,retry_after=3", 429, "upstream_rate_limited"),
        ("error=500", 502, "upstream_failed"),
        ("fault=reset", 502, "upstream_unreachable"),
        ("fault=error", 502, "upstream_failed"),
        ("fault=cut", 502, "upstream_bad_response"),
    ],
)
async def test_errors_mean_what_a_providers_mean(
    gateway: RunningGateway, options: str, status: int, code: str
) -> None:
    answer = await gateway.post(lorem(options))
    assert (answer.status, answer.code) == (status, code)
    if status == 429:
        assert answer.headers["Retry-After"] == "3"
    assert await gateway.balance_microusd() == 10_000_000
    await gateway.assert_nothing_leaked()


async def test_a_fault_inside_a_stream_is_charged_as_delivered(gateway: RunningGateway) -> None:
    answer = await gateway.post(lorem("tps=0,fault=reset,at=5", stream=True))
    assert answer.status == 200 and b"[DONE]" not in answer.body
    assert json.loads(answer.body.split(b"data: ")[-1])["error"]["code"] == "upstream_truncated"
    [row] = await rows(gateway)
    assert (row.outcome, row.basis, row.output_tokens) == ("upstream_failed", "measured", 5)


@pytest.mark.parametrize("usage", ["none", "absurd"])
async def test_without_sane_usage_our_own_count_is_charged(
    gateway: RunningGateway, usage: str
) -> None:
    assert (await gateway.post(lorem(f"tokens=20,usage={usage}"))).status == 200
    [row] = await rows(gateway)
    assert (row.basis, row.output_tokens) == ("measured", 20)


async def test_cached_tokens_are_reported_apart(gateway: RunningGateway) -> None:
    await gateway.post(lorem("tokens=1,cached=4"))
    [row] = await rows(gateway)
    assert row.cache_read_tokens == 4
    assert row.input_tokens + 4 == row.measured_input_tokens


async def test_a_client_that_leaves_stops_the_answer(gateway: RunningGateway) -> None:
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.session.post(
        gateway.url + "/v1/chat/completions",
        json=lorem("tokens=400,tps=50", stream=True),
        headers=headers,
    ) as response:
        await response.content.readany()
        response.close()
    await gateway.assert_nothing_leaked()
    [row] = await rows(gateway)
    assert row.outcome == "client_gone" and row.output_tokens < 400
