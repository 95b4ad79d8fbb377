"""The OpenAPI document: made from the tables that routes are made from, and from the very types
that check what comes in.

Operations of the self-service API are described in full. The inference endpoints speak other
companies' APIs and pass fields through that are not known here, so they are described by what
metering needs of them: path, key, the model, whether they stream. Nothing is written by hand but
these few words. OpenAPI 3.1 (spec.openapis.org/oas/v3.1.1); schemas are JSON Schema 2020-12.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from gateway.web.api.door import PREFIX, Error, NoInput, Operation

TITLE = "Tallygate"
_REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_JSON = "application/json"
Body = Literal["json", "form"]


class InferencePath(NamedTuple):
    """What the document says of one inference endpoint."""

    name: str
    path: str
    family: str
    streams: bool
    body: Body = "json"
    method: str = "post"


class InferenceBody(msgspec.Struct):
    """A request in the form of that API; further fields are passed on to the provider."""

    model: str
    stream: bool = False


SUMMARIES = {
    "chat": "Chat completion (OpenAI)",
    "completions": "Text completion (OpenAI)",
    "embeddings": "Embeddings (OpenAI)",
    "responses": "Response (OpenAI)",
    "messages": "Message (Anthropic)",
    "count_tokens": "Count the tokens of a message, free (Anthropic)",
    "gemini": "Generate content (Gemini)",
    "gemini_count": "Count the tokens of contents, free (Gemini)",
    "images": "Make images",
    "image_edits": "Edit images",
    "speech": "Text to speech",
    "transcriptions": "Speech to text",
    "translations": "Speech to English text",
    "moderations": "Moderation",
    "rerank": "Rerank documents",
    "models": "The models offered",
}


def build_document(
    operations: Sequence[Operation], inference: Iterable[InferencePath], version: str
) -> dict[str, Any]:
    """The whole document as plain values."""
    types: list[Any] = [Error, InferenceBody]
    for each in operations:
        types += [t for t in (each.answer, each.body, each.query) if t not in (None, NoInput)]
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for place in inference:
        paths.setdefault(place.path, {})[place.method] = _inference(place)
    for each in operations:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _operation(each, components)
    queries = {each.query.__name__ for each in operations}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": TITLE,
            "version": version,
            "description": "Inference under /v1, and an account's own things under /api/v1.",
        },
        "tags": [{"name": "inference"}, {"name": "account"}],
        "paths": paths,
        "components": {
            "schemas": {name: made for name, made in components.items() if name not in queries},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, `sk-tg-...`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "token",
                    "description": "The console's session. A request that changes something also "
                    "needs `Sec-Fetch-Site: same-origin` or an `Origin` of this address.",
                },
            },
        },
    }


def _operation(each: Operation, components: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(each.path)
    ]
    if each.query is not NoInput:
        schema = components[each.query.__name__]
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": _not_null(part),
            }
            for name, part in schema["properties"].items()
        ]
    answers: dict[str, Any] = {str(each.status): _answer("Done", each.answer)}
    if each.answer is None:
        answers = {"204": {"description": "Done"}}
    refusals = {"400", "401", "403"} | (
        {"404"} if each.path.endswith("}") or "{" in each.path else set()
    )
    if each.body is not None:
        refusals |= {"413", "415"}
    if each.key_may:
        refusals |= {"404"}
    found: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": ["account"],
        "security": [{"session": []}, *([{"key": []}] if each.key_may else [])],
        "responses": answers | {code: _refused() for code in sorted(refusals)},
    }
    if parameters:
        found["parameters"] = parameters
    if each.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {_JSON: {"schema": {"$ref": _REF.format(name=each.body.__name__)}}},
        }
    return found


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter that may be left out cannot be written as null: that is another text."""
    kept = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    if len(kept) == 1:
        rest |= kept[0]
    elif kept:
        rest["anyOf"] = kept
    if isinstance(schema.get("enum"), list):
        rest["enum"] = [value for value in schema["enum"] if value is not None]
    if schema.get("default") is not None:
        rest["default"] = schema["default"]
    return rest


def _answer(words: str, answer: type[msgspec.Struct] | None) -> dict[str, Any]:
    name = answer.__name__ if answer is not None else ""
    return {
        "description": words,
        "content": {_JSON: {"schema": {"$ref": _REF.format(name=name)}}},
    }


def _refused() -> dict[str, Any]:
    return _answer("Refused", Error)


def _inference(place: InferencePath) -> dict[str, Any]:
    content: dict[str, Any] = {_JSON: {"schema": {}}}
    if place.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    found: dict[str, Any] = {
        "operationId": f"{place.family}_{place.name}",
        "summary": SUMMARIES.get(place.name, place.name),
        "tags": ["inference"],
        "security": [{"key": []}],
        "responses": {
            "200": {"description": "In the form of that API", "content": content},
            "default": {"description": "Refused, in the form of that API"},
        },
    }
    names = _PARAMETER.findall(place.path)
    if names:
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if place.method == "post":
        form = "multipart/form-data" if place.body == "form" else _JSON
        schema = {"type": "object"} if names else {"$ref": _REF.format(name="InferenceBody")}
        found["requestBody"] = {"required": True, "content": {form: {"schema": schema}}}
    return found
