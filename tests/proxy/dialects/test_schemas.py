"""Schemas on their way between OpenAI's strict form and Anthropic's structured outputs."""

import json
from typing import Any

import pytest

from gateway.base.errors import Untranslatable
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.messages.schema import fitted, is_strict

CLOSED = {"additionalProperties": False}
NUMBER = {"type": "integer", "description": "How many.", "minimum": 1, "maximum": 9}

FITTED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "string"}}, **CLOSED},
    ),
    (NUMBER, {"type": "integer", "description": "How many.\n\n{minimum: 1, maximum: 9}"}),
    ({"type": "array", "minItems": 1, "maxItems": 2}, {"type": "array", "minItems": 1}),
    ({"type": "string", "format": "email"}, {"type": "string", "format": "email"}),
    ({"type": "string", "format": "isbn"}, {"type": "string"}),
    ({"type": "string", "pattern": "^[a-z]+$"}, {"type": "string", "pattern": "^[a-z]+$"}),
    ({"type": "string", "pattern": "^(?!x)"}, {"type": "string"}),
    ({"oneOf": [NUMBER]}, {"anyOf": [fitted(NUMBER, "")]}),
    (
        {"$defs": {"x": {"type": "object", "properties": {"n": NUMBER}}}, "$ref": "#/$defs/x"},
        {
            "$defs": {
                "x": {"type": "object", "properties": {"n": fitted(NUMBER, "")}, **CLOSED},
            },
            "$ref": "#/$defs/x",
        },
    ),
    ({"type": ["object", "null"], **CLOSED}, {"type": ["object", "null"], **CLOSED}),
]


@pytest.mark.parametrize(("schema", "expected"), FITTED)
def test_what_anthropic_does_not_take_is_told_or_closed(schema: Any, expected: Any) -> None:
    asked = n.OutputFormat("json_schema", "x", schema, True)
    body = MESSAGES.write_request(n.Conversation("claude-opus-5", (), output_format=asked))
    found = json.loads(body)["output_config"]["format"]["schema"]
    described = found.pop("description", "")
    assert found == {name: inner for name, inner in expected.items() if name != "description"}
    assert described.startswith(expected.get("description", "")[:9])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "array", "items": {"type": "object", "additionalProperties": True}},
    ],
)
def test_objects_of_free_names_are_refused(schema: dict[str, Any]) -> None:
    asked = n.OutputFormat("json_schema", "x", schema)
    with pytest.raises(Untranslatable) as refused:
        MESSAGES.write_request(n.Conversation("claude-opus-5", (), output_format=asked))
    assert refused.value.param == "response_format"


def test_a_schema_without_an_end_is_refused() -> None:
    schema: dict[str, Any] = {"type": "array"}
    schema["items"] = schema
    with pytest.raises(Untranslatable):
        fitted(schema, "response_format")
    assert not is_strict(schema)


def test_only_strict_tools_are_held_to_the_subset() -> None:
    schema = {"type": "object", "properties": {"n": NUMBER}, "required": ["n"]}

    def tool(strict: bool | None, parameters: Any) -> Any:
        made = (n.Tool("f", None, parameters, strict),)
        body = MESSAGES.write_request(n.Conversation("claude-opus-5", (), made))
        return json.loads(body)["tools"][0]

    assert tool(None, schema)["input_schema"] == schema
    assert tool(True, schema)["input_schema"] == fitted(schema, "")
    assert tool(True, None)["input_schema"] == {"type": "object", "properties": {}, **CLOSED}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "object", "properties": {}, **CLOSED}, True),
        ({"type": "object", "properties": {"a": NUMBER}, "required": ["a"], **CLOSED}, True),
        ({"type": "object", "properties": {"a": NUMBER}, **CLOSED}, False),
        ({"type": "object", "properties": {"a": NUMBER}, "required": ["a"]}, False),
        ({"type": "array", "items": {"type": "object"}}, False),
        ({"anyOf": [{"type": "null"}, {"type": "object"}]}, False),
        ({"$defs": {"x": {"type": "object"}}, "type": "string"}, False),
    ],
)
def test_openai_is_promised_only_what_is_strict_there(schema: Any, strict: bool) -> None:
    """Anthropic follows every schema; OpenAI refuses one as strict that leaves anything open."""
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
        "tools": [{"name": "f", "input_schema": schema, "strict": True}, {"name": "g"}],
    }
    asked = MESSAGES.read_request(json.dumps(body).encode())
    found = json.loads(CHAT.write_request(asked))
    assert found["response_format"]["json_schema"]["strict"] is strict
    assert found["tools"][0]["function"]["strict"] is strict
    assert "strict" not in found["tools"][1]["function"]
