"""Chat completions requests: what is read, written, left out and refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import GatewayError, InvalidRequest, Untranslatable
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.chat.shapes import DROPPED, REFUSED
from tests.proxy.dialects.neutral_values import NAMES
from tests.proxy.dialects.turns import BASE64, SCHEMAS, TEXTS, TOOLS, exchanges

USER = {"role": "user", "content": "hi"}


def read(**fields: Any) -> n.Conversation:
    return CHAT.read_request(json.dumps({"model": "m", "messages": [USER], **fields}).encode())


def written(**fields: Any) -> Any:
    messages = fields.pop("messages", (n.Message("user", (n.Text("hi"),)),))
    return json.loads(CHAT.write_request(n.Conversation("m", messages, **fields)))


# --- reading --------------------------------------------------------------------------------------

READ: list[tuple[dict[str, Any], str, Any]] = [
    ({"max_tokens": 5}, "max_tokens", 5),
    ({"max_tokens": 5, "max_completion_tokens": 7}, "max_tokens", 7),
    ({"temperature": 1}, "temperature", 1.0),
    ({"stop": "a"}, "stop", ("a",)),
    ({"stop": ["a", "b"]}, "stop", ("a", "b")),
    ({"n": 3}, "choices", 3),
    ({"seed": 0}, "seed", 0),
    ({"stream": True}, "stream", True),
    ({"stream": True, "stream_options": {"include_usage": True}}, "include_usage", True),
    ({"tool_choice": "required"}, "tool_choice", n.ToolChoice("required")),
    (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        "tool_choice",
        n.ToolChoice("tool", "f"),
    ),
    ({"parallel_tool_calls": False}, "tool_choice", n.ToolChoice("auto", None, False)),
    ({"response_format": {"type": "text"}}, "output_format", None),
    ({"response_format": {"type": "json_object"}}, "output_format", n.OutputFormat("json")),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True},
            }
        },
        "output_format",
        n.OutputFormat("json_schema", "a", {"type": "object"}, True),
    ),
    ({"reasoning_effort": "high"}, "reasoning", n.Reasoning(effort="high")),
    ({"reasoning_effort": "none"}, "reasoning", n.Reasoning(False)),
    (
        {"reasoning": {"max_tokens": 9, "exclude": True}},
        "reasoning",
        n.Reasoning(budget_tokens=9, include_thoughts=False),
    ),
    ({"thinking": {"type": "disabled"}}, "reasoning", n.Reasoning(False)),
    ({"enable_thinking": True, "thinking_budget": 4}, "reasoning", n.Reasoning(True, None, 4)),
    ({}, "reasoning", None),
    ({}, "tool_choice", None),
    ({}, "temperature", None),
]


@pytest.mark.parametrize(("fields", "name", "value"), READ)
def test_fields_are_read(fields: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(read(**fields), name) == value


PARTS: list[tuple[dict[str, Any], n.Part]] = [
    ({"type": "text", "text": "a"}, n.Text("a")),
    (
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        n.Text("a", 300),
    ),
    (
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        n.Text("a", 3600),
    ),
    (
        {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
        n.Media("image", url="https://a/b.png", detail="low"),
    ),
    (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        n.Media("image", "image/png", "AAAA"),
    ),
    (
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        n.Media("audio", "audio/wav", "AAAA"),
    ),
    (
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        },
        n.Media("document", "application/pdf", "AAAA", name="a.pdf"),
    ),
]


@pytest.mark.parametrize(("part", "expected"), PARTS)
def test_parts_are_read(part: dict[str, Any], expected: n.Part) -> None:
    found = read(messages=[{"role": "user", "content": [part]}])
    assert found.messages == (n.Message("user", (expected,)),)


def test_parallel_results_become_one_turn_after_their_calls() -> None:
    def call(number: int) -> dict[str, Any]:
        function = {"name": "f", "arguments": '{"a": 1.50}'}
        return {"id": f"c{number}", "type": "function", "function": function}

    found = read(
        messages=[
            {"role": "developer", "content": "d"},
            USER,
            {"role": "assistant", "content": None, "tool_calls": [call(1), call(2)]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
            USER,
        ]
    )
    user = n.Message("user", (n.Text("hi"),))
    calls = tuple(n.ToolCall(f"c{i}", "f", '{"a": 1.50}') for i in (1, 2))
    results = (n.ToolResult("c1", (n.Text("one"),)), n.ToolResult("c2", (n.Text("two"),)))
    assert found.messages == (
        n.Message("developer", (n.Text("d"),)),
        user,
        n.Message("assistant", calls),
        n.Message("user", results),
        user,
    )


def test_reasoning_comes_back_with_its_signatures() -> None:
    detail = {"type": "reasoning.text", "text": "t", "signature": "S", "index": 0}
    message = {
        "role": "assistant",
        "content": "a",
        "reasoning_content": "t",
        "reasoning_details": [
            {**detail, "format": "anthropic-claude-v1"},
            {"type": "reasoning.encrypted", "data": "E", "format": "anthropic-claude-v1"},
            {"type": "reasoning.encrypted", "data": "G", "id": "c", "format": "google-gemini-v1"},
        ],
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    }
    assert read(messages=[message]).messages[0].parts == (
        n.Thinking("t", "S", "anthropic"),
        n.Thinking("", "E", "anthropic", True),
        n.Text("a"),
        n.ToolCall("c", "f", "{}", "G", "gemini"),
    )


@pytest.mark.parametrize("field", sorted(DROPPED))
def test_what_the_answer_does_not_depend_on_is_left_out(field: str) -> None:
    secret = f"canary-{field}"
    conversation = read(**{field: {"x": secret}})
    assert secret not in repr(conversation)
    assert secret.encode() not in CHAT.write_request(conversation)


@pytest.mark.parametrize("field", sorted(REFUSED))
def test_what_would_change_the_answer_is_refused_by_name(field: str) -> None:
    for silent in REFUSED[field]:
        read(**{field: silent})
    with pytest.raises(Untranslatable) as refused:
        read(**{field: {"some": "wish"}})
    assert refused.value.param == field


REFUSALS: list[tuple[dict[str, Any], type[GatewayError], str]] = [
    ({"unheard_of": 1}, Untranslatable, "unheard_of"),
    ({"messages": [{**USER, "mood": 1}]}, Untranslatable, "messages[0].mood"),
    ({"messages": [{"role": "function", "content": "x"}]}, Untranslatable, "messages[0].role"),
    ({"messages": "canary"}, InvalidRequest, "messages"),
    ({"temperature": "canary"}, InvalidRequest, "temperature"),
    ({"messages": [{"role": "tool", "content": "x"}]}, InvalidRequest, "messages[0].tool_call_id"),
    ({"tools": [{"type": "custom", "custom": {}}]}, Untranslatable, "tools.type"),
    ({"tool_choice": {"type": "allowed_tools"}}, Untranslatable, "tool_choice"),
    ({"tool_choice": "canary"}, InvalidRequest, "tool_choice"),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        Untranslatable,
        "messages[0].content[0].file.file_id",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "canary"}]}]},
        Untranslatable,
        "messages[0].content[0].type",
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


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"nul", b"\xff", b'{"messages":' + b"[" * 9999])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        CHAT.read_request(body)


def test_half_a_surrogate_pair_does_no_harm() -> None:
    body = b'{"messages":[{"role":"user","content":"a\\ud83d"}]}'
    assert CHAT.read_request(body).messages[0].parts == (n.Text("a\ufffd"),)


# --- writing --------------------------------------------------------------------------------------


def test_pictures_of_a_result_follow_in_a_user_message() -> None:
    result = n.ToolResult("c", (n.Text("see"), n.Media("image", "image/png", "AAAA")))
    found = written(messages=(n.Message("user", (result, n.Text("and?"))),))["messages"]
    assert found[0] == {"role": "tool", "tool_call_id": "c", "content": "see"}
    assert found[1]["role"] == "user"
    assert [part["type"] for part in found[1]["content"]] == ["image_url", "text"]


def test_reasoning_goes_back_only_where_nobody_signed_it() -> None:
    parts = (n.Thinking("mine"), n.Thinking("theirs", "S", "anthropic"), n.Text("a"))
    found = written(messages=(n.Message("assistant", parts),))["messages"][0]
    assert found == {"role": "assistant", "content": "a", "reasoning_content": "mine"}


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [
        (n.Reasoning(False), "none"),
        (n.Reasoning(True), None),
        (n.Reasoning(True, "xhigh"), "xhigh"),
        (n.Reasoning(True, None, 1024), "low"),
        (n.Reasoning(True, None, 4096), "medium"),
        (n.Reasoning(True, None, 30000), "high"),
    ],
)
def test_budgets_become_words(reasoning: n.Reasoning, effort: str | None) -> None:
    assert written(reasoning=reasoning).get("reasoning_effort") == effort


def test_a_stream_always_asks_for_its_usage() -> None:
    assert written(stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in written()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"top_k": 5}, "top_k"),
        (
            {"messages": (n.Message("user", (n.Media("document", url="https://a"),)),)},
            "messages[0].content[0]",
        ),
    ],
)
def test_what_this_dialect_cannot_say_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        written(**fields)
    assert refused.value.param == param


# --- there and back -------------------------------------------------------------------------------

MEDIA = st.one_of(
    st.builds(
        n.Media,
        st.just("image"),
        st.sampled_from(["image/png", "image/jpeg"]),
        BASE64,
        detail=st.sampled_from([None, "low", "high"]),
    ),
    st.builds(n.Media, st.just("image"), url=st.just("https://a/b.png")),
    st.builds(n.Media, st.just("document"), st.just("application/pdf"), BASE64, name=NAMES),
    st.builds(n.Media, st.just("audio"), st.just("audio/wav"), BASE64),
)
USERS = st.lists(st.one_of(st.builds(n.Text, TEXTS), MEDIA), min_size=1, max_size=3).map(
    lambda parts: [n.Message("user", tuple(parts))]
)
SYSTEMS = st.builds(
    lambda role, text: [n.Message(role, (n.Text(text),))],
    st.sampled_from(["system", "developer"]),
    TEXTS,
)


@st.composite
def conversations(draw: st.DrawFn) -> n.Conversation:
    said = exchanges(st.builds(n.Thinking, TEXTS))
    turns = draw(st.lists(st.one_of(USERS, SYSTEMS, said), min_size=1, max_size=4))
    messages = [message for turn in turns for message in turn]
    tools = draw(st.lists(TOOLS, max_size=2))
    choices = st.one_of(
        st.none(),
        st.builds(
            n.ToolChoice,
            st.sampled_from(["auto", "none", "required"]),
            parallel=st.sampled_from([None, True, False]),
        ),
        st.builds(n.ToolChoice, st.just("tool"), NAMES),
    )
    stream = draw(st.booleans())
    numbers = st.one_of(st.none(), st.floats(0, 1))
    return n.Conversation(
        "m",
        tuple(messages),
        tuple(tools),
        draw(choices) if tools else None,
        stream,
        draw(st.one_of(st.none(), st.integers(1, 10**6))),
        draw(numbers),
        draw(numbers),
        stop=tuple(draw(st.lists(TEXTS, max_size=2))),
        seed=draw(st.one_of(st.none(), st.integers(0, 100))),
        presence_penalty=draw(numbers),
        frequency_penalty=draw(numbers),
        choices=draw(st.integers(1, 3)),
        output_format=draw(
            st.one_of(
                st.none(),
                st.just(n.OutputFormat("json")),
                st.builds(n.OutputFormat, st.just("json_schema"), NAMES, SCHEMAS, st.booleans()),
            )
        ),
        reasoning=draw(
            st.sampled_from([None, n.Reasoning(False), n.Reasoning(effort="low")]),
        ),
        service_tier=draw(st.sampled_from([None, "auto", "flex"])),
        verbosity=draw(st.sampled_from([None, "low"])),
        include_usage=stream,
    )


@given(conversations())
def test_a_request_survives_the_way_there_and_back(conversation: n.Conversation) -> None:
    assert CHAT.read_request(CHAT.write_request(conversation)) == conversation
