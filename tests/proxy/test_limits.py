"""Limits as clients meet them: headers and errors per dialect, and places freed on every path."""

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.platform.limits.limiter import Standing
from gateway.proxy.dialects.limit_headers import duration, limit_headers
from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream

HI = [{"role": "user", "content": "hi"}]
SLOW = {"model": "sandbox/lorem:tokens=200,tps=200", "messages": HI, "stream": True}


@given(st.integers(0, 10**15))
def test_a_duration_is_read_back_as_it_was(ns: int) -> None:
    text = duration(ns)
    units = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    assert "".join(number + unit for number, unit in parts) == text
    milliseconds = sum(float(number) * units[unit] for number, unit in parts)
    assert round(milliseconds) == -(-ns // 10**6)


def test_durations_look_like_those_of_openai() -> None:
    shown = [duration(ms * 10**6) for ms in (0, 12, 1_000, 1_500, 360_000, 3_661_000)]
    assert shown == ["0s", "12ms", "1s", "1.5s", "6m0s", "1h1m1s"]


def test_anthropics_headers_stand_beside_openais() -> None:
    lines = limit_headers(Standing(50, 49, 1_200_000_000), None, 1_700_000_000_000_000, "anthropic")
    assert lines.decode().split("\r\n") == [
        "x-ratelimit-limit-requests: 50",
        "x-ratelimit-remaining-requests: 49",
        "x-ratelimit-reset-requests: 1.2s",
        "anthropic-ratelimit-requests-limit: 50",
        "anthropic-ratelimit-requests-remaining: 49",
        "anthropic-ratelimit-requests-reset: 2023-11-14T22:13:22Z",
        "",
    ]
    assert b"anthropic" not in limit_headers(Standing(5, 4, 0), None, 0, "openai")


async def limited(gateway: RunningGateway, **limits: Any) -> None:
    await gateway.command("limits.set", email=EMAIL, **limits)


async def used(gateway: RunningGateway) -> Any:
    await gateway.settled()
    return (await gateway.command("limits.show", email=EMAIL))["used"]


async def test_every_answer_says_how_the_limits_stand(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        free = await gateway.post(SLOW | {"stream": False, "max_tokens": 5})
        assert not [name for name in free.headers if "ratelimit" in name.lower()]
        await limited(gateway, requests_per_minute=2, tokens_per_minute=1_000)
        body = {"model": "sandbox/lorem:tokens=5,tps=0", "messages": HI, "max_tokens": 5}
        whole = await gateway.post(body)
        stream = await gateway.post({**body, "stream": True})
        refused = await gateway.post(body)
        assert (whole.status, stream.status, refused.status) == (200, 200, 429)
        left = [a.headers["x-ratelimit-remaining-requests"] for a in (whole, stream, refused)]
        assert left == ["1", "0", "0"]
        for answer in (whole, stream, refused):
            assert answer.headers["x-ratelimit-limit-tokens"] == "1000"
            assert re.fullmatch(r"\d+(\.\d+)?m?s", answer.headers["x-ratelimit-reset-requests"])
        assert refused.code == "rate_limit_exceeded"
        assert "2 requests a minute" in refused.json["error"]["message"]
        assert 1 <= int(refused.headers["Retry-After"]) <= 30


async def test_an_exceeded_budget_asks_clients_not_to_retry(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await limited(gateway, month_usd="0")
        refused = await gateway.post({"model": "sandbox/lorem", "messages": HI})
        assert (refused.status, refused.code) == (429, "budget_exceeded")
        assert refused.headers["x-should-retry"] == "false"
        assert "Retry-After" not in refused.headers
        [row] = await gateway.rows()
        assert (row["outcome"], row["cost_microusd"]) == ("refused", 0)


async def test_a_request_refused_for_credit_consumes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, credit_usd="0") as gateway:
        limits = {"requests_per_minute": 5, "tokens_per_minute": 50_000, "concurrent_requests": 3}
        await limited(gateway, **limits, day_usd="1")
        for _ in range(9):
            answer = await gateway.post({"model": "sandbox/lorem", "messages": HI})
            assert answer.code == "insufficient_credit"
        seen = await used(gateway)
        assert (seen["requests_remaining"], seen["tokens_remaining"]) == (5, 50_000)
        assert (seen["requests_running"], seen["day_held_microusd"]) == (0, 0)


async def test_tokens_are_those_used_once_the_answer_has_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await limited(gateway, tokens_per_minute=60_000)
        body = {"model": "sandbox/lorem:tokens=10,tps=0", "messages": HI}
        await gateway.post(body)
        [row] = await gateway.rows()
        seen = await used(gateway)
        assert seen["tokens_reserved"] == 0
        total = row["input_tokens"] + row["output_tokens"]
        assert 60_000 - total - 1 <= seen["tokens_remaining"]


async def test_a_stream_ends_where_its_budget_does(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await limited(gateway, day_usd="0.00002")
        stream = await gateway.post(SLOW)
        assert stream.status == 200
        assert b'"budget_' in stream.body
        assert b"[DONE]" not in stream.body
        [row] = await gateway.rows()
        assert row["outcome"] == "budget_exhausted"
        assert 15 <= row["cost_microusd"] <= 21  # the piece that was one token too many had come
        await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("fault", ["reset", "hang", "cut", "error"])
async def test_a_failing_provider_frees_the_place(tmp_path: Path, fault: str) -> None:
    async with running(
        tmp_path, upstream_first_byte_timeout_s=0.5, upstream_idle_timeout_s=0.5
    ) as gateway:
        await limited(gateway, concurrent_requests=1, tokens_per_minute=100_000, day_usd="1")
        model = f"sandbox/lorem:fault={fault},at=0,tps=0"
        for stream in (False, True):
            answer = await gateway.post({"model": model, "messages": HI, "stream": stream})
            assert answer.status >= 500 or b"error" in answer.body
        seen = await used(gateway)
        assert (seen["requests_running"], seen["tokens_reserved"]) == (0, 0)
        assert seen["day_held_microusd"] == 0


async def test_clients_that_leave_free_their_places(tmp_path: Path) -> None:
    upstream = await FakeUpstream().start()
    async with running(tmp_path, upstream) as gateway:
        await limited(gateway, concurrent_requests=20, tokens_per_minute=10**6, week_usd="1")

        async def leave(after_s: float, stream: bool) -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(after_s):
                    await gateway.post(
                        SLOW | {"model": "sandbox/lorem:tokens=900,tps=50", "stream": stream}
                    )

        await asyncio.gather(*(leave(0.02 + n / 60, n % 2 == 0) for n in range(20)))
        seen = await used(gateway)
        assert (seen["requests_running"], seen["tokens_reserved"]) == (0, 0)
        assert seen["week_held_microusd"] == 0
        await gateway.assert_nothing_leaked()
    await upstream.stop()


async def test_a_phase_that_crashes_frees_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError

    async with running(tmp_path, log_level="error") as gateway:
        await limited(gateway, concurrent_requests=1, tokens_per_minute=10_000)
        for phase in ("route", "record"):
            with monkeypatch.context() as patched:
                patched.setattr(f"gateway.proxy.pipeline.{phase}", crash)
                try:
                    answer = await gateway.post({"model": "sandbox/lorem", "messages": HI})
                    assert answer.status == 500
                except aiohttp.ServerDisconnectedError:
                    assert phase == "record"
        seen = await used(gateway)
        assert (seen["requests_running"], seen["tokens_reserved"]) == (0, 0)


async def test_limits_of_a_provider_are_not_the_callers(tmp_path: Path) -> None:
    """The gateway's own headers stand alone: what a provider says of itself stays behind."""
    upstream = await FakeUpstream().start()
    async with running(tmp_path, upstream) as gateway:
        await limited(gateway, requests_per_minute=7)
        answer = await gateway.post(chat())
        assert answer.headers.getall("x-ratelimit-limit-requests") == ["7"]
    await upstream.stop()


async def test_messages_and_counts_carry_anthropics_headers(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await limited(gateway, requests_per_minute=2, tokens_per_minute=90_000)
        body = {"model": "sandbox/lorem:tokens=5,tps=0", "messages": HI, "max_tokens": 5}
        message = await gateway.post(body, "/v1/messages")
        del body["max_tokens"]
        count = await gateway.post(body, "/v1/messages/count_tokens")
        refused = await gateway.post(body, "/v1/messages/count_tokens")
        assert (message.status, count.status, refused.status) == (200, 200, 429)
        for answer, left in ((message, "1"), (count, "0"), (refused, "0")):
            assert answer.headers["anthropic-ratelimit-requests-remaining"] == left
            assert answer.headers["anthropic-ratelimit-tokens-limit"] == "90000"
            reset = answer.headers["anthropic-ratelimit-requests-reset"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", reset)
        assert refused.json["type"] == "error"
        assert refused.json["error"]["type"] == "rate_limit_error"
        assert (await used(gateway))["tokens_reserved"] == 0
