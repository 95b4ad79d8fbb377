"""What a client of a stream sees, what the provider is asked, and what is charged."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway._native.tokens import Counter
from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import (
    DONE,
    FakeUpstream,
    answering,
    chunk,
    completion,
    event,
    raw,
    streaming,
    usage_event,
)


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", upstream) as one:
        yield one


TEXT = ["Hel", "lo ", "wor", "ld", "!"]
EVENTS = [chunk("", role="assistant"), *[chunk(text) for text in TEXT], chunk(finish="stop")]


async def test_bytes_pass_exactly_and_the_unasked_usage_event_is_removed(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = streaming(*EVENTS, usage_event(9, 5), DONE)
    answer = await gateway.post(chat(stream=True))
    assert answer.status == 200
    assert answer.body == b"".join(EVENTS) + DONE
    assert upstream.requests[0].json["stream_options"] == {"include_usage": True}
    [row] = await gateway.rows()
    assert (row["basis"], row["input_tokens"], row["output_tokens"]) == ("reported", 9, 5)
    assert row["cost_microusd"] == 9 * 1 + 5 * 2
    assert row["first_token_ms"] is not None and row["outcome"] == "completed"
    await gateway.assert_nothing_leaked()


async def test_a_client_that_asks_for_usage_gets_it_and_its_options_are_kept(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = streaming(*EVENTS, usage_event(9, 5), DONE)
    asked = {"include_usage": True, "include_obfuscation": False}
    answer = await gateway.post(chat(stream=True, stream_options=asked))
    assert answer.body == b"".join([*EVENTS, usage_event(9, 5), DONE])
    assert upstream.requests[0].json["stream_options"] == asked
    await gateway.post(chat(stream=True, stream_options={"include_obfuscation": False}))
    assert upstream.requests[1].json["stream_options"] == asked


async def test_events_split_and_joined_anywhere_pass_exactly(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    whole = b"".join([*EVENTS, usage_event(9, 5), DONE])
    for size in (1, 7, 64, len(whole)):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        upstream.handler = streaming(*pieces)
        answer = await gateway.post(chat(stream=True))
        assert answer.body == b"".join(EVENTS) + DONE


async def test_without_a_report_our_own_count_is_charged(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = streaming(*EVENTS, DONE)
    await gateway.post(chat(stream=True))
    [row] = await gateway.rows()
    counter = Counter("o200k_base")
    counter.feed("".join(TEXT))
    assert row["basis"] == "measured"
    assert row["output_tokens"] == row["measured_output_tokens"] == counter.finish()
    assert row["reported_output_tokens"] is None
    assert row["input_tokens"] == row["measured_input_tokens"] > 0


@pytest.mark.parametrize(
    "reported", [(-5, 5), (9, -1), (9, 10**30), (10**12, 5), (1.5, 5), ("9", 5), (True, 5)]
)
async def test_an_absurd_report_is_recorded_but_not_charged(
    gateway: RunningGateway, upstream: FakeUpstream, reported: tuple[object, object]
) -> None:
    upstream.handler = streaming(*EVENTS, usage_event(*reported), DONE)
    answer = await gateway.post(chat(stream=True))
    assert answer.body.endswith(DONE)
    [row] = await gateway.rows()
    assert row["basis"] == "measured"
    assert 0 < row["output_tokens"] < 20 and 0 < row["input_tokens"] < 50
    await gateway.assert_nothing_leaked()


async def test_usage_reported_twice_is_charged_once(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = streaming(*EVENTS, usage_event(9, 5), usage_event(9, 5), DONE)
    answer = await gateway.post(chat(stream=True))
    assert answer.body == b"".join(EVENTS) + DONE
    [row] = await gateway.rows()
    assert row["cost_microusd"] == 19


async def test_an_empty_answer_is_free(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    before = await gateway.balance_microusd()
    upstream.handler = streaming(chunk(finish="stop"), usage_event(9, 0), DONE)
    await gateway.post(chat(stream=True))
    assert await gateway.balance_microusd() == before
    [row] = await gateway.rows()
    assert row["basis"] == "none" and row["reported_input_tokens"] == 9


async def test_an_error_that_begins_a_stream_is_an_error_before_the_answer_and_is_free(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    failure = event({"error": {"message": "boom", "code": 500}})
    upstream.handler = streaming(chunk("", role="assistant"), failure, DONE)
    answer = await gateway.post(chat(stream=True))
    assert (answer.status, answer.code) == (502, "upstream_failed")
    assert b"boom" not in answer.body
    assert len(upstream.requests) == 3
    [row] = await gateway.rows()
    assert row["cost_microusd"] == 0 and row["outcome"] == "upstream_failed"


async def test_a_whole_answer_passes_exactly_and_is_charged(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    payload = completion("hello", 9, 5)
    upstream.handler = answering(payload)
    answer = await gateway.post(chat(user="alice@example.com"))
    assert answer.json == payload
    assert answer.headers["x-request-id"].startswith("req_")
    sent = upstream.requests[0]
    assert sent.json["model"] == "up-model"
    assert sent.headers["authorization"] == "Bearer sk-upstream-secret"
    assert "alice" not in sent.body.decode() and len(sent.json["user"]) >= 16
    [row] = await gateway.rows()
    assert row["id"] == answer.headers["x-request-id"]
    assert row["cost_microusd"] == 9 + 10


async def test_cached_tokens_are_priced_once(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 600},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    upstream.handler = answering({**completion(), "usage": usage})
    await gateway.post(chat())
    [row] = await gateway.rows()
    assert (row["input_tokens"], row["cache_read_tokens"]) == (400, 600)
    assert row["reasoning_tokens"] == 4
    assert row["cost_microusd"] == 400 + 300 + 20


async def test_a_compressed_answer_is_inflated(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    payload = completion()
    body = gzip.compress(json.dumps(payload).encode())
    upstream.handler = answering(body, headers=b"Content-Encoding: gzip\r\n")
    answer = await gateway.post(chat())
    assert answer.json == payload


async def test_embeddings_are_charged_by_input(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    vector = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}
    usage = {"prompt_tokens": 4, "total_tokens": 4}
    upstream.handler = answering({"object": "list", "data": [vector], "usage": usage})
    answer = await gateway.post({"model": "m", "input": "a b c d"}, "/v1/embeddings")
    assert answer.status == 200
    [row] = await gateway.rows()
    assert (row["cost_microusd"], row["endpoint"]) == (4, "embeddings")


async def test_responses_stream_passes_and_its_last_event_is_charged(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    def named(kind: str, **payload: object) -> bytes:
        body = json.dumps({"type": kind, **payload})
        return f"event: {kind}\ndata: {body}\n\n".encode()

    usage = {"input_tokens": 6, "output_tokens": 3, "total_tokens": 9}
    events = [
        named("response.created", response={"id": "r", "status": "in_progress"}),
        named("response.output_text.delta", output_index=0, delta="Hello there"),
        named("response.completed", response={"id": "r", "status": "completed", "usage": usage}),
    ]
    upstream.handler = streaming(*events)
    answer = await gateway.post({"model": "m", "input": "hi", "stream": True}, "/v1/responses")
    assert answer.body == b"".join(events)
    assert "stream_options" not in upstream.requests[0].json
    [row] = await gateway.rows()
    assert (row["basis"], row["cost_microusd"]) == ("reported", 12)


async def test_arrival_follows_the_provider(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    """Each event reaches the client while the provider still holds back the next one."""
    gate = asyncio.Event()

    async def handle(request: object, writer: asyncio.StreamWriter) -> None:
        await streaming(EVENTS[1], end=False)(request, writer)  # type: ignore[arg-type]
        await gate.wait()
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(DONE), DONE))

    upstream.handler = handle
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.session.post(
        gateway.url + "/v1/chat/completions", json=chat(stream=True), headers=headers
    ) as response:
        first = await response.content.readuntil(b"\n\n")
        assert first == EVENTS[1]
        gate.set()
        assert await response.content.read() == DONE


async def test_invalid_utf8_passes_as_it_came(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    odd = b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe\xc3"}}]}\n\n'
    upstream.handler = streaming(odd, DONE)
    answer = await gateway.post(chat(stream=True))
    assert answer.body == odd + DONE
    await gateway.assert_nothing_leaked()


async def test_nothing_of_the_client_reaches_the_provider_nor_the_other_way(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = streaming(*EVENTS, DONE)
    private = {
        "Cookie": "c=canary",
        "X-Forwarded-For": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "User-Agent": "canary-agent",
        "Referer": "https://canary.example",
        "OpenAI-Organization": "org-canary",
        "X-Api-Key": "canary",
        "x-stainless-os": "canary",
        "HTTP-Referer": "https://canary.example",
        "X-Title": "canary",
        **{f"X-Canary-{number}": "canary" for number in range(200)},
    }
    answer = await gateway.post(chat(stream=True), **private)
    assert answer.status == 200
    head = upstream.requests[0].head.lower()
    assert b"canary" not in head and b"203.0.113" not in head
    assert gateway.key.encode() not in upstream.requests[0].head + upstream.requests[0].body
    seen = {name.lower() for name in answer.headers}
    assert not seen & {"set-cookie", "openai-organization", "server"}


async def test_a_redirect_is_neither_followed_nor_relayed(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = raw(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    )
    answer = await gateway.post(chat())
    assert (answer.status, answer.code) == (502, "upstream_bad_response")
    assert "Location" not in answer.headers
    assert len(upstream.requests) == 1
