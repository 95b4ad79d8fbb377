"""The API reference's page: the OpenAPI document as lists that a template can show.

Every operation is shown with its parameters, the fields of its body and of its answer, and the
statuses it answers with. The document is the only source; nothing is described here.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiohttp import web

from gateway.web.console.render import Pages
from gateway.web.guard import PUBLIC, Guard

METHODS: Final = ("get", "post", "put", "patch", "delete")
_REF: Final = "#/components/schemas/"


class Field(NamedTuple):
    """A parameter or a field: where it stands, what it holds."""

    name: str
    kind: str
    where: str
    required: bool


class Entry(NamedTuple):
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    tag: str
    fields: tuple[Field, ...]
    answer: tuple[Field, ...]
    statuses: tuple[str, ...]


class ReferencePage:
    """The handler over one document."""

    def __init__(self, document: Mapping[str, Any], pages: Pages) -> None:
        self._entries = entries(document)
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The route, for the application."""
        return [guard.get("/docs/reference", PUBLIC, self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """Every operation."""
        return self._pages.render(request, "public/reference.html", entries=self._entries)


def entries(document: Mapping[str, Any]) -> tuple[Entry, ...]:
    """The operations of a document, in its order."""
    schemas = document.get("components", {}).get("schemas", {})
    return tuple(
        _entry(path, method, operation, schemas)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    )


def _entry(path: str, method: str, operation: Mapping[str, Any], schemas: Any) -> Entry:
    fields = [
        Field(each["name"], _kind(each["schema"]), each["in"], bool(each.get("required")))
        for each in operation.get("parameters", ())
    ]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        fields += _properties(content.get("schema", {}), schemas, "body")
    answer: list[Field] = []
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            for content in response.get("content", {}).values():
                answer += _properties(content.get("schema", {}), schemas, "answer")
    return Entry(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        tag=operation.get("tags", [""])[0],
        fields=tuple(fields),
        answer=tuple(answer),
        statuses=tuple(operation["responses"]),
    )


def _properties(schema: Mapping[str, Any], schemas: Any, where: str) -> list[Field]:
    name = str(schema.get("$ref", "")).removeprefix(_REF)
    whole = schemas.get(name, schema)
    required = whole.get("required", ())
    return [
        Field(field, _kind(part), where, field in required)
        for field, part in whole.get("properties", {}).items()
    ]


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a word or a few: `integer`, `string or null`, `Key[]`, `"a" | "b"`."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REF)
    if "enum" in schema:
        return " | ".join("null" if value is None else f'"{value}"' for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_kind(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"{_kind(schema.get('items', {}))}[]"
    return str(schema.get("type", "any"))
