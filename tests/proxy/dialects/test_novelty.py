"""What is new at a provider, in streams and answers, breaks nothing that was known before."""

import json
from typing import Any

import pytest

from gateway.base.errors import UpstreamBadResponse
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.marked import without_marked
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.responses import RESPONSES
from tests.fakes.providers import chat, gemini, messages, responses
from tests.fakes.providers.plan import plan
from tests.proxy.dialects.neutral_values import fed, merged
from tests.proxy.dialects.test_handwritten import PROVIDERS, SEEN
from tests.proxy.dialects.turns import FACTS

# Before each event of a stream: kinds that no reference knows, and known ones with unknown insides.
NEW: dict[str, list[dict[str, Any]]] = {
    chat.__name__: [
        {"object": "chat.completion.notice", "choices": [], "notice": {"a": [1]}},
        {"choices": [{"index": 0, "delta": {"hologram": {"x": 1}}, "finish_reason": None}]},
        {"choices": None, "obfuscation": "abc", "service_tier": {"later": True}},
    ],
    messages.__name__: [
        {"type": "weather", "delta": "a text", "index": "none", "message": 3},
        {"type": "weather", "usage": 7, "content_block": ["x"]},
        {"type": "content_block_start", "index": 90, "content_block": {"type": "hologram"}},
        {
            "type": "content_block_start",
            "index": 91,
            "content_block": {"type": "hologram", "text": {"deep": 1}, "data": []},
        },
        {"type": "content_block_delta", "index": 90, "delta": {"type": "ray", "text": [1]}},
        {"type": "content_block_delta", "index": 90, "delta": {"type": "ray", "beam": 1}},
        {"type": "content_block_stop", "index": 90},
        {"type": "ping", "cost": None},
    ],
    responses.__name__: [
        {"type": "response.hologram.delta", "delta": {"x": 1}, "output_index": "none"},
        {"type": "keepalive", "sequence_number": 1},
        {"type": "response.output_item.added", "output_index": 70, "item": {"type": "hologram"}},
        {
            "type": "response.output_item.done",
            "output_index": 70,
            "item": {"type": "hologram", "content": "x", "arguments": {"a": 1}, "summary": 3},
        },
    ],
    gemini.__name__: [
        {"candidates": [], "hologram": 1},
        {"candidates": [{"content": {"parts": [{"hologram": {"x": 1}}]}, "index": 0}]},
        {"modelStatus": {"stage": "x"}, "usageMetadata": None},
    ],
}


@pytest.mark.parametrize(("ours", "theirs"), PROVIDERS)
@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_new_events_are_passed_over(ours: n.Dialect, theirs: Any, seen: Any) -> None:
    known = theirs.stream(plan(seen))
    new = [
        b"event: %b\ndata: %b\n\n"
        % (str(event.get("type", "x")).encode(), json.dumps(event).encode())
        for event in NEW[theirs.__name__]
    ]
    mixed = [piece for event in known for piece in (*new, event)]
    expected = merged(fed(ours.stream_reader(), b"".join(known), []))
    assert merged(fed(ours.stream_reader(), b"".join(mixed), [])) == expected


@pytest.mark.parametrize(
    ("dialect", "event"),
    [
        (MESSAGES, b'{"type":"content_block_delta","delta":{"type":"text_delta","text":1}}'),
        (MESSAGES, b'{"type":"message_delta","delta":3}'),
        (MESSAGES, b'{"type":7}'),
        (RESPONSES, b'{"type":"response.output_text.delta","delta":{}}'),
        (RESPONSES, b'{"type":"response.output_item.done","item":{"type":"message","content":1}}'),
        (RESPONSES, b'{"type":"response.completed","response":{"status":4}}'),
        (CHAT, b'{"choices":[{"delta":{"content":4}}]}'),
    ],
)
def test_what_is_known_must_be_right(dialect: n.Dialect, event: bytes) -> None:
    assert fed(dialect.stream_reader(), b"data: " + event + b"\n\n", []) == [n.Failure()]


def test_new_items_of_a_whole_answer_are_passed_over() -> None:
    said = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
    new = {"type": "hologram", "content": "x", "arguments": {}, "summary": 3, "name": []}
    answer = {"status": "completed", "output": [new, said, new]}
    assert RESPONSES.read_answer(json.dumps(answer).encode()).parts == (n.Text("hi"),)
    answer["output"] = [{**said, "content": 7}]
    with pytest.raises(UpstreamBadResponse):
        RESPONSES.read_answer(json.dumps(answer).encode())


def test_arguments_may_be_the_object_itself() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    whole = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    expected = n.ToolCall("c", "f", '{"a":1}')
    assert CHAT.read_answer(json.dumps(whole).encode()).parts == (expected,)
    chunk = {"choices": [{"delta": message}]}
    events = fed(CHAT.stream_reader(), f"data: {json.dumps(chunk)}\n\n".encode(), [])
    assert events == [n.ToolStart(0, "c", "f"), n.ToolDelta(0, '{"a":1}')]


@pytest.mark.parametrize(
    "details",
    [
        "because",
        {"type": "reasoning.text", "text": "because", "id": 7, "index": 0},
        [{"type": "reasoning.text", "text": "because", "data": {"x": 1}}, 3, None],
        ["bec", {"text": "ause"}],
    ],
)
def test_details_of_reasoning_come_in_several_shapes(details: Any) -> None:
    """OpenRouter's list of entries is MiniMax's one entry, or its text."""
    message = {"role": "assistant", "content": "hi", "reasoning_details": details}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}]}
    parts = CHAT.read_answer(json.dumps(whole).encode()).parts
    thoughts = [part.text for part in parts if isinstance(part, n.Thinking)]
    assert "".join(thoughts) == "because" and parts[-1] == n.Text("hi")
    chunk = {"choices": [{"delta": message}]}
    events = fed(CHAT.stream_reader(), b"data: %b\n\n" % json.dumps(chunk).encode(), [])
    assert merged(events) == [n.ThinkingDelta("because"), n.TextDelta("hi")]


def test_thoughts_that_nobody_signed_survive_a_client_of_responses() -> None:
    """DeepSeek and Moonshot refuse a turn of tools whose reasoning did not come back."""
    call = n.ToolCall("c", "f", "{}")
    answer = n.Answer((n.Thinking("because"), call), "tool_calls")
    whole = json.loads(RESPONSES.write_answer(answer, FACTS))["output"]
    written = RESPONSES.stream_writer(FACTS).write(
        [
            n.ThinkingDelta("because"),
            n.ToolStart(0, "c", "f"),
            n.ToolDelta(0, "{}"),
            n.Finish("tool_calls"),
            n.End(),
        ]
    )
    last = json.loads(written.rstrip().rpartition(b"data: ")[2])
    for items in (whole, last["response"]["output"]):
        assert items[0]["type"] == "reasoning" and items[0]["encrypted_content"]
        output = {"type": "function_call_output", "call_id": "c", "output": "r"}
        body = json.dumps({"model": "m", "input": [*items, output]}).encode()
        asked = RESPONSES.read_request(body)
        assert asked.messages[0].parts == (n.Thinking("because"), call)
        sent = json.loads(CHAT.write_request(asked))["messages"][0]
        assert sent["reasoning_content"] == "because"
        # A provider of Responses itself would take the mark for a signature of its own.
        assert [item["type"] for item in json.loads(without_marked(body))["input"]] == [
            "function_call",
            "function_call_output",
        ]
