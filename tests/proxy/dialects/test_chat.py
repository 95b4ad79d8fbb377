"""Chat completions answers and streams, both ways."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import UpstreamBadResponse, UpstreamFailed
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from tests.proxy.dialects.neutral_values import answers, events_of, fed, merged, usages
from tests.proxy.dialects.turns import FACTS

CUTS = st.lists(st.integers(0, 10**6), max_size=12)


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"choices": choices, **more}).encode() + b"\n\n"


def read(*chunks: bytes) -> list[n.Event]:
    return CHAT.stream_reader().feed(b"".join(chunks))


def as_chat(answer: n.Answer) -> n.Answer:
    """What is left of the order and the seams: one text, one refusal."""
    thinking = [part for part in answer.parts if isinstance(part, n.Thinking)]
    if thinking and all(part.signature is None for part in thinking):
        thinking = [n.Thinking("".join(part.text for part in thinking))]
    text = "".join(part.text for part in answer.parts if isinstance(part, n.Text))
    refusal = "".join(part.text for part in answer.parts if isinstance(part, n.Refusal))
    parts: list[Any] = [*thinking]
    if text:
        parts.append(n.Text(text))
    if refusal:
        parts.append(n.Refusal(refusal))
    parts += [part for part in answer.parts if isinstance(part, n.ToolCall)]
    return msgspec.structs.replace(answer, parts=tuple(parts))


# --- whole answers --------------------------------------------------------------------------------


@given(answers("openai", refusals=True, usage=usages()))
def test_an_answer_survives_the_way_there_and_back(answer: n.Answer) -> None:
    body = CHAT.write_answer(answer, FACTS)
    assert CHAT.read_answer(body) == as_chat(answer)
    usage = json.loads(body).get("usage")
    if answer.usage is not None:
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_signature_of_a_call_survives() -> None:
    call = n.ToolCall("c", "f", "{}", "S", "gemini")
    answer = n.Answer((n.Thinking("t", "T", "gemini"), call), "tool_calls")
    assert CHAT.read_answer(CHAT.write_answer(answer, FACTS)) == answer


def test_a_refusal_without_words_is_a_filter() -> None:
    body = json.loads(CHAT.write_answer(n.Answer((n.Text("a"),), "refusal"), FACTS))
    assert body["choices"][0]["finish_reason"] == "content_filter"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{"message":3}]}', b'{"choices":[{}]}'],
)
def test_another_document_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(UpstreamBadResponse):
        CHAT.read_answer(body)


def test_an_error_inside_an_answer_is_a_failure() -> None:
    with pytest.raises(UpstreamFailed):
        CHAT.read_answer(b'{"error":{"message":"canary"}}')


USAGES: list[tuple[dict[str, Any], n.Tokens]] = [
    ({"prompt_tokens": 9, "completion_tokens": 4}, n.Tokens(9, None, None, 4)),
    ({"completion_tokens": 4}, n.Tokens(output=4)),
    (
        {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        n.Tokens(4, 5, 0, 4, 3),
    ),
    (
        {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 2},
        n.Tokens(7, 2, None, 1),
    ),
    ({"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 5}}, n.Tokens(0, 5)),
    ({"prompt_tokens": "many", "completion_tokens": True}, n.Tokens()),
]


@pytest.mark.parametrize(("usage", "tokens"), USAGES)
def test_usage_is_read_and_absent_is_not_zero(usage: dict[str, Any], tokens: n.Tokens) -> None:
    assert read(chunk(usage=usage)) == [n.UsageNews(tokens)]


def test_a_prompt_nobody_counted_is_our_own_count() -> None:
    answer = n.Answer((n.Text("a"),), "stop", n.Tokens(output=2))
    usage = json.loads(CHAT.write_answer(answer, FACTS))["usage"]
    assert usage == {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}


# --- streams --------------------------------------------------------------------------------------


@given(answers("openai", refusals=True, usage=usages()), st.integers(1, 9), CUTS)
def test_a_stream_survives_at_any_split(answer: n.Answer, pieces: int, cuts: list[int]) -> None:
    events = events_of(answer, pieces)
    writer = CHAT.stream_writer(FACTS)
    stream = b"".join(writer.write([event]) for event in events)
    assert stream == CHAT.stream_writer(FACTS).write(events)
    assert merged(fed(CHAT.stream_reader(), stream, cuts)) == merged(events)


def test_role_first_usage_only_when_asked_done_last() -> None:
    events: list[n.Event] = [n.TextDelta("a"), n.Finish("stop"), n.UsageNews(n.Tokens(1)), n.End()]
    asked = CHAT.stream_writer(FACTS).write(events).split(b"\n\n")
    unasked_facts = msgspec.structs.replace(FACTS, include_usage=False)
    unasked = CHAT.stream_writer(unasked_facts).write(events).split(b"\n\n")
    assert json.loads(asked[0][6:])["choices"][0]["delta"]["role"] == "assistant"
    assert [b'"usage":{' in part for part in asked] == [False, False, False, True, False, False]
    assert not any(b"usage" in part for part in unasked)
    assert asked[-2:] == unasked[-2:] == [b"data: [DONE]", b""]


def test_after_a_failure_nothing_is_written() -> None:
    events: list[n.Event] = [n.TextDelta("a"), n.Failure(), n.TextDelta("b"), n.End()]
    writer = CHAT.stream_writer(FACTS)
    assert b'"b"' not in writer.write(events)
    assert writer.write([n.End()]) == b""


def call_delta(**call: Any) -> dict[str, Any]:
    return {"tool_calls": [call]}


STREAMS: list[tuple[str, list[bytes], list[n.Event]]] = [
    (
        "a first chunk of role and null, Azure's without choices, and comments",
        [
            chunk(prompt_filter_results=[{}]),
            b": OPENROUTER PROCESSING\n\n",
            chunk({"role": "assistant", "content": None}),
            chunk({"content": "a"}),
        ],
        [n.TextDelta("a")],
    ),
    (
        "reasoning under each provider's name, once",
        [
            chunk({"reasoning_content": "a"}),
            chunk(
                {
                    "reasoning": "b",
                    "reasoning_details": [{"type": "reasoning.text", "text": "b"}],
                }
            ),
            chunk({"reasoning_details": [{"type": "reasoning.summary", "summary": "c"}]}),
            chunk({"content": [{"type": "thinking", "thinking": [{"text": "d"}]}]}),
        ],
        [n.ThinkingDelta(letter) for letter in "abcd"],
    ),
    (
        "a signature of a maker that is unknown",
        [chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "S"}]})],
        [],
    ),
    (
        "calls that interleave",
        [
            chunk(call_delta(index=0, id="a", function={"name": "f", "arguments": ""})),
            chunk(call_delta(index=1, id="b", function={"name": "g", "arguments": "{"})),
            chunk(call_delta(index=0, function={"arguments": "{}"})),
            chunk(call_delta(index=1, id="b", function={"arguments": "}"})),
        ],
        [
            n.ToolStart(0, "a", "f"),
            n.ToolStart(1, "b", "g"),
            n.ToolDelta(1, "{"),
            n.ToolDelta(0, "{}"),
            n.ToolDelta(1, "}"),
        ],
    ),
    (
        "calls without numbers, told apart by their ids",
        [
            chunk(call_delta(id="a", function={"name": "f", "arguments": "{}"})),
            chunk(call_delta(id="b", function={"name": "f", "arguments": "{}"})),
        ],
        [
            n.ToolStart(0, "a", "f"),
            n.ToolDelta(0, "{}"),
            n.ToolStart(1, "b", "f"),
            n.ToolDelta(1, "{}"),
        ],
    ),
    (
        "a signed call",
        [
            chunk(
                {
                    **call_delta(index=0, id="a", function={"name": "f"}),
                    "reasoning_details": [
                        {
                            "type": "reasoning.encrypted",
                            "id": "a",
                            "data": "S",
                            "format": "google-gemini-v1",
                        }
                    ],
                }
            )
        ],
        [n.ToolStart(0, "a", "f", "S", "gemini")],
    ),
    (
        "stop after a call means the call",
        [
            chunk(call_delta(index=0, id="a", function={"name": "f"})),
            chunk({}, "stop"),
            chunk({}, "stop"),
        ],
        [n.ToolStart(0, "a", "f"), n.Finish("tool_calls")],
    ),
    (
        "a refusal",
        [chunk({"refusal": "no"}), chunk({}, "stop")],
        [n.RefusalDelta("no"), n.Finish("refusal")],
    ),
    (
        "an error inside the stream, and nothing after it",
        [chunk({"content": "a"}), chunk(error={"message": "x"}), chunk({"content": "b"})],
        [n.TextDelta("a"), n.Failure()],
    ),
    ("OpenRouter's finish of an error", [chunk({"content": ""}, "error")], [n.Failure()]),
    ("no JSON", [b"data: {\n\n", b"data: [DONE]\n\n"], [n.Failure()]),
    ("another shape", [b'data: {"choices":[{"delta":{"content":3}}]}\n\n'], [n.Failure()]),
    (
        "half a surrogate pair",
        [b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n'],
        [n.TextDelta("a\ufffd")],
    ),
    (
        "another choice",
        [b'data: {"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n'],
        [],
    ),
    ("the end", [b"data: [DONE] \n\n"], [n.End()]),
]


@pytest.mark.parametrize(
    ("chunks", "events"), [case[1:] for case in STREAMS], ids=[c[0] for c in STREAMS]
)
def test_what_providers_send(chunks: list[bytes], events: list[n.Event]) -> None:
    assert read(*chunks) == events


def test_an_event_that_never_ends_is_a_failure_once() -> None:
    reader = CHAT.stream_reader()
    piece = b"x" * (1 << 20)
    found = [event for _ in range(20) for event in reader.feed(piece)]
    assert found == [n.Failure()]
