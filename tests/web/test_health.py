"""Liveness, readiness and metrics."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.platform.request_log.query import newest
from tests.fakes.gateway import RunningGateway, chat, running


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


async def get(gateway: RunningGateway, path: str, **headers: str) -> tuple[int, str]:
    async with gateway.session.get(gateway.url + path, headers=headers) as response:
        return response.status, await response.text()


async def scrape(gateway: RunningGateway) -> dict[str, list[Any]]:
    status, text = await get(gateway, "/metrics")
    assert status == 200
    return {
        family.name: family.samples
        for family in text_string_to_metric_families(text)
        if family.name.startswith("tallygate_")
    }


async def test_alive_and_ready(gateway: RunningGateway) -> None:
    assert await get(gateway, "/healthz") == (200, "ok\n")
    async with gateway.session.get(gateway.url + "/readyz") as response:
        assert response.status == 200
        assert await response.json() == {
            "ready": True,
            "database": True,
            "accepting": True,
            "stopping": False,
        }


async def test_not_ready_while_stopping(gateway: RunningGateway) -> None:
    gateway.plane.stopping = True
    status, text = await get(gateway, "/readyz")
    assert status == 503 and '"ready": false' in text and '"stopping": true' in text
    assert (await get(gateway, "/healthz"))[0] == 200


async def test_not_ready_while_charges_cannot_be_stored(gateway: RunningGateway) -> None:
    class Broken:
        healthy = accepting = False
        pending = 0

    real, gateway.plane.settlements = gateway.plane.settlements, Broken()
    status, text = await get(gateway, "/readyz")
    gateway.plane.settlements = real
    assert status == 503 and '"database": false' in text


async def test_metrics_count_what_was_served(gateway: RunningGateway) -> None:
    served = {**chat("canary text"), "model": "sandbox/lorem:tokens=10,tps=0"}
    for _ in range(3):
        assert (await gateway.post(served)).status == 200
    assert (await gateway.post({**served, "model": "sandbox/lorem:error=500"})).status == 502
    await gateway.settled()
    logged = await gateway.gateway.platform.database.read(newest)
    rows = [entry.row for entry in logged if entry.row.status == 200]
    found = await scrape(gateway)
    labels = {"model": "sandbox/lorem", "provider": "sandbox", "status": "2xx"}

    def value(family: str, suffix: str = "_total") -> float:
        [sample] = [
            sample
            for sample in found[family]
            if sample.name == family + suffix
            and {k: v for k, v in sample.labels.items() if k != "le"} == labels
        ]
        return float(sample.value)

    assert value("tallygate_requests") == 3
    assert value("tallygate_output_tokens") == 30
    assert value("tallygate_input_tokens") == sum(row.input_tokens for row in rows)
    assert value("tallygate_request_duration_seconds", "_count") == 3
    [none] = found["tallygate_active_requests"]
    assert none.value == 0 and not none.labels
    for samples in found.values():
        for sample in samples:
            assert set(sample.labels) <= {"model", "provider", "target", "status", "le"}
    text = (await get(gateway, "/metrics"))[1]
    assert "canary" not in text and gateway.key not in text


async def test_buckets_are_cumulative(gateway: RunningGateway) -> None:
    series = gateway.plane.metrics.series("m", "p", 200)
    for value_ms in (1, 7, 7, 30, 999_999):
        series.duration.observe(value_ms)
    found = await scrape(gateway)
    buckets = {
        sample.labels["le"]: sample.value
        for sample in found["tallygate_request_duration_seconds"]
        if sample.name.endswith("_bucket") and sample.labels["model"] == "m"
    }
    assert buckets["0.005"] == 1 and buckets["0.01"] == 3 and buckets["0.05"] == 4
    assert buckets["120.0"] == 4 and buckets["+Inf"] == 5


async def test_a_running_stream_and_its_hold_are_seen(gateway: RunningGateway) -> None:
    payload = {**chat("hi"), "model": "sandbox/lorem:tps=0,fault=hang,at=1", "stream": True}
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.session.post(
        gateway.url + "/v1/chat/completions", json=payload, headers=headers
    ) as response:
        await response.content.readany()
        found = await scrape(gateway)
        assert found["tallygate_active_requests"][0].value == 1
        assert found["tallygate_holds_microusd"][0].value > 0
    async with asyncio.timeout(10):
        while gateway.plane.active:
            await asyncio.sleep(0.01)
    found = await scrape(gateway)
    assert found["tallygate_holds_microusd"][0].value == 0


async def test_metrics_are_not_for_the_public(gateway: RunningGateway) -> None:
    for header in ("X-Forwarded-For", "Forwarded"):
        assert (await get(gateway, "/metrics", **{header: "127.0.0.1"}))[0] == 404


async def test_many_series_render_off_the_loop(gateway: RunningGateway) -> None:
    for number in range(3_000):
        gateway.plane.metrics.series(f"model-{number}", "p", 200).duration.observe(number)
    found = await scrape(gateway)
    assert len(found["tallygate_requests"]) <= 2_001
