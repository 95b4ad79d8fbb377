"""Answers and streams of the Gemini dialect come back as they were given."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import ResponseTooLarge, UpstreamBadResponse, UpstreamFailed
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.gemini.stream_writer import MAX_WAITING_BYTES
from gateway.proxy.dialects.neutral import (
    Answer,
    End,
    Facts,
    Failure,
    Finish,
    Message,
    Refusal,
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
from tests.proxy.dialects.neutral_values import WORDS, answers, compact, events_of, fed, merged

FACTS = Facts("req_0193a1", "shop/model", 1_790_000_000, measured_input=11)
COUNTS = st.integers(0, 9000)
USAGES = st.builds(
    lambda a, b, text, thought: Tokens(a, b, None, text + thought, thought),
    *(COUNTS, COUNTS, COUNTS, COUNTS),
)
ANSWERS = answers("gemini", refusals=False, usage=USAGES)


def stream(*events: Any) -> list[dict[str, Any]]:
    data = GEMINI.stream_writer(FACTS).write(list(events)).decode()
    blocks = data.split("\n\n")
    assert blocks.pop() == ""
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


@given(ANSWERS)
def test_an_answer_comes_back(answer: Answer) -> None:
    assert GEMINI.read_answer(GEMINI.write_answer(answer, FACTS)) == answer


@given(ANSWERS, st.integers(1, 5), st.lists(st.integers(0, 10_000), max_size=8))
def test_a_stream_comes_back_at_any_split(answer: Answer, pieces: int, cuts: list[int]) -> None:
    events = events_of(answer, pieces)
    writer = GEMINI.stream_writer(FACTS)
    data = b"".join(writer.write([event]) for event in events)
    assert merged(fed(GEMINI.stream_reader(), data, cuts)) == merged(events)


@given(ANSWERS, st.integers(1, 5))
def test_the_parts_of_a_stream_read_like_the_whole(answer: Answer, pieces: int) -> None:
    chunks = stream(*events_of(answer, pieces))
    parts = [p for c in chunks for p in c["candidates"][0]["content"]["parts"]]
    last = chunks[-1]
    last["candidates"][0]["content"]["parts"] = parts
    got = GEMINI.read_answer(json.dumps(last).encode())
    assert said(got) == said(answer)
    assert (got.stop, got.usage) == (answer.stop, answer.usage)


def said(answer: Answer) -> list[Any]:
    """Gemini's own signature of a thought stands by itself after a stream's pieces."""
    found: list[Any] = []
    for part in answer.parts:
        if isinstance(part, Thinking) and part.family == "gemini" and part.text:
            found += [Thinking(part.text), Thinking("", part.signature, "gemini")]
        else:
            found.append(part)
    return found


def test_signatures_of_others_survive_the_sdks_base64() -> None:
    answer = Answer(
        (Thinking("hm", "c2ln", "anthropic"), Thinking("", "cg==", "anthropic", True)), "stop"
    )
    body = json.loads(GEMINI.write_answer(answer, FACTS))
    parts = body["candidates"][0]["content"]["parts"]
    for part in parts:  # the SDK decodes, and encodes with the other alphabet
        raw = base64.b64decode(part["thoughtSignature"], validate=True)
        part["thoughtSignature"] = base64.urlsafe_b64encode(raw).decode()
    request = json.dumps({"contents": [{"role": "model", "parts": parts}]}).encode()
    assert GEMINI.read_request(request).messages == (Message("assistant", answer.parts),)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("OTHER", "content_filter"),
        ("A_NEW_REASON", "content_filter"),
    ],
)
def test_reasons_become_stops(reason: str, stop: str) -> None:
    body = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": reason}]}
    assert GEMINI.read_answer(json.dumps(body).encode()) == Answer((Text("a"),), stop)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("stop", "STOP"),
        ("stop_sequence", "STOP"),
        ("tool_calls", "STOP"),
        ("length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("refusal", "SAFETY"),
        ("pause", "OTHER"),
        (None, "STOP"),
    ],
)
def test_stops_become_reasons(stop: Any, reason: str) -> None:
    body = json.loads(GEMINI.write_answer(Answer((Text("a"),), stop), FACTS))
    assert body["candidates"][0]["finishReason"] == reason
    if stop is not None:
        last = stream(TextDelta("a"), Finish(stop), End())[-1]
        assert last["candidates"][0]["finishReason"] == reason


def test_words_of_refusal_are_text() -> None:
    body = json.loads(GEMINI.write_answer(Answer((Refusal("no"),), "refusal"), FACTS))
    [candidate] = body["candidates"]
    assert candidate["content"]["parts"] == [{"text": "no"}]
    assert candidate["finishReason"] == "STOP"


def test_bad_answers_are_errors() -> None:
    for body, error in (
        (b'{"error":{"code":429}}', UpstreamFailed),
        (b'{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}', UpstreamFailed),
        (b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}', UpstreamBadResponse),
        (
            b'{"candidates":[{"content":{"parts":[{"inlineData":{}}]},"finishReason":"STOP"}]}',
            UpstreamBadResponse,
        ),
        (b"{}", UpstreamBadResponse),
        (b"[{}]", UpstreamBadResponse),
        (b"<html>", UpstreamBadResponse),
    ):
        with pytest.raises(error):
            GEMINI.read_answer(body)


def test_a_blocked_prompt_is_a_filtered_answer() -> None:
    body = b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":7}}'
    assert GEMINI.read_answer(body) == Answer((), "content_filter", Tokens(7))
    events = fed(GEMINI.stream_reader(), b"data: " + body + b"\n\n", [])
    assert events == [Finish("content_filter"), UsageNews(Tokens(7)), End()]


def test_calls_without_ids_get_lasting_ones() -> None:
    part = {"functionCall": {"name": "f", "args": {"a": 1}}}

    def ids(answer_id: str) -> list[str]:
        body = {
            "candidates": [{"content": {"parts": [part, part]}, "finishReason": "STOP"}],
            "responseId": answer_id,
        }
        answer = GEMINI.read_answer(json.dumps(body).encode())
        assert answer.stop == "tool_calls"
        events = GEMINI.stream_reader().feed(b"data: " + json.dumps(body).encode() + b"\n\n")
        found = [part.id for part in answer.parts if isinstance(part, ToolCall)]
        assert found == [event.id for event in events if isinstance(event, ToolStart)]
        return found

    assert ids("r1") == ids("r1")
    assert len({*ids("r1"), *ids("r2")}) == 4


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({}, Tokens()),
        ({"promptTokenCount": 9, "candidatesTokenCount": 0}, Tokens(9, None, None, 0, None)),
        ({"promptTokenCount": 9, "cachedContentTokenCount": 4}, Tokens(5, 4)),
        ({"promptTokenCount": 3, "cachedContentTokenCount": 4}, Tokens(0, 4)),
        ({"promptTokenCount": 9, "toolUsePromptTokenCount": 2}, Tokens(11)),
        ({"thoughtsTokenCount": 5}, Tokens(output=5, reasoning=5)),
        ({"candidatesTokenCount": 3, "thoughtsTokenCount": 5}, Tokens(output=8, reasoning=5)),
    ],
)
def test_usage_keeps_absent_apart_from_zero(usage: dict[str, int], tokens: Tokens) -> None:
    body = {"candidates": [{"finishReason": "STOP"}], "usageMetadata": usage}
    assert GEMINI.read_answer(json.dumps(body).encode()).usage == tokens


def test_usage_is_written_with_what_is_known() -> None:
    def usage(tokens: Tokens) -> Any:
        body = json.loads(GEMINI.write_answer(Answer((), "stop", tokens), FACTS))
        return body["usageMetadata"]

    assert usage(Tokens(5, 3, 2, 20, 7)) == {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 3,
        "candidatesTokenCount": 13,
        "thoughtsTokenCount": 7,
        "totalTokenCount": 30,
    }
    assert usage(Tokens(output=4)) == {
        "promptTokenCount": 11,  # our own count
        "candidatesTokenCount": 4,
        "totalTokenCount": 15,
    }


# --- streams --------------------------------------------------------------------------------------


def test_parallel_calls_go_whole_in_one_event() -> None:
    chunks = stream(
        TextDelta("a"),
        ToolStart(0, "c0", "f", "Z3M=", "gemini"),
        ToolDelta(0, '{"x"'),
        ToolStart(1, "c1", "g"),
        ToolDelta(0, ":1}"),
        Finish("tool_calls"),
        End(),
    )
    assert [c["candidates"][0]["content"]["parts"] for c in chunks] == [
        [{"text": "a"}],
        [
            {
                "functionCall": {"id": "c0", "name": "f", "args": {"x": 1}},
                "thoughtSignature": "Z3M=",
            },
            {"functionCall": {"id": "c1", "name": "g", "args": {}}},
        ],
        [{"text": ""}],
    ]


def test_a_call_cut_by_the_maximum_is_left_out_and_a_bad_one_is_an_error() -> None:
    start = [ToolStart(0, "c0", "f"), ToolDelta(0, '{"x')]
    assert len(stream(*start, Finish("length"), End())) == 1
    whole = Answer((ToolCall("c0", "f", '{"x'),), "length")
    assert b"functionCall" not in GEMINI.write_answer(whole, FACTS)
    for bad in ('{"x', "[]", "7"):
        with pytest.raises(UpstreamBadResponse):
            stream(ToolStart(0, "c0", "f"), ToolDelta(0, bad), Finish("tool_calls"), End())
        with pytest.raises(UpstreamBadResponse):
            GEMINI.write_answer(Answer((ToolCall("c0", "f", bad),), "tool_calls"), FACTS)
    with pytest.raises(UpstreamBadResponse):
        stream(ToolDelta(3, "{}"))


def test_endless_arguments_are_cut() -> None:
    writer = GEMINI.stream_writer(FACTS)
    writer.write([ToolStart(0, "c0", "f")])
    with pytest.raises(ResponseTooLarge):
        for _ in range(MAX_WAITING_BYTES // 2**20 + 1):
            writer.write([ToolDelta(0, "x" * 2**20)])


def test_a_failure_writes_nothing_and_a_cut_stream_has_no_end() -> None:
    assert GEMINI.stream_writer(FACTS).write([Failure()]) == b""
    assert not any("finishReason" in c["candidates"][0] for c in stream(TextDelta("a"), Failure()))


def sse(*payloads: Any) -> bytes:
    return "".join(f"data: {compact(payload)}\r\n\r\n" for payload in payloads).encode()


def chunk(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, **more}]}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (sse({"error": {"code": 503, "message": "secret"}}), [Failure()]),
        (b'[{"candidates":[]}\n,\n', [Failure()]),
        (b"data: {nope\n\n", [Failure()]),
        (sse(chunk({"inlineData": {"data": "aGk="}})), [Failure()]),
        (sse(chunk(finishReason="MALFORMED_FUNCTION_CALL")), [Failure()]),
        (sse({"usageMetadata": {"promptTokenCount": 3}}, {"candidates": [{"index": 1}]}), []),
        (
            sse(
                chunk({"text": "th", "thought": True}),
                chunk({"text": "a", "thoughtSignature": "c2ln"}),
                {
                    **chunk({"text": ""}, finishReason="STOP"),
                    "usageMetadata": {"promptTokenCount": 3},
                },
                chunk({"text": "more"}),
            ),
            [
                ThinkingDelta("th"),
                TextDelta("a"),
                SignatureDelta("c2ln", "gemini"),
                TextDelta("more"),
                Finish("stop"),
                UsageNews(Tokens(3)),
                End(),
            ],
        ),
        (
            sse(chunk({"functionCall": {"name": "f", "id": "x"}, "thoughtSignature": "c2ln"})),
            [ToolStart(0, "x", "f", "c2ln", "gemini"), ToolDelta(0, "{}")],
        ),
        (
            sse({"candidates": [{"content": {}, "finishReason": "MAX_TOKENS"}]}),
            [Finish("length"), End()],
        ),
    ],
)
def test_streams_are_read(data: bytes, expected: list[Any]) -> None:
    assert fed(GEMINI.stream_reader(), data, []) == expected


def test_every_event_may_name_a_reason() -> None:
    """Some models say STOP in each event, and the usage comes after the last of them."""
    told = sse(
        chunk({"text": "one"}, finishReason="STOP"),
        chunk({"functionCall": {"name": "f", "id": "x"}}, finishReason="STOP"),
        chunk({"text": ""}, finishReason="STOP"),
        {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5}},
    )
    assert fed(GEMINI.stream_reader(), told, [40, 90]) == [
        TextDelta("one"),
        ToolStart(0, "x", "f"),
        ToolDelta(0, "{}"),
        Finish("tool_calls"),
        UsageNews(Tokens(3, None, None, 5)),
        End(),
    ]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_make_events_or_a_failure(data: bytes, cuts: list[int]) -> None:
    events = fed(GEMINI.stream_reader(), b"data: " + data + b"\n\n", cuts)
    assert all(isinstance(event, Failure) for event in events)


FIELDS = (
    *("candidates", "content", "parts", "text", "thought", "functionCall", "name", "args", "index"),
    *("finishReason", "usageMetadata", "promptTokenCount", "promptFeedback", "error"),
)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-1, 3), WORDS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
        ),
        max_leaves=10,
    )
)
def test_any_document_is_read_or_refused(value: Any) -> None:
    for document in (value, {"candidates": [{"content": value, "finishReason": "STOP"}]}):
        body = compact(document).encode()
        GEMINI.stream_reader().feed(b"data: " + body + b"\n\n")
        try:
            GEMINI.read_answer(body)
        except (UpstreamBadResponse, UpstreamFailed):
            continue
