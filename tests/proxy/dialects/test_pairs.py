"""Every dialect before every other: a turn with a tool goes around without losing anything.

The provider answers in its dialect, the client gets it in another, sends it back with the tool's
result, and the provider must find its own reasoning, signatures, calls and results again.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import GatewayError
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.neutral import (
    Answer,
    Conversation,
    Dialect,
    Facts,
    Family,
    Finish,
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Refusal,
    SignatureDelta,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tokens,
    Tool,
    ToolCall,
    ToolChoice,
    ToolDelta,
    ToolResult,
    ToolStart,
    UsageNews,
)
from gateway.proxy.dialects.responses import RESPONSES
from tests.proxy.dialects.neutral_values import WORDS, conversations, events_of, fed, merged

FACTS = Facts("req_0193a1", "shop/model", 1_790_000_000)
DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (CHAT, RESPONSES, MESSAGES, GEMINI)
}
PAIRS = [(client, provider) for client in DIALECTS for provider in DIALECTS]
FAMILIES: dict[str, Family] = {
    "chat": "openai",
    "responses": "openai",
    "messages": "anthropic",
    "gemini": "gemini",
}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
CALLS = (
    ToolCall("call_a", "look", '{"city":"Bern"}'),
    ToolCall("call_b", "look", '{"city":"Rom"}'),
)
USAGE = Tokens(5, 3, None, 20, 7)


def answer_of(provider: str) -> Answer:
    """Reasoning, words and parallel calls, signed as the provider's family signs."""
    family = FAMILIES[provider]
    calls = CALLS
    if family == "gemini":
        first = msgspec.structs.replace(CALLS[0], signature="Y2FsbA==", family="gemini")
        calls = (first, CALLS[1])
    return Answer(
        (Thinking("let me see", "c2ln", family), Text("I look."), *calls), "tool_calls", USAGE
    )


# --- how a client of each dialect puts an answer into its next request ----------------------------


def chat_request(answer: dict[str, Any]) -> dict[str, Any]:
    turn = answer["choices"][0]["message"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "sun"}
        for call in turn["tool_calls"]
    ]
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}, turn, *results]}


def responses_request(answer: dict[str, Any]) -> dict[str, Any]:
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "sun"}
        for item in answer["output"]
        if item["type"] == "function_call"
    ]
    turns = [{"role": "user", "content": "hi"}, *answer["output"], *results]
    return {"model": "m", "input": turns}


def messages_request(answer: dict[str, Any]) -> dict[str, Any]:
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "sun"}
        for block in answer["content"]
        if block["type"] == "tool_use"
    ]
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": answer["content"]},
        {"role": "user", "content": results},
    ]
    return {"model": "m", "max_tokens": 100, "messages": turns}


def gemini_request(answer: dict[str, Any]) -> dict[str, Any]:
    content = answer["candidates"][0]["content"]
    results = [
        {"functionResponse": {"name": part["functionCall"]["name"], "response": {"output": "sun"}}}
        for part in content["parts"]
        if "functionCall" in part
    ]
    hi = {"role": "user", "parts": [{"text": "hi"}]}
    return {"contents": [hi, content, {"role": "user", "parts": results}]}


NEXT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "chat": chat_request,
    "responses": responses_request,
    "messages": messages_request,
    "gemini": gemini_request,
}


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_a_turn_goes_around(client: str, provider: str) -> None:
    ours, theirs = DIALECTS[client], DIALECTS[provider]
    given = answer_of(provider)
    answer = theirs.read_answer(theirs.write_answer(given, FACTS))
    request = NEXT[client](json.loads(ours.write_answer(answer, FACTS)))
    conversation = ours.read_request(json.dumps(request).encode())
    conversation = msgspec.structs.replace(conversation, model="gemini-3-pro", max_tokens=100)
    sent = theirs.read_request(theirs.write_request(conversation))
    turns = [message for message in sent.messages if message.role == "assistant"]
    parts = [part for message in turns for part in message.parts]
    assert [part for part in parts if isinstance(part, Text)] == [Text("I look.")]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    assert [(call.id, call.name, json.loads(call.arguments)) for call in calls] == [
        (call.id, call.name, json.loads(call.arguments)) for call in CALLS
    ]
    results = [part for message in sent.messages for part in message.parts]
    assert [(part.call_id, part.parts) for part in results if isinstance(part, ToolResult)] == [
        ("call_a", (Text("sun"),)),
        ("call_b", (Text("sun"),)),
    ]
    if provider != "chat":  # OpenAI's chat endpoint takes no reasoning back
        assert signatures(parts) == signatures(list(given.parts))


def signatures(parts: list[Any]) -> list[tuple[str, str, str | None]]:
    return [
        (type(part).__name__, part.signature, part.family)
        for part in parts
        if isinstance(part, Thinking | ToolCall) and part.signature is not None
    ]


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize("pieces", [2, 100])
def test_a_stream_goes_through(client: str, provider: str, pieces: int) -> None:
    ours, theirs = DIALECTS[client], DIALECTS[provider]
    given = answer_of(provider)
    upstream = theirs.stream_writer(FACTS).write(events_of(given, pieces))
    events = fed(theirs.stream_reader(), upstream, [])
    got = merged(fed(ours.stream_reader(), ours.stream_writer(FACTS).write(events), []))
    assert [event for event in got if isinstance(event, TextDelta)] == [TextDelta("I look.")]
    thoughts = [event.text for event in got if isinstance(event, ThinkingDelta)]
    assert "".join(thoughts) == "let me see"
    assert any(isinstance(event, SignatureDelta) for event in got)
    starts = [event for event in got if isinstance(event, ToolStart)]
    assert [(event.index, event.id, event.name) for event in starts] == [
        (number, call.id, call.name) for number, call in enumerate(CALLS)
    ]
    for number, call in enumerate(CALLS):
        pieces_of_call = [
            e.arguments for e in got if isinstance(e, ToolDelta) and e.index == number
        ]
        assert json.loads("".join(pieces_of_call)) == json.loads(call.arguments)
    assert [event.stop for event in got if isinstance(event, Finish)] == ["tool_calls"]
    usage = [event.usage for event in got if isinstance(event, UsageNews)][-1]
    assert (usage.input, usage.cache_read, usage.output) == (5, 3, 20)


ASKED = Conversation(
    "gemini-2.5-pro",
    (
        Message("system", (Text("be brief"),)),
        Message(
            "user",
            (
                Text("what is it?"),
                Media("image", "image/png", "aGk="),
                Media("image", "image/png", url="https://example.org/a.png"),
                Media("document", "application/pdf", "aGk=", name="a.pdf"),
            ),
        ),
    ),
    tools=(Tool("look", "looks", SCHEMA),),
    tool_choice=ToolChoice("tool", "look"),
    max_tokens=1000,
    temperature=0.5,
    output_format=OutputFormat("json_schema", "city", SCHEMA),
)


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_a_request_goes_through(client: str, provider: str) -> None:
    ours, theirs = DIALECTS[client], DIALECTS[provider]
    got = ours.read_request(ours.write_request(ASKED))
    got = msgspec.structs.replace(got, model=ASKED.model)
    sent = theirs.read_request(theirs.write_request(got))
    texts = [part.text for m in sent.messages for part in m.parts if isinstance(part, Text)]
    assert texts == ["be brief", "what is it?"]
    media = [part for m in sent.messages for part in m.parts if isinstance(part, Media)]
    assert [(part.kind, part.data, part.url) for part in media] == [
        ("image", "aGk=", None),
        ("image", None, "https://example.org/a.png"),
        ("document", "aGk=", None),
    ]
    assert [(tool.name, tool.description, tool.parameters) for tool in sent.tools] == [
        ("look", "looks", SCHEMA)
    ]
    assert sent.tool_choice is not None
    assert (sent.tool_choice.mode, sent.tool_choice.tool) == ("tool", "look")
    assert (sent.max_tokens, sent.temperature) == (1000, 0.5)
    assert sent.output_format is not None
    assert sent.output_format.schema == SCHEMA


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize("stop", ["stop", "length", "content_filter", "refusal"])
def test_why_an_answer_ended_goes_through(client: str, provider: str, stop: Any) -> None:
    ours, theirs = DIALECTS[client], DIALECTS[provider]
    words = Refusal("no") if stop == "refusal" else Text("a")
    answer = theirs.read_answer(theirs.write_answer(Answer((words,), stop, USAGE), FACTS))
    got = ours.read_answer(ours.write_answer(answer, FACTS))
    assert said(got) == ("no" if stop == "refusal" else "a")
    expected = {stop}
    if stop == "refusal":  # not every dialect has a word for it; it never looks cut by length
        expected = {"refusal", "content_filter", "stop"}
    if stop == "content_filter":
        expected = {"content_filter", "refusal"}
    assert got.stop in expected


def said(answer: Answer) -> str:
    return "".join(part.text for part in answer.parts if isinstance(part, Text | Refusal))


@given(
    conversations(
        "gemini",
        media=st.builds(Media, st.just("image"), st.just("image/png"), st.just("aGk=")),
        model=st.sampled_from(["gemini-3-pro", "gemini-2.5-flash", "m"]),
        max_tokens=st.one_of(st.none(), st.integers(0, 9000)),
        temperature=st.one_of(st.none(), st.floats(0, 2)),
        stop=st.lists(WORDS, max_size=2).map(tuple),
        top_k=st.one_of(st.none(), st.integers(0, 9)),
        seed=st.one_of(st.none(), st.integers()),
        choices=st.integers(1, 2),
        tool_choice=st.one_of(
            st.none(),
            st.builds(
                ToolChoice,
                st.sampled_from(["auto", "none", "required"]),
                st.none(),
                st.one_of(st.none(), st.booleans()),
            ),
        ),
        reasoning=st.one_of(
            st.none(),
            st.builds(
                Reasoning,
                st.one_of(st.none(), st.booleans()),
                st.sampled_from([None, "none", "minimal", "low", "xhigh", "max"]),
                st.one_of(st.none(), st.integers(0, 50_000)),
            ),
        ),
    ),
    st.sampled_from(sorted(DIALECTS)),
)
def test_any_conversation_is_written_and_read_or_refused(
    conversation: Conversation, name: str
) -> None:
    dialect = DIALECTS[name]
    try:
        body = dialect.write_request(conversation)
    except GatewayError as error:
        assert error.status == 400
        return
    dialect.read_request(body)
