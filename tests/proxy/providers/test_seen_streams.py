"""Streams as providers were seen to send them, told to every official SDK, and charged.

Each is written after the provider's reference or a capture in a public issue: comments, chunks
without choices, usage in odd places, calls that interleave, signatures without words.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.fakes.clients.asking import Ask
from tests.fakes.clients.matrix import CLIENTS
from tests.fakes.gateway import RunningGateway, running
from tests.fakes.upstream import FakeUpstream, streaming
from tests.proxy.providers.test_kinds import CATALOG, KINDS, MODEL


class Seen(NamedTuple):
    """A stream and what it says."""

    kind: str
    events: list[Any]  # JSON of data-only events, or bytes as they are
    text: str = ""
    thinking: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    tokens: tuple[int, int] = (12, 9)  # input with what was cached, output


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": fields, "finish_reason": finish, "logprobs": None}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments}, **more}


def begun(index: int, name: str) -> dict[str, Any]:
    function = {"name": "weather", "arguments": ""}
    return {"index": index, "id": f"call_{name}", "type": "function", "function": function}


USAGE = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
DONE = b"data: [DONE]\n\n"
BERN, ZURICH = ("weather", {"city": "Bern"}), ("weather", {"city": "Zürich"})


def said(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def block(index: int, kind: dict[str, Any], *deltas: dict[str, Any]) -> list[bytes]:
    return [
        said("content_block_start", index=index, content_block=kind),
        *(said("content_block_delta", index=index, delta=one) for one in deltas),
        said("content_block_stop", index=index),
    ]


OPENING = said(
    "message_start",
    message={
        **{"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []},
        "usage": {"input_tokens": 8, "cache_read_input_tokens": 4, "output_tokens": 1},
    },
)


def candidate(*parts: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    one: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        one["finishReason"] = finish
    return {"candidates": [one], "responseId": "r", **more}


COUNTED = {"promptTokenCount": 12, "candidatesTokenCount": 5, "thoughtsTokenCount": 4}

STREAMS: dict[str, Seen] = {
    "azure: filters before and beside the text": Seen(
        "chat",
        [
            {"id": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
            delta(role="assistant", content="", refusal=None),
            delta(content="Hello"),
            {**delta(content=" you"), "content_filter_results": {"hate": {"filtered": False}}},
            delta("stop"),
            {"id": "c", "choices": [], "usage": USAGE},
            DONE,
        ],
        "Hello you",
    ),
    "openrouter: comments, reasoning twice, its own reason": Seen(
        "chat",
        [
            b": OPENROUTER PROCESSING\n\n",
            delta(
                role="assistant",
                content="",
                reasoning="Hm.",
                reasoning_details=[{"type": "reasoning.text", "text": "Hm.", "index": 0}],
            ),
            b": OPENROUTER PROCESSING\n\n",
            delta(content="Hello", reasoning=None),
            {**delta("stop", content=""), "provider": "X", "native_finish_reason": "completed"},
            {"id": "c", "choices": [], "usage": {**USAGE, "cost": 0.1, "is_byok": False}},
            DONE,
        ],
        "Hello",
        "Hm.",
    ),
    "groq: usage under its own name as well": Seen(
        "chat",
        [
            {**delta(role="assistant", content=""), "x_groq": {"id": "req"}},
            delta(content="Hello"),
            {**delta("stop"), "x_groq": {"id": "req", "usage": USAGE}},
            {"id": "c", "choices": [], "usage": USAGE},
            DONE,
        ],
        "Hello",
    ),
    "deepseek: null beside text, usage with the end": Seen(
        "chat",
        [
            b": keep-alive\n\n",
            delta(role="assistant", content=None, reasoning_content=""),
            delta(content=None, reasoning_content="So."),
            delta(content="Hello", reasoning_content=None),
            {**delta("stop", content=""), "usage": {**USAGE, "prompt_cache_hit_tokens": 4}},
            DONE,
        ],
        "Hello",
        "So.",
    ),
    "mistral: content in parts": Seen(
        "chat",
        [
            delta(role="assistant", content=""),
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "So."}]}]),
            delta(content=[{"type": "text", "text": "Hello"}]),
            {**delta("stop", content=""), "usage": USAGE},
            DONE,
        ],
        "Hello",
        "So.",
    ),
    "moonshot: usage inside the choice too": Seen(
        "chat",
        [
            delta(role="assistant", content="Hello"),
            {"id": "c", "choices": [{**delta("stop")["choices"][0], "usage": USAGE}]},
            {"id": "c", "choices": [], "usage": {**USAGE, "cached_tokens": 4}},
            DONE,
        ],
        "Hello",
    ),
    "openai: parallel calls that interleave": Seen(
        "chat",
        [
            delta(role="assistant", content=None, tool_calls=[begun(0, "a")]),
            delta(tool_calls=[call(0, '{"city":')]),
            delta(tool_calls=[begun(1, "b")]),
            delta(tool_calls=[call(1, '{"city": "Z'), call(0, ' "Bern"')]),
            delta(tool_calls=[call(0, "}")]),
            delta(tool_calls=[call(1, 'ürich"}')]),
            delta("tool_calls"),
            {"id": "c", "choices": [], "usage": USAGE},
            DONE,
        ],
        calls=(BERN, ZURICH),
    ),
    "qwen: an empty id in later pieces, stop for calls": Seen(
        "chat",
        [
            delta(role="assistant", content="", tool_calls=[begun(0, "a")]),
            delta(tool_calls=[call(0, '{"city": ', id="", type="function")]),
            delta(tool_calls=[call(0, '"Bern"}', id="", type=None)]),
            delta("stop", content=""),
            {"id": "c", "choices": [], "usage": USAGE},
            DONE,
        ],
        calls=(BERN,),
    ),
    "gemini's own chat: every call is number 0": Seen(
        "chat",
        [
            delta(tool_calls=[{**begun(0, "a"), **call(0, '{"city": "Bern"}')}]),
            delta(tool_calls=[{**begun(0, "b"), **call(0, '{"city": "Zürich"}')}]),
            {**delta("tool_calls"), "usage": USAGE},
            DONE,
        ],
        calls=(BERN, ZURICH),
    ),
    "claude: thoughts withheld, pings, citations": Seen(
        "messages",
        [
            OPENING,
            said("ping"),
            *block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "signature_delta", "signature": "c2ln"},
            ),
            *block(1, {"type": "redacted_thinking", "data": "cmVk"}),
            *block(
                2,
                {"type": "text", "text": "", "citations": []},
                {"type": "text_delta", "text": "Hel"},
                {"type": "citations_delta", "citation": {"type": "char_location"}},
                {"type": "text_delta", "text": "lo"},
            ),
            said("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9}),
            said("message_stop"),
        ],
        "Hello",
    ),
    "claude: a call without arguments after text": Seen(
        "messages",
        [
            OPENING,
            *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "I look."}),
            *block(
                1,
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"city": "Be'},
                {"type": "input_json_delta", "partial_json": 'rn"}'},
            ),
            said("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 4}),
            said("message_delta", delta={}, usage={"output_tokens": 9}),
            said("message_stop"),
        ],
        "I look.",
        calls=(BERN,),
    ),
    "gemini: STOP in a chunk of its own": Seen(
        "gemini",
        [
            candidate({"text": "So.", "thought": True}, usageMetadata={"promptTokenCount": 12}),
            candidate(
                {
                    "functionCall": {"name": "weather", "args": {"city": "Bern"}},
                    "thoughtSignature": "c2ln",
                },
                {"functionCall": {"name": "weather", "args": {"city": "Zürich"}}},
                usageMetadata={"trafficType": "ON_DEMAND"},
            ),
            candidate({"text": ""}, finish="STOP", usageMetadata=COUNTED),
        ],
        thinking="So.",
        calls=(BERN, ZURICH),
    ),
    "gemini: STOP in every chunk": Seen(
        "gemini",
        [
            candidate({"text": "Hel"}, finish="STOP", usageMetadata={"promptTokenCount": 12}),
            candidate({"text": "lo"}, finish="STOP", usageMetadata=COUNTED),
        ],
        "Hello",
    ),
    "openai: reasoning without a summary, keep-alives, padding": Seen(
        "responses",
        [
            said("response.created", sequence_number=0, response={"id": "r", "error": None}),
            said("keepalive", sequence_number=1),
            said(
                "response.output_item.added",
                output_index=0,
                item={"type": "reasoning", "id": "rs", "summary": []},
            ),
            said(
                "response.output_item.done",
                output_index=0,
                item={"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "c2ln"},
            ),
            said(
                "response.output_item.added",
                output_index=1,
                item={"type": "message", "id": "msg", "role": "assistant", "content": []},
            ),
            said("response.output_text.delta", output_index=1, delta="Hello", obfuscation="xyz"),
            said(
                "response.completed",
                response={
                    **{"id": "r", "status": "completed", "output": [], "error": None},
                    "usage": {"input_tokens": 12, "output_tokens": 9, "total_tokens": 21},
                },
            ),
        ],
        "Hello",
    ),
}
NEXT = {
    "chat": STREAMS["deepseek: null beside text, usage with the end"],
    "messages": STREAMS["claude: thoughts withheld, pings, citations"],
    "gemini": STREAMS["gemini: STOP in every chunk"],
}


def written(events: list[Any]) -> list[bytes]:
    return [
        event if isinstance(event, bytes) else f"data: {json.dumps(event)}\n\n".encode()
        for event in events
    ]


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    catalog = CATALOG.format(port=upstream.port)
    for name, model in KINDS.items():
        catalog += MODEL.format(name=name, upstream=model)
    async with running(tmp_path / "data", catalog=catalog, upstream_attempts=1) as one:
        yield one


@pytest.mark.parametrize(
    ("client", "name"),
    # In the client's own dialect a stream passes as it came.
    [(client, name) for client in CLIENTS for name in STREAMS if STREAMS[name].kind != client],
)
async def test_every_client_is_told_the_same(
    gateway: RunningGateway, upstream: FakeUpstream, client: str, name: str
) -> None:
    seen = STREAMS[name]
    answers = [seen, NEXT.get(seen.kind, seen)]

    async def handle(request: Any, writer: Any) -> None:
        one = answers.pop(0)
        await streaming(*written(one.events))(request, writer)

    upstream.handler = handle
    ask = Ask(stream=True, tools=bool(seen.calls))
    told = (await CLIENTS[client](gateway.url, gateway.key, seen.kind, ask))[0]
    assert (told.text, told.thinking) == (seen.text, seen.thinking)
    assert [arguments for _, arguments in told.calls] == [given for _, given in seen.calls]
    assert told.called == bool(seen.calls)
    assert (told.input, told.output) == seen.tokens
    rows = await gateway.rows()
    assert {row["basis"] for row in rows} == {"reported"}
    assert rows[-1]["input_tokens"] + (rows[-1]["cache_read_tokens"] or 0) == seen.tokens[0]
    assert rows[-1]["output_tokens"] == seen.tokens[1]
    await gateway.assert_nothing_leaked()
