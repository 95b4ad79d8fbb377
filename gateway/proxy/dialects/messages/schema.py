"""A JSON Schema fitted to what Anthropic's structured outputs and strict tools take.

Source: Anthropic's guide "Structured outputs", "JSON Schema limitations", and what its own SDK does
to schemas before it sends them. Every object must be closed (`additionalProperties: false`); one
that is open beside named properties is closed, which only narrows it. An object whose names are
free cannot be said and is refused. Words that narrow a value and are not supported (`minimum`,
`maxLength`, `maxItems` ...) are told in the description, as the SDK does: the model is asked for
them, though not held to them.
OpenAI's strict schemas (guide "Structured outputs") name every property as required besides, which
Anthropic does not ask for; `is_strict` tells whether a schema may be called strict there.
"""

from collections.abc import Mapping
from typing import Any

from gateway.proxy.dialects.shapes import refuse

_MAX_DEPTH = 64  # no schema of a working program is deeper
_KEPT = frozenset(
    (
        *("type", "title", "description", "enum", "const", "default", "required", "$ref"),
        *("properties", "items", "anyOf", "allOf", "$defs", "definitions", "pattern", "format"),
    )
)
_TOLD = frozenset(
    (
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
        *("pattern", "format"),
    )
)
_FORMATS = frozenset(
    (
        *("date-time", "time", "date", "duration", "email", "hostname", "uri"),
        *("ipv4", "ipv6", "uuid"),
    )
)
_BY_NAME = frozenset(("$defs", "definitions", "properties"))  # values are maps of schemas
_LISTS = frozenset(("anyOf", "allOf"))
# What the engine behind patterns cannot do: to look around, to look back, word boundaries.
_HARD_PATTERNS = ("(?=", "(?!", "(?<", "\\b", "\\B", *(f"\\{digit}" for digit in range(1, 10)))


def fitted(schema: Mapping[str, Any], at: str, depth: int = 0) -> dict[str, Any]:
    """The schema as the API takes it. Raises Untranslatable for free names and endless depth."""
    if depth > _MAX_DEPTH:
        refuse(at, "The schema is nested too deep.")

    def one(value: Any) -> Any:
        return fitted(value, at, depth + 1) if isinstance(value, Mapping) else value

    found: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for word, value in schema.items():
        name = "anyOf" if word == "oneOf" else word
        if name in _TOLD and not _is_taken(name, value):
            told[name] = value
        elif name in _BY_NAME and isinstance(value, Mapping):
            found[name] = {key: one(member) for key, member in value.items()}
        elif name in _LISTS and isinstance(value, list):
            found[name] = [one(member) for member in value]
        elif name in _KEPT or name in _TOLD:
            found[name] = one(value) if name == "items" else value
    if _is_object(schema):
        if _has_free_names(schema):
            refuse(at, "The model's provider takes no schema of an object with free names.")
        found["additionalProperties"] = False
    if told:
        said = found.get("description")
        words = ", ".join(f"{name}: {value}" for name, value in told.items())
        found["description"] = f"{said}\n\n{{{words}}}" if said else f"{{{words}}}"
    return found


def _is_taken(name: str, value: Any) -> bool:
    match name:
        case "minItems":
            return type(value) is int and value in (0, 1)
        case "format":
            return value in _FORMATS
        case "pattern":
            return isinstance(value, str) and not any(hard in value for hard in _HARD_PATTERNS)
    return False


def _is_object(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _has_free_names(schema: Mapping[str, Any]) -> bool:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping) and more:
        return True
    named = schema.get("properties") or schema.get("anyOf") or schema.get("allOf")
    return more is not False and not named and "$ref" not in schema


def is_strict(schema: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether OpenAI takes the schema as a strict one: closed, and with no optional property."""
    if depth > _MAX_DEPTH:
        return False
    if _is_object(schema):
        named, required = schema.get("properties"), schema.get("required")
        names = set(named) if isinstance(named, Mapping) else set()
        needed = set(required) if isinstance(required, list) else set()
        if schema.get("additionalProperties") is not False or names - needed:
            return False
    inner: list[Any] = [schema.get("items")]
    for word in _BY_NAME:
        found = schema.get(word)
        inner += found.values() if isinstance(found, Mapping) else ()
    for word in _LISTS:
        found = schema.get(word)
        inner += found if isinstance(found, list) else ()
    return all(is_strict(one, depth + 1) for one in inner if isinstance(one, Mapping))
