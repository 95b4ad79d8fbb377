"""A deterministic instance of a JSON Schema, for tool arguments and structured output.

Pure and bounded in depth and in nodes, whatever the schema: a schema is the caller's own text.
It covers what the strict mode of the OpenAI API allows (docs, "Structured Outputs: supported
schemas"); `pattern` and `not` are not honoured. Every property is given, as strict mode asks.
"""

from typing import Any

import msgspec

MAX_DEPTH = 12
MAX_NODES = 2_000
MAX_ITEMS = 16
MAX_CHARS = 256
MAX_TOTAL_CHARS = 100_000  # of names and given values; a schema can repeat them through $ref
_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "PT1H",
    "email": "lorem@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.com/lorem",
}

_encode = msgspec.json.Encoder().encode


def instance(schema: Any) -> Any:
    """A value that fits the schema; None where the schema says nothing usable."""
    return _Maker(schema).make(schema, 0)


class _Maker:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._nodes = 0
        self._chars = 0

    def _spent(self) -> bool:
        return self._nodes > MAX_NODES or self._chars > MAX_TOTAL_CHARS

    def make(self, schema: Any, depth: int) -> Any:
        self._nodes += 1
        if not isinstance(schema, dict) or depth > MAX_DEPTH or self._spent():
            return None
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self.make(self._resolve(reference), depth + 1)
        if "const" in schema:
            return self._given(schema["const"])
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._given(schema["enum"][0])
        for word in ("anyOf", "oneOf"):
            options = schema.get(word)
            if isinstance(options, list) and options:
                return self.make(_choose(options[:MAX_ITEMS], depth), depth + 1)
        parts = schema.get("allOf")
        if isinstance(parts, list) and parts:
            merged: dict[str, Any] = {}
            for part in parts[:MAX_ITEMS]:
                merged.update(part if isinstance(part, dict) else {})
            return self.make(merged, depth + 1)
        return self._typed(schema, depth)

    def _typed(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind is None and "properties" in schema:
            kind = "object"
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return _string(schema)
            case "integer":
                return int(_number(schema, 1))
            case "number":
                return _number(schema, 1.5)
            case "boolean":
                return True
        return None

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return {}
        made: dict[str, Any] = {}
        for name, part in properties.items():
            self._chars += len(name)
            if self._spent():
                break
            made[name] = self.make(part, depth + 1)
        return made

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems")
        size = least if type(least) is int and least > 0 else 1
        if schema.get("maxItems") == 0 or (size == 1 and not least and depth > MAX_DEPTH // 2):
            return []
        return [self.make(schema.get("items"), depth + 1) for _ in range(min(size, MAX_ITEMS))]

    def _given(self, value: Any) -> Any:
        """A value the schema gives itself, unless it would make the answer too long."""
        self._chars += len(_encode(value))
        return None if self._spent() else value

    def _resolve(self, reference: str) -> Any:
        node = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            node = node.get(step) if isinstance(node, dict) else None
        return node


def _choose(options: list[Any], depth: int) -> Any:
    """The first that is not null; deep inside a recursive schema rather null."""
    nulls = [one for one in options if isinstance(one, dict) and one.get("type") == "null"]
    if nulls and depth > MAX_DEPTH // 2:
        return nulls[0]
    return next((one for one in options if one not in nulls), options[0])


def _string(schema: dict[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "lorem ipsum")
    least, most = schema.get("minLength"), schema.get("maxLength")
    if type(least) is int and len(text) < least:
        text = (text + " dolor sit amet" * MAX_CHARS)[: min(least, MAX_CHARS)]
    if type(most) is int and 0 <= most < len(text):
        text = text[:most]
    return text


def _number(schema: dict[str, Any], value: int | float) -> int | float:
    """`value` moved into the bounds of the schema, and onto a multiple where one is asked."""
    least, above = _bound(schema, "minimum"), _bound(schema, "exclusiveMinimum")
    most, below = _bound(schema, "maximum"), _bound(schema, "exclusiveMaximum")
    if least is not None and value < least:
        value = least
    if above is not None and value <= above:
        value = above + 1
    if most is not None and value > most:
        value = most
    if below is not None and value >= below:
        value = below - 1
    step = _bound(schema, "multipleOf")
    if step is not None and step > 0:
        value = -(-value // step) * step
    return value


def _bound(schema: dict[str, Any], name: str) -> int | float | None:
    """A bound that is a plain number of usual size; anything else is no bound."""
    value = schema.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 2**53 else None
