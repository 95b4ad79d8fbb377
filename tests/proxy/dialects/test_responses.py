"""Answers and streams of the Responses dialect come back as they were given."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import (
    ResponseTooLarge,
    UpstreamBadResponse,
    UpstreamFailed,
)
from gateway.proxy.dialects.neutral import (
    Answer,
    Conversation,
    End,
    Facts,
    Failure,
    Finish,
    Refusal,
    RefusalDelta,
    SignatureDelta,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tokens,
    ToolCall,
    ToolDelta,
    ToolStart,
    UsageNews,
)
from gateway.proxy.dialects.responses import RESPONSES
from gateway.proxy.dialects.responses.stream_writer import MAX_OUTPUT_BYTES
from gateway.proxy.dialects.signatures import unwrap
from tests.proxy.dialects.neutral_values import (
    WORDS,
    answers,
    compact,
    events_of,
    fed,
    merged,
    usages,
)

FACTS = Facts("req_0193a1", "shop/model", 1_790_000_000)
ANSWERS = answers("openai", refusals=True, usage=usages())


def read(body: dict[str, Any]) -> Conversation:
    return RESPONSES.read_request(json.dumps({"model": "m", **body}).encode())


def stream(*events: Any) -> list[dict[str, Any]]:
    data = RESPONSES.stream_writer(FACTS).write(list(events)).decode()
    out = []
    for block in data.split("\n\n")[:-1]:
        name, payload = block.split("\n")
        out.append(json.loads(payload.removeprefix("data: ")))
        assert name == "event: " + out[-1]["type"]
    return out


# --- round trips ----------------------------------------------------------------------------------


@given(ANSWERS)
def test_an_answer_comes_back(answer: Answer) -> None:
    # Another family's signature is marked for the client; only reading a request takes it off.
    got = RESPONSES.read_answer(RESPONSES.write_answer(answer, FACTS))
    assert unmarked(got) == answer


@given(ANSWERS, st.integers(1, 5), st.lists(st.integers(0, 10_000), max_size=8))
def test_a_stream_comes_back_at_any_split(answer: Answer, pieces: int, cuts: list[int]) -> None:
    events = events_of(answer, pieces)
    writer = RESPONSES.stream_writer(FACTS)
    data = b"".join(writer.write([event]) for event in events)
    got = fed(RESPONSES.stream_reader(), data, cuts)
    assert unmarked_events(merged(got)) == merged(events)


@given(ANSWERS, st.integers(1, 5))
def test_a_stream_ends_with_the_whole_answer(answer: Answer, pieces: int) -> None:
    events = stream(*events_of(answer, pieces))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    whole = json.loads(RESPONSES.write_answer(answer, FACTS))
    last = events[-1]["response"]
    for item in (*last["output"], *whole["output"]):
        item.pop("status")  # of items cut by the end
    assert last == whole


def unmarked(answer: Answer) -> Answer:
    parts = []
    for part in answer.parts:
        if isinstance(part, Thinking) and part.signature is not None:
            signature, family, _ = unwrap(part.signature, "openai")
            part = Thinking(part.text, signature, family, part.redacted)
        parts.append(part)
    return msgspec.structs.replace(answer, parts=tuple(parts))


def unmarked_events(events: list[Any]) -> list[Any]:
    return [
        SignatureDelta(*unwrap(event.signature, "openai")[:2], event.redacted)
        if isinstance(event, SignatureDelta)
        else event
        for event in events
    ]


# --- answers and streams --------------------------------------------------------------------------


def test_a_failed_answer_is_an_error() -> None:
    for body, error in (
        (b'{"status":"failed","output":[],"error":{"message":"x"}}', UpstreamFailed),
        (b'{"status":"queued","output":[]}', UpstreamBadResponse),
        (b'{"id":"x"}', UpstreamBadResponse),
        (b"<html>", UpstreamBadResponse),
        (b'{"status":"completed","output":7}', UpstreamBadResponse),
    ):
        with pytest.raises(error):
            RESPONSES.read_answer(body)


def test_usage_keeps_absent_apart_from_zero() -> None:
    def usage(inner: bytes) -> Tokens | None:
        return RESPONSES.read_answer(
            b'{"status":"completed","output":[],"usage":' + inner + b"}"
        ).usage

    assert usage(b"null") is None
    assert usage(b"{}") == Tokens()
    assert usage(b'{"input_tokens":9,"output_tokens":0}') == Tokens(9, None, None, 0, None)
    details = b'"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":0}'
    assert usage(b'{"input_tokens":9,%b}' % details) == Tokens(5, 4, 0, None, None)
    assert usage(b'{"input_tokens":3,%b}' % details) == Tokens(0, 4, 0, None, None)


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        ("stop", "completed", None),
        ("stop_sequence", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("pause", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("refusal", "incomplete", "content_filter"),
        (None, "completed", None),
    ],
)
def test_stops_become_statuses(stop: Any, status: str, reason: str | None) -> None:
    body = json.loads(RESPONSES.write_answer(Answer((Text("a"),), stop), FACTS))
    assert body["status"] == status
    assert (body["incomplete_details"] or {}).get("reason") == reason
    if stop is not None:
        last = stream(TextDelta("a"), Finish(stop), End())[-1]
        assert last["type"] == f"response.{status}"
        assert last["response"]["incomplete_details"] == body["incomplete_details"]


def test_interleaved_calls_keep_apart() -> None:
    events = stream(
        ToolStart(0, "a", "f"),
        ToolDelta(0, '{"x"'),
        ToolStart(1, "b", "g"),
        ToolDelta(1, "{}"),
        ToolDelta(0, ":1}"),
        Finish("tool_calls"),
        End(),
    )
    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [
        ("a", '{"x":1}'),
        ("b", "{}"),
    ]


def test_a_calls_own_signature_comes_back_before_it() -> None:
    events = [
        ToolStart(0, "a", "f", "Z3M=", "gemini"),
        ToolDelta(0, "{}"),
        Finish("tool_calls"),
        End(),
    ]
    output = stream(*events)[-1]["response"]["output"]
    answer = Answer((ToolCall("a", "f", "{}", "Z3M=", "gemini"),), "tool_calls")
    assert output == json.loads(RESPONSES.write_answer(answer, FACTS))["output"]
    (message,) = read({"input": output}).messages
    assert message.parts == (Thinking("", "Z3M=", "gemini"), ToolCall("a", "f", "{}"))


def test_a_failure_writes_nothing_and_a_cut_stream_has_no_end() -> None:
    assert RESPONSES.stream_writer(FACTS).write([Failure()]) == b""
    types = [event["type"] for event in stream(TextDelta("a"), Failure())]
    assert types[-1] == "response.output_text.delta"


def test_an_endless_answer_is_cut() -> None:
    writer = RESPONSES.stream_writer(FACTS)
    with pytest.raises(ResponseTooLarge):
        for _ in range(MAX_OUTPUT_BYTES // 2**20 + 1):
            writer.write([TextDelta("x" * 2**20)])


def sse(*payloads: str) -> bytes:
    return "".join(f"data: {payload}\n\n" for payload in payloads).encode()


@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        (['{"type":"error","code":"x","message":"secret"}'], [Failure()]),
        (['{"type":"response.failed","response":{"status":"failed"}}'], [Failure()]),
        (
            ['{"type":"response.failed","response":{"usage":{"output_tokens":3}}}'],
            [UsageNews(Tokens(output=3)), Failure()],
        ),
        (["{not json"], [Failure()]),
        (['{"type":"response.output_text.delta","delta":7}'], [Failure()]),
        (['{"type":"codex.rate_limits","delta":7}', '{"type":"response.queued"}'], []),
        (
            ['{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{"}'],
            [Failure()],
        ),
        (  # a server that sends a call whole
            [
                '{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call",'
                '"call_id":"a","name":"f","arguments":"{}"}}',
                '{"type":"response.completed","response":{"status":"completed"}}',
                "[DONE]",
            ],
            [ToolStart(0, "a", "f"), ToolDelta(0, "{}"), Finish("tool_calls"), End()],
        ),
        (  # the parts of a summary are paragraphs; raw reasoning counts too
            [
                '{"type":"response.reasoning_summary_part.added","summary_index":0}',
                '{"type":"response.reasoning_summary_text.delta","delta":"a"}',
                '{"type":"response.reasoning_summary_part.added","summary_index":1}',
                '{"type":"response.reasoning_text.delta","delta":"b"}',
                '{"type":"response.output_item.done","item":{"type":"reasoning",'
                '"encrypted_content":"cw=="}}',
            ],
            [
                ThinkingDelta("a"),
                ThinkingDelta("\n\n"),
                ThinkingDelta("b"),
                SignatureDelta("cw==", "openai"),
            ],
        ),
        (
            [
                '{"type":"response.refusal.delta","delta":"no"}',
                '{"type":"response.incomplete","response":{"incomplete_details":'
                '{"reason":"content_filter"}}}',
                '{"type":"response.output_text.delta","delta":"late"}',
            ],
            [RefusalDelta("no"), Finish("content_filter"), End()],
        ),
    ],
)
def test_streams_are_read(payloads: list[str], expected: list[Any]) -> None:
    assert RESPONSES.stream_reader().feed(sse(*payloads)) == expected


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_make_events_or_a_failure(data: bytes, cuts: list[int]) -> None:
    events = fed(RESPONSES.stream_reader(), b"data: " + data + b"\n\n", cuts)
    assert all(isinstance(event, Failure) for event in events)


def test_refusals_are_read_and_written() -> None:
    answer = Answer((Refusal("no"),), "refusal")
    assert RESPONSES.read_answer(RESPONSES.write_answer(answer, FACTS)) == answer


FIELDS = (
    *("type", "delta", "item", "output_index", "response", "status", "output", "usage", "content"),
    *("text", "summary", "call_id", "name", "arguments", "input_tokens", "incomplete_details"),
)
KINDS = (
    *("response.output_item.added", "response.output_item.done", "response.output_text.delta"),
    *("response.function_call_arguments.delta", "response.completed", "response.failed", "x"),
)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-1, 3), WORDS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
        ),
        max_leaves=10,
    ),
    st.sampled_from(KINDS),
)
def test_any_document_is_read_or_refused(value: Any, kind: str) -> None:
    for document in (
        value,
        {"type": kind, "item": value, "response": value, "delta": value},
        {"output": [value], "status": "completed"},
    ):
        body = compact(document).encode()
        RESPONSES.stream_reader().feed(b"data: " + body + b"\n\n")
        try:
            RESPONSES.read_answer(body)
        except (UpstreamBadResponse, UpstreamFailed):
            continue
