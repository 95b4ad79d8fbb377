"""A failing provider is the gateway's problem: other targets, other keys, the same one later."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import routes
from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import (
    DONE,
    SSE_HEAD,
    FakeUpstream,
    Received,
    answering,
    chunk,
    completion,
    event,
    framed,
    raw,
    streaming,
    usage_event,
)

WORDS = [chunk("one "), chunk("two "), chunk("three ")]
GOOD_STREAM = streaming(*WORDS, usage_event(9, 3), DONE)
GOOD = answering(completion())


@pytest.fixture
async def two() -> AsyncIterator[list[FakeUpstream]]:
    async with routes.fakes(2) as started:
        yield started


@pytest.fixture
async def gateway(tmp_path: Path, two: list[FakeUpstream]) -> AsyncIterator[RunningGateway]:
    catalog = routes.providers(two) + routes.model([0, 1])
    async with running(
        tmp_path / "data",
        catalog=catalog,
        upstream_first_byte_timeout_s=0.4,
        upstream_first_token_timeout_s=0.6,
        upstream_idle_timeout_s=0.4,
        upstream_breaker_open_s=0.3,
    ) as one:
        yield one


HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
START = chunk("", role="assistant")
BROKEN = {
    "reset": raw(then="reset"),
    "close": raw(),
    "hang": raw(then="hang"),
    "half": raw(HALF),
    "garbage": raw(b"SSH-2.0\r\n\r\n"),
    "408": answering({}, 408),
    "409": answering({}, 409),
    "429": answering({}, 429),
    "429 after": answering({}, 429, b"Retry-After: 60\r\n"),
    "500": answering({}, 500),
    "503": answering(b"<html>", 503),
    "529": answering({}, 529),
    "401": answering({}, 401),
    "403": answering({}, 403),
    "error inside 200": answering({"error": {"message": "x", "code": 503}}),
    "not json": answering(b"<html>"),
}
BROKEN_STREAMS = {
    **{name: BROKEN[name] for name in ("reset", "hang", "500", "429", "401")},
    "error event": streaming(event({"error": {"message": "x"}})),
    "error after the start": streaming(START, b": ping\n\n", event({"error": {"code": 429}})),
    "end after the start": streaming(START),
    "reset after the start": raw(SSE_HEAD, framed(START), then="reset"),
    "hang after the start": raw(SSE_HEAD, framed(START), then="hang"),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_the_next_target_answers_for_one_that_fails(
    gateway: RunningGateway, two: list[FakeUpstream], fault: str
) -> None:
    two[0].handler, two[1].handler = BROKEN[fault], GOOD
    for _ in range(3):
        answer = await gateway.post(chat())
        assert answer.status == 200 and answer.json == completion()
    rows = await gateway.rows()
    assert [(row["provider"], row["status"]) for row in rows] == [("up1", 200)] * 3
    assert {row["cost_microusd"] for row in rows} == {7 + 2 * 3}
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("fault", BROKEN_STREAMS)
async def test_a_stream_begins_elsewhere_while_the_client_has_seen_nothing(
    gateway: RunningGateway, two: list[FakeUpstream], fault: str
) -> None:
    two[0].handler, two[1].handler = BROKEN_STREAMS[fault], GOOD_STREAM
    answer = await gateway.post(chat(stream=True))
    assert answer.status == 200 and answer.body == b"".join([*WORDS, DONE])
    assert answer.headers["x-tallygate-attempts"] == "2"
    [row] = await gateway.rows()
    assert (row["provider"], row["attempts"], row["cost_microusd"]) == ("up1", 2, 9 + 2 * 3)
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_the_callers_mistakes_are_told_at_once(
    gateway: RunningGateway, two: list[FakeUpstream], status: int
) -> None:
    two[0].handler = answering({"error": {"message": "bad thing"}}, status)
    for _ in range(7):  # more than open a breaker
        answer = await gateway.post(chat())
        assert (answer.status, answer.code) == (400, "upstream_rejected")
    assert (len(two[0].requests), len(two[1].requests)) == (7, 0)


async def test_after_output_there_is_no_other_attempt(
    gateway: RunningGateway, two: list[FakeUpstream]
) -> None:
    two[0].handler = raw(SSE_HEAD, *map(framed, WORDS), then="reset")
    answer = await gateway.post(chat(stream=True))
    assert answer.body.startswith(b"".join(WORDS)) and b"upstream_truncated" in answer.body
    assert not two[1].requests


async def test_one_target_is_asked_again_when_it_says_so(
    tmp_path: Path, two: list[FakeUpstream]
) -> None:
    answers = [
        answering({}, 429, b"retry-after-ms: 150\r\n"),
        answering({}, 503, b"Retry-After: 0.1\r\n"),
        GOOD,
    ]
    arrived: list[float] = []

    async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
        arrived.append(time.monotonic())
        await answers[len(arrived) - 1](request, writer)

    two[0].handler = handle
    catalog = routes.providers(two) + routes.model([0])
    async with running(tmp_path / "data", catalog=catalog) as gateway:
        assert (await gateway.post(chat())).status == 200
        assert arrived[1] - arrived[0] >= 0.15 and arrived[2] - arrived[1] >= 0.1
        [row] = await gateway.rows()
        assert row["attempts"] == 3


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"Retry-After: 7\r\n", "7"),
        (b"Retry-After: 7.2\r\n", "8"),
        (b"x-ms-retry-after-ms: 9500\r\n", "10"),
        (b"Retry-After: 100000\r\n", "120"),
        (b"Retry-After: soon\r\n", None),
        (b"Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n", "120"),
    ],
)
async def test_a_wait_beyond_the_budget_is_the_callers(
    tmp_path: Path, two: list[FakeUpstream], header: bytes, told: str | None
) -> None:
    two[0].handler = answering({}, 429, header)
    catalog = routes.providers(two) + routes.model([0])
    async with running(tmp_path / "data", catalog=catalog, upstream_retry_budget_s=0.5) as gateway:
        answer = await gateway.post(chat())
        assert (answer.status, answer.code) == (429, "upstream_rate_limited")
        if told is not None:
            assert answer.headers["Retry-After"] == told
        assert len(two[0].requests) == (3 if b"soon" in header else 1)


POOL = 'api_keys = ["key-a", "key-b", "key-c"]'


async def test_requests_take_turns_at_keys_and_a_refused_one_is_set_aside(
    tmp_path: Path, two: list[FakeUpstream]
) -> None:
    refused = {"Bearer key-b"}

    async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
        bad = request.headers["authorization"] in refused
        await (answering({}, 401) if bad else GOOD)(request, writer)

    two[0].handler = handle
    catalog = routes.providers(two[:1], POOL) + routes.model([0])
    async with running(tmp_path / "data", catalog=catalog, upstream_key_retry_s=0.3) as gateway:
        for _ in range(6):
            assert (await gateway.post(chat())).status == 200
        used = Counter(request.headers["authorization"] for request in two[0].requests)
        assert used == {"Bearer key-a": 3, "Bearer key-b": 1, "Bearer key-c": 3}
        await asyncio.sleep(0.35)
        refused.clear()
        for _ in range(3):
            assert (await gateway.post(chat())).status == 200
        used = Counter(request.headers["authorization"] for request in two[0].requests[-3:])
        assert len(used) == 3


@pytest.mark.parametrize("named", ["code", "type"])
async def test_a_key_without_credit_is_set_aside_like_a_refused_one(
    tmp_path: Path, two: list[FakeUpstream], named: str
) -> None:
    """It answers 429, as a key does that only has to wait."""
    spent = answering({"error": {"message": "x", named: "insufficient_quota"}}, 429)

    async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
        empty = request.headers["authorization"] == "Bearer key-b"
        await (spent if empty else GOOD)(request, writer)

    two[0].handler = handle
    catalog = routes.providers(two[:1], POOL) + routes.model([0])
    async with running(tmp_path / "data", catalog=catalog) as gateway:
        for _ in range(9):
            assert (await gateway.post(chat())).status == 200
        used = Counter(request.headers["authorization"] for request in two[0].requests)
        assert used["Bearer key-b"] == 1
        [shown] = [
            row for row in await gateway.command("providers.health") if row["keys"] != ["ok"]
        ]
        assert shown["keys"] == ["ok", "refused", "ok"] and shown["state"] == "closed"
        two[0].handler = spent
        answer = await gateway.post(chat())
        assert (answer.status, answer.code) == (502, "upstream_credentials_exhausted")


async def test_when_every_key_is_refused_the_caller_is_not_blamed(
    tmp_path: Path, two: list[FakeUpstream]
) -> None:
    two[0].handler = answering({"error": {"message": "key-a is wrong"}}, 401)
    catalog = routes.providers(two[:1], POOL) + routes.model([0])
    async with running(tmp_path / "data", catalog=catalog) as gateway:
        answer = await gateway.post(chat())
        assert (answer.status, answer.code) == (502, "upstream_credentials_exhausted")
        assert b"key-" not in answer.body and len(two[0].requests) == 3
        assert (await gateway.post(chat())).status == 502
        assert len(two[0].requests) == 4  # then one is tried, not all
        two[0].handler = GOOD
        assert (await gateway.post(chat())).status == 200


async def test_health_is_shown_by_command_and_metrics_without_a_key(
    gateway: RunningGateway, two: list[FakeUpstream]
) -> None:
    two[0].handler, two[1].handler = answering({}, 401), GOOD
    assert (await gateway.post(chat())).status == 200
    two[0].handler = answering({}, 500)
    for _ in range(5):
        assert (await gateway.post(chat())).status == 200
    shown = await gateway.command("providers.health")
    first, second = (row for row in shown if row["provider"] != "sandbox")
    assert (first["provider"], first["model"], first["used_by"]) == ("up0", "m-up0", ["m"])
    assert first["keys"] == ["refused"] and second["keys"] == ["ok"]
    assert (second["state"], second["in_flight"], second["failures"]) == ("closed", 0, 0)
    async with gateway.session.get(gateway.url + "/metrics") as response:
        text = await response.text()
    assert 'tallygate_target_state{provider="up1",target="m-up1"} 0.0' in text
    assert 'tallygate_target_requests_total{provider="up0",target="m-up0"} 1.0' in text
    assert 'tallygate_provider_keys_set_aside{provider="up0"} 1.0' in text
    assert "secret" not in text and "secret" not in str([first, second])


async def test_a_target_takes_no_more_at_once_than_it_may(
    tmp_path: Path, two: list[FakeUpstream]
) -> None:
    most = Counter[int]()

    def busy(number: int) -> None:
        async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
            most[number] = max(most[number], two[number].open)
            await asyncio.sleep(0.1)
            await GOOD(request, writer)

        two[number].handler = handle

    busy(0), busy(1)
    caps = ["max_concurrent = 3", "max_concurrent = 5"]
    catalog = routes.providers(two) + routes.model([0, 1], targets=caps)
    async with running(tmp_path / "data", catalog=catalog) as gateway:
        answers = await asyncio.gather(*(gateway.post(chat()) for _ in range(12)))
        found = Counter(answer.status for answer in answers)
        assert found == {200: 8, 503: 4}
        refused = next(answer for answer in answers if answer.status == 503)
        assert refused.code == "overloaded" and refused.headers["Retry-After"] == "1"
        assert len(two[0].requests) == 3 and len(two[1].requests) == 5
        assert (await gateway.post(chat())).status == 200
        await gateway.assert_nothing_leaked()


async def test_silence_is_broken_by_comments_and_another_attempt_still_follows(
    tmp_path: Path, two: list[FakeUpstream]
) -> None:
    two[0].handler = raw(SSE_HEAD, framed(START), then="hang")

    async def slow(request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.8)
        await GOOD_STREAM(request, writer)

    two[1].handler = slow
    catalog = routes.providers(two) + routes.model([0, 1])
    async with running(
        tmp_path / "data",
        catalog=catalog,
        upstream_first_token_timeout_s=0.8,
        server_stream_keepalive_s=0.3,
    ) as gateway:
        answer = await gateway.post(chat(stream=True))
        assert answer.status == 200
        comments, _, rest = answer.body.partition(WORDS[0])
        assert comments == b": keep-alive\n\n" * comments.count(b"\n\n")
        assert comments.count(b": keep-alive") >= 2
        assert WORDS[0] + rest == b"".join([*WORDS, DONE])
        two[1].handler = answering({}, 500)
        answer = await gateway.post(chat(stream=True))
        assert answer.status == 200 and b"[DONE]" not in answer.body
        assert answer.body.startswith(b": keep-alive\n\n")
        assert b'"code":"upstream_' in answer.body
        assert {row["cost_microusd"] for row in await gateway.rows()} == {0, 15}
        await gateway.assert_nothing_leaked()


async def test_comments_come_between_events_only(tmp_path: Path, two: list[FakeUpstream]) -> None:
    async def halves(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE_HEAD + framed(WORDS[0]))
        await asyncio.sleep(0.8)
        writer.write(framed(WORDS[1][:20]))
        await asyncio.sleep(0.8)
        writer.write(framed(WORDS[1][20:] + DONE) + framed(b""))

    two[0].handler = halves
    catalog = routes.providers(two) + routes.model([0])
    async with running(
        tmp_path / "data", catalog=catalog, server_stream_keepalive_s=0.3
    ) as gateway:
        answer = await gateway.post(chat(stream=True))
        assert answer.body.replace(b": keep-alive\n\n", b"") == b"".join([*WORDS[:2], DONE])
        first, second = answer.body.split(WORDS[1])
        assert b": keep-alive" in first and b": keep-alive" not in second
