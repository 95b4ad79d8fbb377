"""Requests of the Gemini dialect: read, written, refused by name."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import GatewayError, InvalidRequest, Untranslatable
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.neutral import (
    Conversation,
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tests.proxy.dialects.neutral_values import WORDS, conversations

HELLO = [{"role": "user", "parts": [{"text": "hi"}]}]
ASKED = (Message("user", (Text("hi"),)),)
EARLY = "gemini-2.5-flash"

MEDIA = st.one_of(
    st.builds(Media, st.just("image"), st.just("image/png"), st.just("aGk=")),
    st.builds(Media, st.just("audio"), st.just("audio/wav"), st.just("aGk=")),
    st.builds(
        Media, st.just("document"), st.just("application/pdf"), url=st.just("https://e.org/a.pdf")
    ),
)
NUMBERS = st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0]))
CONVERSATIONS = conversations(
    "gemini",
    media=MEDIA,
    model=st.just(""),
    tool_choice=st.one_of(
        st.none(),
        st.builds(ToolChoice, st.sampled_from(["auto", "none", "required"])),
        st.builds(ToolChoice, st.just("tool"), st.just("f")),
    ),
    max_tokens=st.one_of(st.none(), st.integers(1, 9000)),
    temperature=NUMBERS,
    top_p=NUMBERS,
    top_k=st.one_of(st.none(), st.integers(1, 99)),
    stop=st.lists(WORDS, max_size=2).map(tuple),
    seed=st.one_of(st.none(), st.integers(0, 99)),
    presence_penalty=NUMBERS,
    frequency_penalty=NUMBERS,
    output_format=st.sampled_from(
        [None, OutputFormat("json"), OutputFormat("json_schema", schema={"type": "object"})]
    ),
    reasoning=st.sampled_from(
        [
            None,
            Reasoning(enabled=True, budget_tokens=512, include_thoughts=True),
            Reasoning(effort="low", include_thoughts=False),
        ]
    ),
)


def read(body: dict[str, Any]) -> Conversation:
    return GEMINI.read_request(json.dumps(body).encode())


def written(conversation: Conversation, model: str = EARLY) -> dict[str, Any]:
    named = msgspec.structs.replace(conversation, model=model)
    body = json.loads(GEMINI.write_request(named))
    assert isinstance(body, dict)
    return body


@given(CONVERSATIONS)
def test_a_request_comes_back(conversation: Conversation) -> None:
    tools = tuple(msgspec.structs.replace(tool, strict=None) for tool in conversation.tools)
    messages = tuple(
        msgspec.structs.replace(message, parts=tuple(map(signed, message.parts)))
        for message in conversation.messages
    )
    expected = msgspec.structs.replace(
        conversation,
        tools=tools,
        tool_choice=conversation.tool_choice if tools else None,
        messages=named(messages),
    )
    got = GEMINI.read_request(GEMINI.write_request(expected))
    assert got == expected


def signed(part: Any) -> Any:
    """Every call signed, so that no signature has to be invented or moved."""
    if isinstance(part, ToolCall):
        return msgspec.structs.replace(part, signature="Z3M=", family="gemini")
    return part


def named(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Results with the names of their calls, and ids that no two calls share."""
    made, names, count = [], {}, 0
    for number, message in enumerate(messages):
        parts = []
        for part in message.parts:
            if isinstance(part, ToolCall):
                names[part.id] = (f"{part.id}-{count}", part.name)
                count += 1
                part = msgspec.structs.replace(part, id=names[part.id][0])
            elif isinstance(part, ToolResult):
                call_id, name = names[part.call_id]
                part = msgspec.structs.replace(part, call_id=call_id, name=name)
            parts.append(part)
        made.append(msgspec.structs.replace(messages[number], parts=tuple(parts)))
    return tuple(made)


# --- reading --------------------------------------------------------------------------------------

READ: list[tuple[dict[str, Any], Conversation]] = [
    (
        {
            "system_instruction": {"role": "system", "parts": [{"text": "be brief"}]},
            "contents": [
                {
                    "parts": [
                        {"text": "hi"},
                        {"inline_data": {"mime_type": "image/png", "data": "_-k="}},
                    ]
                }
            ],
            "generation_config": {
                "max_output_tokens": 9,
                "stop_sequences": ["x"],
                "top_k": 40.0,
                "thinking_config": {"thinking_budget": 0},
                "response_modalities": ["TEXT"],
            },
            "labels": {"a": "b"},
        },
        Conversation(
            "",
            (
                Message("system", (Text("be brief"),)),
                Message("user", (Text("hi"), Media("image", "image/png", "/+k="))),
            ),
            max_tokens=9,
            stop=("x",),
            top_k=40,
            reasoning=Reasoning(enabled=False, include_thoughts=False),
        ),
    ),
    (  # a streamed turn comes back in pieces; calls without ids are numbered, results found by name
        {
            "contents": [
                {"role": "user", "parts": [{"text": "weather?"}]},
                {"role": "model", "parts": [{"text": "let ", "thought": True}]},
                {
                    "role": "model",
                    "parts": [{"text": "me", "thought": True, "thoughtSignature": "c2ln"}],
                },
                {"role": "model", "parts": [{"text": "I "}]},
                {
                    "role": "model",
                    "parts": [{"text": "look."}, {"text": "", "thoughtSignature": "dHh0"}],
                },
                {
                    "role": "model",
                    "parts": [
                        {
                            "functionCall": {"name": "f", "args": {"a": 1}},
                            "thoughtSignature": "Y2FsbA==",
                        },
                        {"functionCall": {"name": "g"}},
                        {"functionCall": {"name": "f", "args": {"a": 2}}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "f", "response": {"output": "one"}}},
                        {"functionResponse": {"name": "g", "response": {"error": "no"}}},
                        {"functionResponse": {"name": "f", "response": {"t": 2}}},
                    ],
                },
            ],
        },
        Conversation(
            "",
            (
                Message("user", (Text("weather?"),)),
                Message(
                    "assistant",
                    (
                        Thinking("let me", "c2ln", "gemini"),
                        Text("I look."),
                        Thinking("", "dHh0", "gemini"),
                        ToolCall("call_0", "f", '{"a":1}', "Y2FsbA==", "gemini"),
                        ToolCall("call_1", "g", "{}"),
                        ToolCall("call_2", "f", '{"a":2}'),
                    ),
                ),
                Message(
                    "user",
                    (
                        ToolResult("call_0", (Text("one"),), "f"),
                        ToolResult("call_1", (Text("no"),), "g", is_error=True),
                        ToolResult("call_2", (Text('{"t":2}'),), "f"),
                    ),
                ),
            ),
        ),
    ),
    (  # the older schema objects
        {
            "contents": HELLO,
            "tools": [
                {
                    "functionDeclarations": [
                        {
                            "name": "f",
                            "parameters": {
                                "type": "OBJECT",
                                "properties": {
                                    "type": {"type": "STRING", "nullable": True},
                                    "n": {
                                        "type": "ARRAY",
                                        "minItems": "1",
                                        "items": {"type": "INTEGER"},
                                    },
                                    "c": {"type": "STRING", "format": "enum", "enum": ["a"]},
                                },
                                "propertyOrdering": ["type", "n"],
                                "required": ["n"],
                            },
                        }
                    ]
                }
            ],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseSchema": {"any_of": [{"type": "STRING"}, {"type": "NULL"}]},
                "thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True},
            },
        },
        Conversation(
            "",
            ASKED,
            tools=(
                Tool(
                    "f",
                    parameters={
                        "type": "object",
                        "properties": {
                            "type": {"type": ["string", "null"]},
                            "n": {"type": "array", "minItems": 1, "items": {"type": "integer"}},
                            "c": {"type": "string", "enum": ["a"]},
                        },
                        "required": ["n"],
                    },
                ),
            ),
            tool_choice=ToolChoice("tool", "f"),
            output_format=OutputFormat(
                "json_schema", schema={"anyOf": [{"type": "string"}, {"type": "null"}]}
            ),
            reasoning=Reasoning(effort="high", include_thoughts=True),
        ),
    ),
]


@pytest.mark.parametrize("number", range(len(READ)))
def test_requests_are_read(number: int) -> None:
    body, expected = READ[number]
    assert read(body) == expected


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("safetySettings", {"safetySettings": [{"category": "x", "threshold": "BLOCK_NONE"}]}),
    ("cachedContent", {"cached_content": "cachedContents/1"}),
    ("newField", {"newField": 1}),
    ("tools[0].googleSearch", {"tools": [{"google_search": {}}]}),
    ("tools[0].codeExecution", {"tools": [{"functionDeclarations": [], "codeExecution": {}}]}),
    ("toolConfig.retrievalConfig", {"toolConfig": {"retrievalConfig": {"languageCode": "de"}}}),
    (
        "toolConfig.functionCallingConfig.allowedFunctionNames",
        {
            "toolConfig": {
                "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a", "b"]}
            }
        },
    ),
    (
        "generationConfig.responseModalities",
        {"generationConfig": {"responseModalities": ["IMAGE"]}},
    ),
    ("generationConfig.speechConfig", {"generationConfig": {"speechConfig": {}}}),
    ("generationConfig.logprobs", {"generationConfig": {"logprobs": 2}}),
    (
        "generationConfig.responseMimeType",
        {"generationConfig": {"responseMimeType": "text/x.enum"}},
    ),
    (
        "contents[0].parts[0].fileData.fileUri",
        {"contents": [{"parts": [{"fileData": {"fileUri": "gs://b/a", "mimeType": "image/png"}}]}]},
    ),
    (
        "contents[0].parts[0].inlineData.mimeType",
        {"contents": [{"parts": [{"inlineData": {"data": "aGk=", "mimeType": "video/mp4"}}]}]},
    ),
    ("contents[0].parts[0].videoMetadata", {"contents": [{"parts": [{"videoMetadata": {}}]}]}),
    ("contents[0].parts[0]", {"contents": [{"role": "model", "parts": [{"inlineData": {}}]}]}),
]


@pytest.mark.parametrize(("param", "body"), REFUSED, ids=[name for name, _ in REFUSED])
def test_what_has_no_neutral_form_is_refused_by_name(param: str, body: dict[str, Any]) -> None:
    with pytest.raises(Untranslatable) as caught:
        read({"contents": HELLO, **body})
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("param", "body"),
    [
        ("contents", {}),
        ("contents[0].role", {"contents": [{"role": "robot", "parts": []}]}),
        ("contents[0].parts[0]", {"contents": [{"parts": ["SECRET"]}]}),
        ("contents[0].parts", {"contents": [{"parts": "SECRET"}]}),
        ("generationConfig.topK", {"contents": HELLO, "generationConfig": {"topK": 1.5}}),
        (
            "contents[0].parts[0].functionResponse",
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}]},
        ),
        (
            "toolConfig.functionCallingConfig.mode",
            {"contents": HELLO, "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
        ),
    ],
)
def test_malformed_requests_are_refused(param: str, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(body)
    assert caught.value.param == param
    assert "SECRET" not in caught.value.text


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), WORDS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    ["role", "parts", "text", "thought", "functionCall", "name", "args"]
                ),
                st.one_of(inner, st.sampled_from(["model", "user"])),
                max_size=4,
            ),
        ),
        max_leaves=12,
    )
)
def test_any_contents_are_read_or_refused(value: Any) -> None:
    for body in ({"contents": value}, {"contents": [{"role": "model", "parts": [value]}]}):
        try:
            read(body)
        except GatewayError as error:
            assert error.status == 400


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("param", "conversation"),
    [
        ("n", Conversation("m", ASKED, choices=2)),
        ("verbosity", Conversation("m", ASKED, verbosity="low")),
        ("service_tier", Conversation("m", ASKED, service_tier="flex")),
        (
            "parallel_tool_calls",
            Conversation("m", ASKED, tools=(Tool("f"),), tool_choice=ToolChoice(parallel=False)),
        ),
        (
            "messages",
            Conversation("m", (Message("user", (Media("image", url="https://e.org/"),)),)),
        ),
        ("reasoning.effort", Conversation("m", ASKED, reasoning=Reasoning(effort="odd"))),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(param: str, conversation: Conversation) -> None:
    with pytest.raises(Untranslatable) as caught:
        written(conversation)
    assert caught.value.param == param


def test_system_texts_are_gathered_and_results_stand_apart() -> None:
    body = written(
        Conversation(
            "m",
            (
                Message("system", (Text("a"),)),
                Message("user", (Text("hi"),)),
                Message("developer", (Text("b"),)),
                Message("assistant", (ToolCall("c1", "f", ""), ToolCall("c2", "g", '{"a":1}'))),
                Message(
                    "user",
                    (
                        ToolResult("c1", (Text("x"), Media("image", "image/png", "aGk="))),
                        ToolResult("c2", (Text("bad"),), is_error=True),
                        Text("and now?"),
                    ),
                ),
            ),
        )
    )
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "hi"}]},
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "c1", "name": "f", "args": {}}},
                {"functionCall": {"id": "c2", "name": "g", "args": {"a": 1}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "c1",
                        "name": "f",
                        "response": {"output": "x"},
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}],
                    }
                },
                {"functionResponse": {"id": "c2", "name": "g", "response": {"error": "bad"}}},
            ],
        },
        {"role": "user", "parts": [{"text": "and now?"}]},
    ]


def spoken(*parts: Any, model: str) -> list[dict[str, Any]]:
    body = written(Conversation("m", (Message("assistant", parts),)), model)
    return [part for content in body["contents"] for part in content["parts"]]


def test_calls_are_signed_for_the_models_that_check() -> None:
    calls = (ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))
    invented = [part.get("thoughtSignature") for part in spoken(*calls, model="gemini-3-pro")]
    assert invented == ["skip_thought_signature_validator", None]
    assert not any("thoughtSignature" in part for part in spoken(*calls, model=EARLY))
    own = ToolCall("a", "f", "{}", "Z3M=", "gemini")
    assert spoken(own, model="gemini-3-pro")[0]["thoughtSignature"] == "Z3M="
    # As another dialect brings it back: in a thought without words, just before the call.
    apart = spoken(Thinking("", "Z3M=", "gemini", redacted=True), calls[0], model="gemini-3-pro")
    assert apart == spoken(own, model="gemini-3-pro")


def test_reasoning_of_others_is_not_sent_and_refusals_are_text() -> None:
    parts = (Thinking("a", "cw==", "anthropic"), Thinking("b"), Refusal("no"))
    assert spoken(*parts, model=EARLY) == [{"text": "no"}]


@pytest.mark.parametrize(
    ("model", "reasoning", "expected"),
    [
        (EARLY, Reasoning(effort="medium"), {"thinkingBudget": 8192}),
        (EARLY, Reasoning(enabled=False), {"thinkingBudget": 0}),
        (EARLY, Reasoning(enabled=True), {"includeThoughts": True, "thinkingBudget": -1}),
        (
            EARLY,
            Reasoning(effort="low", summary="auto"),
            {"includeThoughts": True, "thinkingBudget": 1024},
        ),
        ("gemini-3-pro", Reasoning(effort="max"), {"thinkingLevel": "HIGH"}),
        ("gemini-3-pro", Reasoning(effort="minimal"), {"thinkingLevel": "LOW"}),
        ("gemini-3-flash", Reasoning(enabled=False, budget_tokens=9), {"thinkingLevel": "MINIMAL"}),
        (
            "gemini-3-flash",
            Reasoning(enabled=True, budget_tokens=900, include_thoughts=False),
            {"includeThoughts": False, "thinkingBudget": 900},
        ),
        ("gemini-3-flash", Reasoning(), None),
    ],
)
def test_efforts_become_budgets_or_levels(
    model: str, reasoning: Reasoning, expected: dict[str, Any] | None
) -> None:
    body = written(Conversation("m", ASKED, reasoning=reasoning), model)
    assert body.get("generationConfig", {}).get("thinkingConfig") == expected


def test_media_types_are_found_by_names() -> None:
    part = Media("image", url="https://e.org/pics/a.JPG?x=1#y")
    body = written(Conversation("m", (Message("user", (part,)),)))
    assert body["contents"][0]["parts"][0]["fileData"]["mimeType"] == "image/jpeg"


def test_schemas_are_fitted_to_the_subset() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "definitions": {"a": {"type": "string", "pattern": "^x", "minLength": 1}},
        "properties": {
            "pattern": {"const": "x"},
            "r": {"$ref": "#/definitions/a", "description": "d"},
            "all": {
                "allOf": [
                    {"properties": {"p": {"type": "string"}}, "required": ["p"]},
                    {"properties": {"q": {"type": "string"}}, "required": ["p", "q"]},
                ]
            },
            "free": {"type": "object", "additionalProperties": {"type": "string", "default": "x"}},
        },
        "additionalProperties": False,
    }
    body = written(Conversation("m", ASKED, tools=(Tool("f", parameters=schema),)))
    [declared] = body["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"] == {
        "type": "object",
        "$defs": {"a": {"type": "string"}},
        "properties": {
            "pattern": {"enum": ["x"]},
            "r": {"$ref": "#/$defs/a"},
            "all": {
                "properties": {"p": {"type": "string"}, "q": {"type": "string"}},
                "required": ["p", "q"],
            },
            "free": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "additionalProperties": False,
    }


def test_empty_texts_are_left_out_and_system_text_alone_is_a_turn() -> None:
    body = written(
        Conversation(
            "m",
            (
                Message("user", (Text(""), Text("hi")), name="bob"),
                Message("assistant", (Text(""), ToolCall("a", "f", ""))),
            ),
        )
    )
    assert [len(content["parts"]) for content in body["contents"]] == [1, 1]
    alone = written(Conversation("m", (Message("system", (Text("say hi"),)),)))
    assert alone == {"contents": [{"role": "user", "parts": [{"text": "say hi"}]}]}


def test_a_choice_among_no_functions_is_not_said() -> None:
    """The API refuses a `toolConfig` without declarations; Responses sends its choice always."""
    for choice in (ToolChoice("auto"), ToolChoice("none"), ToolChoice(parallel=True)):
        assert "toolConfig" not in written(Conversation("m", ASKED, tool_choice=choice))


def test_endless_schemas_are_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"items": schema}
    with pytest.raises(Untranslatable):
        written(Conversation("m", ASKED, tools=(Tool("f", parameters=schema),)))
