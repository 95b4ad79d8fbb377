"""Messages requests: what is read, written, left out and refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import GatewayError, InvalidRequest, Untranslatable
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.messages.request_writer import DEFAULT_MAX_TOKENS
from gateway.proxy.dialects.messages.shapes import DROPPED, REFUSED
from tests.proxy.dialects.neutral_values import NAMES, SIGNATURES
from tests.proxy.dialects.turns import BASE64, CLOSED, SCHEMAS, TEXTS, TOOLS, exchanges

USER = {"role": "user", "content": "hi"}
TTLS = st.sampled_from([None, 300, 3600])


def read(**fields: Any) -> n.Conversation:
    body = {"model": "m", "max_tokens": 9, "messages": [USER], **fields}
    return MESSAGES.read_request(json.dumps(body).encode())


def written(**fields: Any) -> Any:
    messages = fields.pop("messages", (n.Message("user", (n.Text("hi"),)),))
    model = fields.pop("model", "claude-opus-5")
    return json.loads(MESSAGES.write_request(n.Conversation(model, messages, **fields)))


def read_parts(*blocks: dict[str, Any]) -> tuple[n.Part, ...]:
    return read(messages=[{"role": "user", "content": list(blocks)}]).messages[0].parts


# --- reading --------------------------------------------------------------------------------------

FORMAT = {"type": "json_schema", "schema": CLOSED}
SCHEMA = n.OutputFormat("json_schema", None, CLOSED, True)
READ: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "max_tokens", 9),
    ({"stop_sequences": ["a"]}, "stop", ("a",)),
    ({"top_k": 3}, "top_k", 3),
    ({"stream": True}, "stream", True),
    ({"tool_choice": {"type": "any"}}, "tool_choice", n.ToolChoice("required")),
    (
        {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        "tool_choice",
        n.ToolChoice("tool", "f", False),
    ),
    ({"output_config": {"format": FORMAT}}, "output_format", SCHEMA),
    ({"output_format": FORMAT}, "output_format", SCHEMA),
    ({"output_config": {"effort": "low"}}, "reasoning", n.Reasoning(effort="low")),
    ({"thinking": {"type": "disabled"}}, "reasoning", n.Reasoning(False)),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "reasoning",
        n.Reasoning(True, None, 2000),
    ),
    (
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        "reasoning",
        n.Reasoning(True, include_thoughts=False),
    ),
    ({"service_tier": "standard_only"}, "service_tier", "default"),
]


@pytest.mark.parametrize(("fields", "name", "value"), READ)
def test_fields_are_read(fields: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(read(**fields), name) == value


def source(**fields: str) -> dict[str, Any]:
    return {"source": fields}


PARTS: list[tuple[dict[str, Any], n.Part]] = [
    ({"type": "text", "text": "a", "citations": None}, n.Text("a")),
    ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, n.Text("a", 300)),
    (
        {"type": "image", **source(type="base64", media_type="image/png", data="AAAA")},
        n.Media("image", "image/png", "AAAA"),
    ),
    ({"type": "image", **source(type="url", url="https://a")}, n.Media("image", url="https://a")),
    (
        {"type": "document", **source(type="text", media_type="text/plain", data="hello")},
        n.Media("document", "text/plain", "aGVsbG8="),
    ),
    (
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1.5, None]}},
        n.ToolCall("t", "f", '{"a": [1.5, null]}'),
    ),
    (
        {"type": "tool_result", "tool_use_id": "t", "content": "r", "is_error": True},
        n.ToolResult("t", (n.Text("r"),), is_error=True),
    ),
    ({"type": "tool_result", "tool_use_id": "t"}, n.ToolResult("t", ())),
    ({"type": "thinking", "thinking": "a", "signature": ""}, n.Thinking("a")),
    (
        {"type": "thinking", "thinking": "a", "signature": "S"},
        n.Thinking("a", "S", "anthropic"),
    ),
    (
        {"type": "thinking", "thinking": "a", "signature": "tallygate:openai:S"},
        n.Thinking("a", "S", "openai"),
    ),
    ({"type": "redacted_thinking", "data": "S"}, n.Thinking("", "S", "anthropic", True)),
    (
        {"type": "redacted_thinking", "data": "tallygate:openai:redacted:S"},
        n.Thinking("", "S", "openai", True),
    ),
]


@pytest.mark.parametrize(("block", "expected"), PARTS)
def test_blocks_are_read(block: dict[str, Any], expected: n.Part) -> None:
    assert read_parts(block) == (expected,)


def test_the_signature_of_a_call_comes_back_to_it() -> None:
    mark = {"type": "redacted_thinking", "data": "tallygate:gemini:S"}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    assert read_parts(mark, call) == (n.ToolCall("t", "f", "{}", "S", "gemini"),)


def test_system_texts_keep_their_places() -> None:
    system = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    found = read(system=system, messages=[USER, {"role": "system", "content": "c"}])
    assert [message.role for message in found.messages] == ["system", "user", "system"]
    assert found.messages[0].parts == (n.Text("a"), n.Text("b"))


@pytest.mark.parametrize("field", sorted(DROPPED))
def test_what_the_answer_does_not_depend_on_is_left_out(field: str) -> None:
    conversation = read(**{field: {"user_id": "canary"}})
    assert "canary" not in repr(conversation)
    assert b"canary" not in MESSAGES.write_request(conversation)


@pytest.mark.parametrize("field", sorted(REFUSED))
def test_what_would_change_the_answer_is_refused_by_name(field: str) -> None:
    for silent in REFUSED[field]:
        read(**{field: silent})
    with pytest.raises(Untranslatable) as refused:
        read(**{field: "wish"})
    assert refused.value.param == field


TOOL = {"name": "f", "input_schema": {"type": "object"}}
DOCUMENT = {"type": "document", **source(type="url", url="https://a")}
REFUSALS: list[tuple[dict[str, Any], type[GatewayError], str]] = [
    ({"unheard_of": 1}, Untranslatable, "unheard_of"),
    (
        {"tools": [{"type": "web_search_20250305", "name": "canary"}]},
        Untranslatable,
        "tools[0].type",
    ),
    ({"tools": [{**TOOL, "max_uses": 3}]}, Untranslatable, "tools[0].max_uses"),
    ({"tools": [{**TOOL, "defer_loading": True}]}, Untranslatable, "tools[0].defer_loading"),
    ({"thinking": {"type": "between_tools"}}, Untranslatable, "thinking.type"),
    ({"tool_choice": {"type": "canary"}}, InvalidRequest, "tool_choice"),
    ({"messages": [{"role": "canary", "content": "a"}]}, InvalidRequest, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 1}]}, InvalidRequest, "messages[0].content"),
    ({"service_tier": "canary"}, Untranslatable, "service_tier"),
    (
        {"messages": [{"role": "user", "content": [{**DOCUMENT, "citations": {"enabled": True}}]}]},
        Untranslatable,
        "messages[0].content[0].citations",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "server_tool_use"}]}]},
        Untranslatable,
        "messages[0].content[0].type",
    ),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", **source(type="file", file_id="canary")},
                    ],
                }
            ]
        },
        Untranslatable,
        "messages[0].content[0].source",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        InvalidRequest,
        "messages[0].content[0]",
    ),
]


@pytest.mark.parametrize(("fields", "error", "param"), REFUSALS)
def test_refusals_name_the_field_and_no_value(
    fields: dict[str, Any], error: type[GatewayError], param: str
) -> None:
    with pytest.raises(error) as refused:
        read(**fields)
    assert refused.value.param == param
    assert "canary" not in refused.value.text


# --- writing --------------------------------------------------------------------------------------


def test_a_maximum_is_always_written() -> None:
    assert written()["max_tokens"] == DEFAULT_MAX_TOKENS
    assert written(max_tokens=5)["max_tokens"] == 5


def test_system_and_developer_texts_are_gathered_in_order() -> None:
    def said(role: n.Role, text: str) -> n.Message:
        return n.Message(role, (n.Text(text),))

    found = written(messages=(said("system", "a"), said("user", "b"), said("developer", "c")))
    assert [block["text"] for block in found["system"]] == ["a", "c"]
    assert [message["role"] for message in found["messages"]] == ["user"]


def test_system_text_alone_is_a_turn_of_the_user() -> None:
    found = written(messages=(n.Message("system", (n.Text("say hi"),)),))
    assert found["messages"] == [{"role": "user", "content": [{"type": "text", "text": "say hi"}]}]
    assert "system" not in found


def test_reasoning_of_other_families_is_left_out_and_empty_texts_too() -> None:
    parts = (
        n.Thinking("free"),
        n.Thinking("theirs", "S", "openai"),
        n.Thinking("ours", "S", "anthropic"),
        n.Text(""),
        n.Text("a"),
    )
    found = written(messages=(n.Message("assistant", parts), n.Message("user", (n.Text(""),))))
    ours = {"type": "thinking", "thinking": "ours", "signature": "S"}
    assert found["messages"] == [
        {"role": "assistant", "content": [ours, {"type": "text", "text": "a"}]}
    ]


def test_ids_of_calls_are_written_in_the_letters_the_api_takes() -> None:
    call = n.ToolCall("functions.f:0", "f", "")
    result = n.ToolResult("functions.f:0", ())
    found = written(messages=(n.Message("assistant", (call,)), n.Message("user", (result,))))
    assert found["messages"][0]["content"][0] == {
        "type": "tool_use",
        "id": "functions_f_0",
        "name": "f",
        "input": {},
    }
    assert found["messages"][1]["content"][0]["tool_use_id"] == "functions_f_0"


UNSAYABLE: list[tuple[dict[str, Any], str]] = [
    ({"choices": 2}, "n"),
    ({"temperature": 1.5}, "temperature"),
    ({"presence_penalty": 0.1}, "presence_penalty"),
    ({"frequency_penalty": -0.1}, "frequency_penalty"),
    ({"output_format": n.OutputFormat("json")}, "response_format"),
    ({"verbosity": "low"}, "verbosity"),
    ({"service_tier": "flex"}, "service_tier"),
    (
        {"messages": (n.Message("user", (n.Media("audio", "audio/wav", "AAAA"),)),)},
        "messages[0]",
    ),
    (
        {"messages": (n.Message("user", (n.Media("document", "application/zip", "AAAA"),)),)},
        "messages[0]",
    ),
    (
        {"messages": (n.Message("assistant", (n.ToolCall("t", "f", "[1]"),)),)},
        "messages[0].tool_calls",
    ),
]


@pytest.mark.parametrize(("fields", "param"), UNSAYABLE)
def test_what_this_dialect_cannot_say_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        written(**fields)
    assert refused.value.param == param


def test_harmless_values_are_written() -> None:
    found = written(
        presence_penalty=0.0, seed=1, service_tier="default", verbosity="medium", temperature=1.0
    )
    assert found["service_tier"] == "standard_only"
    assert not {"seed", "verbosity", "presence_penalty"} & set(found)


# --- there and back -------------------------------------------------------------------------------

MEDIA = st.one_of(
    st.builds(
        n.Media,
        st.sampled_from(["image"]),
        st.sampled_from(["image/png", "image/webp"]),
        BASE64,
        cache_ttl_s=TTLS,
    ),
    st.builds(n.Media, st.sampled_from(["image", "document"]), url=st.just("https://a/b")),
    st.builds(
        n.Media,
        st.just("document"),
        st.just("application/pdf"),
        BASE64,
        name=st.one_of(st.none(), TEXTS),
    ),
    st.just(n.Media("document", "text/plain", "aGVsbG8=")),
)
RESULTS = st.builds(
    n.ToolResult,
    NAMES,
    st.lists(st.one_of(st.builds(n.Text, TEXTS), MEDIA), max_size=2).map(tuple),
    is_error=st.booleans(),
    cache_ttl_s=TTLS,
)
USERS = st.lists(
    st.one_of(st.builds(n.Text, TEXTS, TTLS), MEDIA, RESULTS), min_size=1, max_size=3
).map(lambda parts: [n.Message("user", tuple(parts))])
THOUGHTS = st.one_of(
    st.builds(n.Thinking, TEXTS, SIGNATURES, st.just("anthropic")),
    st.builds(n.Thinking, st.just(""), SIGNATURES, st.just("anthropic"), st.just(True)),
)


@st.composite
def conversations(draw: st.DrawFn) -> n.Conversation:
    turns = draw(st.lists(st.one_of(USERS, exchanges(THOUGHTS)), min_size=1, max_size=4))
    messages = [message for turn in turns for message in turn]
    system = draw(st.lists(st.builds(n.Text, TEXTS, TTLS), max_size=2))
    if system:
        messages.insert(0, n.Message("system", tuple(system)))
    tools = draw(st.lists(TOOLS, max_size=2))
    parallel = st.sampled_from([None, True, False])
    choices = st.one_of(
        st.none(),
        st.builds(n.ToolChoice, st.sampled_from(["auto", "required"]), parallel=parallel),
        st.just(n.ToolChoice("none")),
        st.builds(n.ToolChoice, st.just("tool"), NAMES, parallel),
    )
    numbers = st.one_of(st.none(), st.floats(0, 1))
    maximum = draw(st.integers(1, 10**6))
    return n.Conversation(
        "claude-opus-5",
        tuple(messages),
        tuple(tools),
        draw(choices) if tools else None,
        draw(st.booleans()),
        maximum,
        draw(numbers),
        draw(numbers),
        draw(st.one_of(st.none(), st.integers(1, 99))),
        tuple(draw(st.lists(TEXTS, max_size=2))),
        output_format=draw(
            st.one_of(
                st.none(),
                st.builds(
                    n.OutputFormat, st.just("json_schema"), st.none(), SCHEMAS, st.just(True)
                ),
            )
        ),
        reasoning=draw(
            st.sampled_from(
                [
                    None,
                    n.Reasoning(False),
                    n.Reasoning(True, "low"),
                    n.Reasoning(True, include_thoughts=True),
                ]
            )
        ),
        include_usage=True,
    )


@given(conversations())
def test_a_request_survives_the_way_there_and_back(conversation: n.Conversation) -> None:
    assert MESSAGES.read_request(MESSAGES.write_request(conversation)) == conversation


@given(conversations())
def test_any_request_is_written_as_chat_or_refused_by_name(conversation: n.Conversation) -> None:
    """What chat cannot say has a name; what it can is a request that chat reads."""
    try:
        body = CHAT.write_request(conversation)
    except Untranslatable as refused:
        assert refused.param
        return
    found = CHAT.read_request(body)
    assert found.max_tokens == conversation.max_tokens

    def spoken(of: n.Conversation) -> list[str]:
        parts = [part for message in of.messages for part in message.parts]
        return sorted(part.id for part in parts if isinstance(part, n.ToolCall))

    assert spoken(found) == spoken(conversation)
