"""Messages answers and streams, both ways."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import ResponseTooLarge, UpstreamBadResponse, UpstreamFailed
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.messages import MESSAGES, stream_writer
from gateway.proxy.dialects.messages.json_end import JsonEnd
from gateway.proxy.dialects.sse_reader import SseReader
from tests.proxy.dialects.neutral_values import answers, events_of, fed, merged, usages
from tests.proxy.dialects.turns import ARGUMENTS, FACTS

CUTS = st.lists(st.integers(0, 10**6), max_size=12)
UNSAID = n.Tokens(FACTS.measured_input, output=0)


def event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}).encode()
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def start(index: int, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def delta(index: int, kind: str, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def read(*events: bytes) -> list[n.Event]:
    return MESSAGES.stream_reader().feed(b"".join(events))


def as_messages(answer: n.Answer) -> n.Answer:
    """A filter's cut is a refusal here; usage is never absent."""
    said: n.Stop | None = "refusal" if answer.stop == "content_filter" else answer.stop
    return msgspec.structs.replace(answer, stop=said, usage=answer.usage or UNSAID)


def check_grammar(stream: bytes) -> list[dict[str, Any]]:
    """One block open at a time, numbered from 0; start first, delta and stop last. The events."""
    events = []
    for name, data in SseReader().feed(stream):
        found = json.loads(data)
        assert found["type"] == name.decode()
        events.append(found)
    kinds = [found["type"] for found in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    opened = -1
    open_now = False
    for found in events[1:-2]:
        if found["type"] == "content_block_start":
            assert not open_now
            opened, open_now = opened + 1, True
        elif found["type"] == "content_block_stop":
            assert open_now
            open_now = False
        else:
            assert found["type"] == "content_block_delta"
            assert open_now
        assert found["index"] == opened
    assert not open_now
    return events


# --- whole answers --------------------------------------------------------------------------------


@given(answers("anthropic", refusals=False, usage=usages()))
def test_an_answer_survives_the_way_there_and_back(answer: n.Answer) -> None:
    assert MESSAGES.read_answer(MESSAGES.write_answer(answer, FACTS)) == as_messages(answer)


def test_words_of_refusal_are_text() -> None:
    body = json.loads(MESSAGES.write_answer(n.Answer((n.Refusal("no"),), "refusal"), FACTS))
    assert body["content"] == [{"type": "text", "text": "no", "citations": None}]
    assert body["stop_reason"] == "refusal"


def test_signatures_of_others_are_marked_and_come_back_in_a_request() -> None:
    parts = (
        n.Thinking("t", "T", "gemini"),
        n.Thinking("", "E", "openai", True),
        n.ToolCall("c", "f", '{"a": 1}', "S", "gemini"),
    )
    content = json.loads(MESSAGES.write_answer(n.Answer(parts, "tool_calls"), FACTS))["content"]
    echo = {"messages": [{"role": "assistant", "content": content}]}
    assert MESSAGES.read_request(json.dumps(echo).encode()).messages[0].parts == parts


def test_arguments_that_are_no_object_are_a_bad_response_unless_cut() -> None:
    parts = (n.ToolCall("c", "f", '{"a'),)
    with pytest.raises(UpstreamBadResponse):
        MESSAGES.write_answer(n.Answer(parts, "tool_calls"), FACTS)
    body = json.loads(MESSAGES.write_answer(n.Answer(parts, "length"), FACTS))
    assert body["content"][0]["input"] == {}
    assert body["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"content":3}', b'{"content":null}'])
def test_another_document_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(UpstreamBadResponse):
        MESSAGES.read_answer(body)


def test_an_error_in_an_answers_place_is_a_failure() -> None:
    with pytest.raises(UpstreamFailed):
        MESSAGES.read_answer(b'{"type":"error","error":{"type":"api_error","message":"x"}}')


def test_blocks_of_tools_at_the_provider_are_passed_over() -> None:
    body = {"content": [{"type": "server_tool_use", "id": "x"}, {"type": "text", "text": "a"}]}
    assert MESSAGES.read_answer(json.dumps(body).encode()).parts == (n.Text("a"),)


# --- streams --------------------------------------------------------------------------------------


@given(answers("anthropic", refusals=False, usage=usages()), st.integers(1, 9), CUTS)
def test_a_stream_survives_at_any_split(answer: n.Answer, pieces: int, cuts: list[int]) -> None:
    writer = MESSAGES.stream_writer(FACTS)
    events = events_of(answer, pieces)
    stream = b"".join(writer.write([event]) for event in events)
    check_grammar(stream)
    found = merged(fed(MESSAGES.stream_reader(), stream, cuts))
    assert found[0] == n.UsageNews(UNSAID)  # of message_start: nobody had said more yet
    expected = events_of(as_messages(answer), pieces)
    assert found[1:] == merged(expected)


@given(st.lists(ARGUMENTS, min_size=1, max_size=4), st.integers(1, 5), st.data())
def test_calls_that_interleave_are_put_in_order(
    arguments: list[str], size: int, data: st.DataObject
) -> None:
    queues: list[list[n.Event]] = []
    for index, text in enumerate(arguments):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        queues.append(
            [n.ToolStart(index, f"c{index}", "f"), *(n.ToolDelta(index, p) for p in pieces)]
        )
    queues.append([n.TextDelta("a"), n.ThinkingDelta("b")])
    events: list[n.Event] = []
    begun = 0
    while any(queues):
        # Calls begin in order; their pieces come as they like.
        ready = [
            at
            for at, queue in enumerate(queues)
            if queue and not (isinstance(queue[0], n.ToolStart) and queue[0].index != begun)
        ]
        queue = queues[data.draw(st.sampled_from(ready))]
        begun += isinstance(queue[0], n.ToolStart)
        events.append(queue.pop(0))
    events += [n.Finish("tool_calls"), n.End()]
    writer = MESSAGES.stream_writer(FACTS)
    stream = b"".join(writer.write([event]) for event in events)
    check_grammar(stream)
    found = merged(read(stream))
    assert {e.index: e.arguments for e in found if isinstance(e, n.ToolDelta)} == dict(
        enumerate(arguments)
    )
    assert [e.id for e in found if isinstance(e, n.ToolStart)] == [
        f"c{at}" for at in range(len(arguments))
    ]
    assert [e.text for e in found if isinstance(e, n.TextDelta)] == ["a"]


def test_calls_in_their_usual_order_are_written_at_once() -> None:
    writer = MESSAGES.stream_writer(FACTS)
    events: list[n.Event] = [
        n.ToolStart(0, "a", "f"),
        n.ToolDelta(0, '{"x":"}'),
        n.ToolDelta(0, '"}'),
        n.ToolStart(1, "b", "f"),
    ]
    assert b'"id":"b"' in b"".join(writer.write([event]) for event in events)


def test_what_has_to_wait_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_writer, "MAX_WAITING_BYTES", 10_000)
    writer = MESSAGES.stream_writer(FACTS)
    writer.write([n.ToolStart(0, "a", "f"), n.ToolStart(1, "b", "f")])
    with pytest.raises(ResponseTooLarge):
        for _ in range(11):
            writer.write([n.ToolDelta(1, "x" * 1000)])


@given(ARGUMENTS, st.integers(1, 4))
def test_the_end_of_an_object_is_seen_when_it_comes(text: str, size: int) -> None:
    end = JsonEnd()
    for at in range(0, len(text), size):
        assert not end.complete
        end.feed(text[at : at + size])
    assert end.complete


def test_the_start_has_the_providers_count_where_it_came_first() -> None:
    writer = MESSAGES.stream_writer(FACTS)
    first = writer.write([n.UsageNews(n.Tokens(5, 6, 7, 1))])
    usage = json.loads(SseReader().feed(first)[0][1])["message"]["usage"]
    assert usage == {
        "input_tokens": 5,
        "output_tokens": 1,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 6,
    }


def test_an_end_without_a_reason_has_the_likely_one() -> None:
    for events, reason in (
        ([n.TextDelta("a"), n.End()], "end_turn"),
        ([n.ToolStart(0, "a", "f"), n.End()], "tool_use"),
        ([n.End()], "end_turn"),
    ):
        found = check_grammar(MESSAGES.stream_writer(FACTS).write(events))
        assert found[-2]["delta"]["stop_reason"] == reason


def test_after_a_failure_nothing_is_written() -> None:
    writer = MESSAGES.stream_writer(FACTS)
    written = writer.write([n.TextDelta("a"), n.Failure(), n.TextDelta("b"), n.End()])
    assert b'"b"' not in written
    assert b"message_stop" not in written
    assert writer.write([n.End()]) == b""


def begin(**usage: Any) -> bytes:
    return event("message_start", message={"role": "assistant", "usage": usage})


def end(reason: str | None = None, **usage: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": reason}, usage=usage)


USAGES: list[tuple[str, list[bytes], n.Tokens]] = [
    (
        "cumulative output",
        [begin(input_tokens=5, output_tokens=1), end(output_tokens=9)],
        n.Tokens(5, output=9),
    ),
    (
        "caches of the start survive",
        [
            begin(input_tokens=5, cache_read_input_tokens=3, cache_creation_input_tokens=0),
            end(output_tokens=9, cache_creation_input_tokens=None),
        ],
        n.Tokens(5, 3, 0, 9),
    ),
    (
        "Moonshot's total at the start gives way to the parts at the end",
        [
            begin(input_tokens=100, output_tokens=0),
            end(input_tokens=20, cache_read_input_tokens=80, output_tokens=9),
        ],
        n.Tokens(20, 80, None, 9),
    ),
    (
        "several deltas, never summed",
        [begin(input_tokens=5), end(output_tokens=4), end(output_tokens=6)],
        n.Tokens(5, output=6),
    ),
    (
        "thinking",
        [end(output_tokens=9, output_tokens_details={"thinking_tokens": 4})],
        n.Tokens(output=9, reasoning=4),
    ),
    ("nothing said", [begin()], n.Tokens()),
]


@pytest.mark.parametrize(("events", "tokens"), [u[1:] for u in USAGES], ids=[u[0] for u in USAGES])
def test_usage_is_cumulative_and_absent_is_not_zero(events: list[bytes], tokens: n.Tokens) -> None:
    news = [found for found in read(*events) if isinstance(found, n.UsageNews)]
    assert news[-1].usage == tokens


CALL = {"type": "tool_use", "id": "a", "name": "f"}
STREAMS: list[tuple[str, list[bytes], list[n.Event]]] = [
    (
        "pings, citations and blocks of other tools",
        [
            event("ping"),
            start(0, type="server_tool_use", id="x", name="web_search", input={}),
            delta(0, "input_json_delta", partial_json='{"q":1}'),
            stop(0),
            start(1, type="text", text=""),
            delta(1, "text_delta", text="a"),
            delta(1, "citations_delta", citation={"cited_text": "b"}),
            stop(1),
        ],
        [n.TextDelta("a")],
    ),
    (
        "thinking, signed and redacted",
        [
            start(0, type="thinking", thinking="", signature=""),
            delta(0, "thinking_delta", thinking="a"),
            delta(0, "signature_delta", signature="S"),
            stop(0),
            start(1, type="redacted_thinking", data="E"),
            stop(1),
        ],
        [
            n.ThinkingDelta("a"),
            n.SignatureDelta("S", "anthropic"),
            n.SignatureDelta("E", "anthropic", redacted=True),
        ],
    ),
    (
        "blocks that come whole in their start",
        [
            start(0, type="text", text="a"),
            stop(0),
            start(1, **CALL, input={"b": 1}),
            stop(1),
        ],
        [n.TextDelta("a"), n.ToolStart(0, "a", "f"), n.ToolDelta(0, '{"b":1}')],
    ),
    (
        "an input that comes in pieces counts once",
        [
            start(3, **CALL, input={"b": 1}),
            delta(3, "input_json_delta", partial_json='{"b":1}'),
            stop(3),
        ],
        [n.ToolStart(0, "a", "f"), n.ToolDelta(0, '{"b":1}')],
    ),
    (
        "an error, and nothing after it",
        [event("error", error={"type": "overloaded_error"}), event("message_stop")],
        [n.Failure()],
    ),
    ("no JSON", [b"data: {\n\n", event("message_stop")], [n.Failure()]),
    (
        "a stop sequence",
        [event("message_delta", delta={"stop_reason": "stop_sequence", "stop_sequence": "x"})],
        [n.Finish("stop_sequence", "x")],
    ),
    ("the end", [event("message_stop")], [n.End()]),
]


@pytest.mark.parametrize(
    ("chunks", "events"), [s[1:] for s in STREAMS], ids=[s[0] for s in STREAMS]
)
def test_what_providers_send(chunks: list[bytes], events: list[n.Event]) -> None:
    assert read(*chunks) == events


@pytest.mark.parametrize(
    ("reason", "neutral"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("from the future", "stop"),
    ],
)
def test_stop_reasons(reason: str, neutral: n.Stop) -> None:
    assert read(end(reason))[0] == n.Finish(neutral)


def test_memory_does_not_grow_with_the_stream() -> None:
    """The state of a reader and a writer after many pieces is that after few."""

    def state(pieces: int) -> list[Any]:
        reader, writer = MESSAGES.stream_reader(), MESSAGES.stream_writer(FACTS)
        writer.write([n.ThinkingDelta("t"), n.TextDelta("a")])
        for _ in range(pieces):
            writer.write(reader.feed(delta(0, "text_delta", text="abc")))
        values = []
        for machine in (reader, writer):
            for name in type(machine).__slots__:  # type: ignore[attr-defined]
                values.append(repr(getattr(machine, name)).split(" object at")[0])
        return values

    assert state(3) == state(3000)
