"""JSON Schema and Gemini's two ways to say one.

Writing uses the JSON Schema fields (`parametersJsonSchema`, `responseJsonSchema`). They take this
subset (Gemini API reference, `GenerationConfig.responseJsonSchema`): `$id $defs $ref $anchor type
format title description enum items prefixItems minItems maxItems minimum maximum anyOf oneOf
properties additionalProperties required propertyOrdering`; beside a `$ref` only names with `$`.
What is outside is said otherwise where that is exact (`const` as `enum`, `definitions` as `$defs`,
`allOf` by joining its members) and left out where it only narrows values (`pattern`, `minLength`
and the like): the model is then asked for less than the schema says, never for something else.
Reading takes either the same JSON Schema, or the older `Schema` object, a subset of OpenAPI 3.0
with type names in capitals, `nullable`, and numbers that may come as strings.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.proxy.dialects.shapes import refuse

_MAX_DEPTH = 64  # no schema of a working program is deeper

_KEPT = frozenset(
    (
        *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum"),
        *("items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf"),
        *("properties", "additionalProperties", "required", "propertyOrdering"),
    )
)
_BY_NAME = frozenset(("$defs", "properties"))  # values are maps of schemas
_LISTS = frozenset(("anyOf", "oneOf", "prefixItems"))
_COUNTS = frozenset(
    ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
)
_UNSAID = frozenset(("nullable", "propertyOrdering", "example"))


def to_gemini(schema: Mapping[str, Any], at: str, depth: int = 0) -> dict[str, Any]:
    """The schema in Gemini's subset of JSON Schema. Raises Untranslatable when it is too deep."""
    merged = _without_all_of(schema)
    if "$ref" in merged:
        merged = {name: value for name, value in merged.items() if name.startswith("$")}
        if isinstance(merged["$ref"], str):
            merged["$ref"] = merged["$ref"].replace("#/definitions/", "#/$defs/", 1)
    if "definitions" in merged:
        merged.setdefault("$defs", merged["definitions"])
    if "const" in merged:
        merged.setdefault("enum", [merged["const"]])
    kept = {name: value for name, value in merged.items() if name in _KEPT}
    return _each(kept, at, depth, to_gemini)


def _without_all_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(schema)
    members = merged.pop("allOf", None)
    if not isinstance(members, list):
        return merged
    for member in members:
        for name, value in member.items() if isinstance(member, dict) else ():
            present = merged.get(name)
            if isinstance(present, dict) and isinstance(value, dict):
                merged[name] = {**present, **value}
            elif name == "required" and isinstance(present, list) and isinstance(value, list):
                merged[name] = present + [one for one in value if one not in present]
            else:
                merged.setdefault(name, value)
    return merged


def from_gemini(schema: Mapping[str, Any], at: str, depth: int = 0) -> dict[str, Any]:
    """A `Schema` object as JSON Schema. Raises Untranslatable when it is too deep."""
    named = {_CAMEL.get(name, name): value for name, value in schema.items() if value is not None}
    kept = {name: value for name, value in named.items() if name not in _UNSAID}
    kind = kept.get("type")
    if isinstance(kind, str):
        kept["type"] = kind.lower()
        if kind == "TYPE_UNSPECIFIED":
            del kept["type"]
        elif named.get("nullable") is True:
            kept["type"] = [kept["type"], "null"]
    if kept.get("format") == "enum":
        del kept["format"]
    for name in _COUNTS & kept.keys():
        value = kept[name]
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            kept[name] = int(value)  # 64-bit integers are strings in Google's JSON
    return _each(kept, at, depth, from_gemini)


_CAMEL = {
    "any_of": "anyOf",
    "additional_properties": "additionalProperties",
    "max_items": "maxItems",
    "max_length": "maxLength",
    "max_properties": "maxProperties",
    "min_items": "minItems",
    "min_length": "minLength",
    "min_properties": "minProperties",
    "prefix_items": "prefixItems",
    "property_ordering": "propertyOrdering",
    "defs": "$defs",
    "ref": "$ref",
}


def _each(
    schema: dict[str, Any], at: str, depth: int, inner: Callable[..., dict[str, Any]]
) -> dict[str, Any]:
    """The schema with `inner` done to every schema inside it."""
    if depth > _MAX_DEPTH:
        refuse(at, "The schema is nested too deep.")

    def one(value: Any) -> Any:
        return inner(value, at, depth + 1) if isinstance(value, dict) else value

    for name, value in schema.items():
        if name in _BY_NAME and isinstance(value, dict):
            schema[name] = {key: one(member) for key, member in value.items()}
        elif name in _LISTS and isinstance(value, list):
            schema[name] = [one(member) for member in value]
        elif name in ("items", "additionalProperties"):
            schema[name] = one(value)
    return schema
