"""Requests of the Responses dialect: read, written, refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import (
    GatewayError,
    InvalidRequest,
    Untranslatable,
)
from gateway.proxy.dialects.neutral import (
    Conversation,
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from gateway.proxy.dialects.responses import RESPONSES
from tests.proxy.dialects.neutral_values import (
    NAMES,
    WORDS,
    conversations,
)

HELLO = [{"role": "user", "content": "hello"}]
MEDIA = st.one_of(
    st.builds(
        Media, st.just("image"), st.just("image/png"), st.just("aGk="), detail=st.just("low")
    ),
    st.builds(Media, st.just("image"), url=st.just("https://example.org/a.png")),
    st.builds(Media, st.just("document"), st.just("application/pdf"), st.just("aGk="), name=NAMES),
    st.builds(Media, st.just("document"), url=st.just("https://example.org/a.pdf"), name=NAMES),
)
CONVERSATIONS = conversations(
    "openai",
    media=MEDIA,
    model=NAMES,
    tool_choice=st.one_of(
        st.none(),
        st.builds(ToolChoice, st.sampled_from(["auto", "none", "required"]), st.none()),
        st.builds(ToolChoice, st.just("tool"), NAMES, st.booleans()),
    ),
    stream=st.booleans(),
    max_tokens=st.one_of(st.none(), st.integers(16, 9000)),
    temperature=st.one_of(st.none(), st.sampled_from([0.0, 0.7, 2.0])),
    top_p=st.one_of(st.none(), st.sampled_from([0.1, 1.0])),
    output_format=st.one_of(
        st.none(),
        st.just(OutputFormat("json")),
        st.builds(
            OutputFormat,
            st.just("json_schema"),
            NAMES,
            st.just({"type": "object"}),
            st.booleans(),
            st.one_of(st.none(), WORDS),
        ),
    ),
    reasoning=st.sampled_from(
        [None, Reasoning(enabled=False), Reasoning(effort="high"), Reasoning(summary="auto")]
    ),
    verbosity=st.sampled_from([None, "low"]),
    service_tier=st.sampled_from([None, "flex"]),
)


def read(body: dict[str, Any]) -> Conversation:
    return RESPONSES.read_request(json.dumps({"model": "m", **body}).encode())


def written(conversation: Conversation) -> dict[str, Any]:
    body = json.loads(RESPONSES.write_request(conversation))
    assert isinstance(body, dict)
    return body


# --- round trip  ----------------------------------------------------------------------------------


@given(CONVERSATIONS)
def test_a_request_comes_back(conversation: Conversation) -> None:
    assert RESPONSES.read_request(RESPONSES.write_request(conversation)) == conversation


# --- requests, case by case -----------------------------------------------------------------------

READ: list[tuple[dict[str, Any], Conversation]] = [
    (
        {"input": "hi", "instructions": "be brief", "user": "u", "store": False, "stream": True},
        Conversation(
            "m",
            (Message("system", (Text("be brief"),)), Message("user", (Text("hi"),))),
            stream=True,
        ),
    ),
    (
        {
            "input": [
                {"role": "developer", "content": "be brief"},
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "what is it?"},
                        {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
                        {"type": "input_file", "filename": "a.pdf", "file_data": "aGk="},
                        {
                            "type": "input_text",
                            "text": "kept",
                            "prompt_cache_breakpoint": {"mode": "explicit"},
                        },
                    ],
                },
            ]
        },
        Conversation(
            "m",
            (
                Message("developer", (Text("be brief"),)),
                Message(
                    "user",
                    (
                        Text("what is it?"),
                        Media("image", "image/png", "aGk="),
                        Media("document", "application/pdf", "aGk=", name="a.pdf"),
                        Text("kept", 3600),
                    ),
                ),
            ),
        ),
    ),
    (  # a turn as an SDK gives it back, with everything an answer carries
        {
            "input": [
                {"role": "user", "content": "weather?"},
                {
                    "id": "rs_1",
                    "type": "reasoning",
                    "summary": [],
                    "encrypted_content": "c2ln",
                    "status": None,
                },
                {
                    "id": "msg_1",
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "phase": "commentary",
                    "content": [
                        {
                            "type": "output_text",
                            "text": "I look.",
                            "annotations": [],
                            "logprobs": None,
                        }
                    ],
                },
                *(
                    {
                        "id": f"fc_{n}",
                        "type": "function_call",
                        "call_id": f"call_{n}",
                        "name": "look",
                        "arguments": "{}",
                        "status": "completed",
                    }
                    for n in range(2)
                ),
                {"type": "function_call_output", "call_id": "call_0", "output": "sun"},
                {
                    "type": "function_call_output",
                    "call_id": "call_1",
                    "output": [{"type": "input_image", "image_url": "https://e.org/a.png"}],
                },
            ]
        },
        Conversation(
            "m",
            (
                Message("user", (Text("weather?"),)),
                Message(
                    "assistant",
                    (
                        Thinking("", "c2ln", "openai", redacted=True),
                        Text("I look."),
                        ToolCall("call_0", "look", "{}"),
                        ToolCall("call_1", "look", "{}"),
                    ),
                ),
                Message(
                    "user",
                    (
                        ToolResult("call_0", (Text("sun"),)),
                        ToolResult("call_1", (Media("image", url="https://e.org/a.png"),)),
                    ),
                ),
            ),
        ),
    ),
    (  # another family's reasoning comes back under its mark
        {
            "input": [
                {
                    "type": "reasoning",
                    "summary": [],
                    "encrypted_content": "tallygate:anthropic:cw==",
                },
                {
                    "type": "reasoning",
                    "summary": [],
                    "encrypted_content": "tallygate:anthropic:redacted:cw==",
                },
            ]
        },
        Conversation(
            "m",
            (
                Message(
                    "assistant",
                    (
                        Thinking("", "cw==", "anthropic"),
                        Thinking("", "cw==", "anthropic", redacted=True),
                    ),
                ),
            ),
        ),
    ),
    (
        {
            "input": "hi",
            "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": None}],
            "tool_choice": {"type": "function", "name": "f"},
            "parallel_tool_calls": False,
            "reasoning": {"effort": "none"},
            "text": {"format": {"type": "text"}},
            "include": ["reasoning.encrypted_content"],
        },
        Conversation(
            "m",
            (Message("user", (Text("hi"),)),),
            tools=(Tool("f", parameters={}),),
            tool_choice=ToolChoice("tool", "f", False),
            reasoning=Reasoning(enabled=False),
        ),
    ),
]


@pytest.mark.parametrize("number", range(len(READ)))
def test_requests_are_read(number: int) -> None:
    body, expected = READ[number]
    assert read(body) == expected


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("previous_response_id", {"previous_response_id": "resp_1"}),
    ("conversation", {"conversation": "conv_1"}),
    ("background", {"background": True}),
    ("store", {"store": True}),
    ("prompt", {"prompt": {"id": "pmpt_1"}}),
    ("truncation", {"truncation": "auto"}),
    ("top_logprobs", {"top_logprobs": 3}),
    ("include", {"include": ["message.output_text.logprobs"]}),
    ("moderation", {"moderation": {"model": "x"}}),
    ("tools[0].type", {"tools": [{"type": "web_search"}]}),
    (
        "tools[0].defer_loading",
        {"tools": [{"type": "function", "name": "f", "defer_loading": True}]},
    ),
    ("tool_choice", {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}),
    ("text.format.type", {"text": {"format": {"type": "grammar"}}}),
    ("reasoning.mode", {"reasoning": {"mode": "pro"}}),
    ("input[0].type", {"input": [{"type": "item_reference", "id": "msg_1"}]}),
    ("input[0].type", {"input": [{"type": "web_search_call", "id": "ws_1"}]}),
    (
        "input[0].content[0].file_id",
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
    ),
    (
        "input[0].content[1].type",
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "a"},
                        {"type": "input_audio", "input_audio": {}},
                    ],
                }
            ]
        },
    ),
]


@pytest.mark.parametrize(("param", "body"), REFUSED, ids=[name for name, _ in REFUSED])
def test_what_has_no_neutral_form_is_refused_by_name(param: str, body: dict[str, Any]) -> None:
    with pytest.raises(Untranslatable) as caught:
        read({"input": HELLO, **body})
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("param", "body"),
    [
        ("model", b'{"input":"x"}'),
        ("input", b'{"model":"m"}'),
        ("max_output_tokens", b'{"model":"m","input":"x","max_output_tokens":"many"}'),
        ("input[0].role", b'{"model":"m","input":[{"role":"robot","content":"x"}]}'),
        ("input[0].call_id", b'{"model":"m","input":[{"type":"function_call"}]}'),
        ("input[0]", b'{"model":"m","input":["SECRET"]}'),
        ("input[0].content", b'{"model":"m","input":[{"role":"user","content":7}]}'),
        (None, b"[]"),
        (None, b'{"model":'),
        (None, b'{"model":"m","input":' + b"[" * 5000),
    ],
)
def test_malformed_requests_are_refused_without_repeating_them(
    param: str | None, body: bytes
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        RESPONSES.read_request(body)
    assert caught.value.param == param
    assert "SECRET" not in caught.value.text


def test_null_counts_as_absent() -> None:
    assert read({"input": "x", "conversation": None, "tools": None}) == read({"input": "x"})


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), WORDS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["type", "role", "content", "text", "name", "output", "summary"]),
                st.one_of(inner, st.sampled_from(["message", "reasoning", "user", "input_text"])),
                max_size=4,
            ),
        ),
        max_leaves=12,
    )
)
def test_any_input_is_read_or_refused(value: Any) -> None:
    try:
        read({"input": value})
    except GatewayError as error:
        assert error.status == 400


# --- writing requests -----------------------------------------------------------------------------

ASKED = (Message("user", (Text("hi"),)),)


@pytest.mark.parametrize(
    ("param", "conversation"),
    [
        ("stop", Conversation("m", ASKED, stop=("x",))),
        ("top_k", Conversation("m", ASKED, top_k=3)),
        ("presence_penalty", Conversation("m", ASKED, presence_penalty=0.5)),
        ("n", Conversation("m", ASKED, choices=2)),
        ("messages", Conversation("m", (Message("user", (Media("audio", "audio/wav", "aGk="),)),))),
        (
            "messages",
            Conversation("m", (Message("assistant", (Media("image", "image/png", "aGk="),)),)),
        ),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(param: str, conversation: Conversation) -> None:
    with pytest.raises(Untranslatable) as caught:
        RESPONSES.write_request(conversation)
    assert caught.value.param == param


NAMED = (Message("user", (Text("hi"),), name="bob"),)


def test_nothing_is_stored_and_harmless_wishes_are_dropped() -> None:
    body = written(
        Conversation("m", NAMED, seed=7, presence_penalty=0.0, metadata={"user_id": "u"})
    )
    assert body == {
        "model": "m",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
        ],
        "store": False,
    }


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        (Reasoning(budget_tokens=1024), {"effort": "low"}),
        (Reasoning(enabled=True, budget_tokens=8192), {"effort": "medium", "summary": "auto"}),
        (
            Reasoning(budget_tokens=32_000, include_thoughts=True),
            {"effort": "high", "summary": "auto"},
        ),
        (Reasoning(enabled=True, effort="low", include_thoughts=False), {"effort": "low"}),
        (Reasoning(enabled=False, effort="high"), {"effort": "none"}),
        (Reasoning(summary="detailed"), {"summary": "detailed"}),
    ],
)
def test_budgets_become_efforts(reasoning: Reasoning, expected: dict[str, Any]) -> None:
    assert written(Conversation("m", ASKED, reasoning=reasoning))["reasoning"] == expected


def test_encrypted_reasoning_is_asked_for_only_where_a_model_reasons() -> None:
    thinking = Message("assistant", (Thinking("", "c2ln", "openai", redacted=True),))
    for conversation, asked in (
        (Conversation("m", ASKED), False),
        (Conversation("m", ASKED, reasoning=Reasoning(effort="low")), True),
        (Conversation("m", ASKED, reasoning=Reasoning(enabled=False)), False),
        (Conversation("m", (*ASKED, thinking)), True),
    ):
        assert ("include" in written(conversation)) is asked


def test_reasoning_of_others_is_not_sent() -> None:
    parts = (Thinking("a", "cw==", "anthropic"), Thinking("b"), Text("c"))
    body = written(Conversation("m", (Message("assistant", parts),)))
    assert [item["type"] for item in body["input"]] == ["message"]
