"""The `contents` of a Gemini request, read into Messages.

Neighbouring contents of the model become one message and their texts and thoughts are joined: the
official SDK sends a streamed answer back in the pieces it came in. Rules:
- A call without an id becomes `call_<n>`, n counting the conversation's calls from 0, so that the
  same history always reads the same (a provider's prompt cache then still fits).
- A result without an id answers the first unanswered call of its name.
- A signature on plain text stands behind the text, as reasoning without words.
"""

from typing import Any

import msgspec

from gateway.base.errors import InvalidRequest
from gateway.proxy.dialects.gemini.signing import read_signature
from gateway.proxy.dialects.neutral import (
    Media,
    Message,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.proxy.dialects.shapes import refuse, said, shape

_encode = msgspec.json.Encoder().encode
_ROLES = {"user": "user", "function": "user", "model": "model"}
# Parts that only one provider's service can make sense of.
_STORED_FILE = "Files stored at a provider cannot be used with this model: send the file itself."
_STORED = ("gs://", "https://generativelanguage.googleapis.com/")


class _Blob(msgspec.Struct, forbid_unknown_fields=True):
    data: str
    mimeType: str
    displayName: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    fileUri: str
    mimeType: str = ""
    displayName: str | None = None


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    args: dict[str, Any] = {}
    id: str | None = None


class _Response(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    response: dict[str, Any] = {}
    parts: list[Any] = []
    id: str | None = None


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    text: str | None = None
    thought: bool = False
    thoughtSignature: str | None = None
    inlineData: Any = None
    fileData: Any = None
    functionCall: Any = None
    functionResponse: Any = None


def camel(value: Any, at: str) -> dict[str, Any]:
    """The fields of an object that are not null, names in camelCase."""
    fields = {}
    for name, inner in said(value, at).items():
        head, *rest = name.split("_")
        fields[head + "".join(word.capitalize() for word in rest)] = inner
    return fields


def read_system(value: Any) -> list[Message]:
    """`systemInstruction` as one system message; only its texts count."""
    if value is None:
        return []
    at = "systemInstruction"
    values = _content(value, at)[1]
    texts = []
    for number, part in enumerate(values):
        where = f"{at}.parts[{number}]"
        text = shape(_Part, camel(part, where), where).text
        if text is None:
            refuse(where, "System instructions can only be text for this model.")
        texts.append(Text(text))
    return [Message("system", tuple(texts))] if texts else []


def read_contents(values: list[Any]) -> list[Message]:
    """The messages of `contents`. Raises InvalidRequest for a result that answers no call."""
    calls = _Calls()
    messages: list[Message] = []
    joined: list[Part] = []  # of the model's contents until another speaker comes
    for number, value in enumerate(values):
        at = f"contents[{number}]"
        role, inner = _content(value, at)
        if role == "model":
            for place, part in enumerate(inner):
                _read_spoken(part, f"{at}.parts[{place}]", joined, calls)
            continue
        if joined:
            messages.append(Message("assistant", tuple(joined)))
            joined = []
        parts = [_read_given(part, f"{at}.parts[{n}]", calls) for n, part in enumerate(inner)]
        if parts:
            messages.append(Message("user", tuple(parts)))
    if joined:
        messages.append(Message("assistant", tuple(joined)))
    return messages


class _Calls:
    """The calls of a conversation, and which wait for a result."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[tuple[str, str]] = []

    def call(self, call_id: str | None, name: str) -> str:
        """The id of a new call."""
        call_id = call_id or f"call_{self._count}"
        self._count += 1
        self._waiting.append((call_id, name))
        return call_id

    def answer(self, call_id: str | None, name: str, at: str) -> str:
        """The id of the call that a result answers."""
        for waiting in self._waiting:
            if waiting[0] == call_id if call_id else waiting[1] == name:
                self._waiting.remove(waiting)
                return waiting[0]
        raise InvalidRequest("A functionResponse answers no functionCall.", param=at)


def _content(value: Any, at: str) -> tuple[str, list[Any]]:
    """(role, parts) of a content; a bare string is text of the user, as the SDKs have it."""
    if isinstance(value, str):
        return "user", [{"text": value}]
    fields = said(value, at)
    role = _ROLES.get(str(fields.pop("role", "user")))
    parts = fields.pop("parts", [])
    for name in fields:
        refuse(f"{at}.{name}")
    if not isinstance(parts, list):
        raise InvalidRequest("A field must be a list.", param=f"{at}.parts")
    if role is None and at != "systemInstruction":  # its role is ignored by the API too
        raise InvalidRequest("A field has the wrong value.", param=f"{at}.role")
    return role or "user", parts


def _read_spoken(value: Any, at: str, parts: list[Part], calls: _Calls) -> None:
    """A part of the model's turn, joined to the part before it where both are one text."""
    part = shape(_Part, camel(value, at), at)
    signature = part.thoughtSignature or None
    if part.functionCall is not None:
        call = shape(_Call, camel(part.functionCall, at), f"{at}.functionCall")
        call_id = calls.call(call.id, call.name)
        family = "gemini" if signature else None
        arguments = _encode(call.args).decode()
        parts.append(ToolCall(call_id, call.name, arguments, signature, family))  # type: ignore[arg-type]
        return
    if part.text is None:
        refuse(at, "This kind of part cannot be used with this model.")
    last = parts[-1] if parts else None
    if not part.thought:
        if isinstance(last, Text):
            parts[-1] = Text(last.text + part.text)
        elif part.text:
            parts.append(Text(part.text))
        if signature:
            parts.append(Thinking("", *read_signature(signature)))
        return
    text = part.text
    if isinstance(last, Thinking) and last.signature is None:
        parts.pop()
        text = last.text + text
    if signature:
        parts.append(Thinking(text, *read_signature(signature)))
    elif text:
        parts.append(Thinking(text))


def _read_given(value: Any, at: str, calls: _Calls) -> Text | Media | ToolResult:
    """A part of the user's turn."""
    part = shape(_Part, camel(value, at), at)
    if part.text is not None:
        return Text(part.text)
    if part.functionResponse is not None:
        return _result(part.functionResponse, f"{at}.functionResponse", calls)
    media = _media(part, at)
    if media is None:
        refuse(at, "This kind of part cannot be used with this model.")
    return media


def _media(part: _Part, at: str) -> Media | None:
    if part.inlineData is not None:
        where = f"{at}.inlineData"
        blob = shape(_Blob, camel(part.inlineData, where), where)
        data = blob.data.replace("-", "+").replace("_", "/")  # the SDKs use either alphabet
        return Media(
            _kind(blob.mimeType, where), blob.mimeType.lower(), data, name=blob.displayName
        )
    if part.fileData is not None:
        where = f"{at}.fileData"
        file = shape(_File, camel(part.fileData, where), where)
        if file.fileUri.startswith(_STORED):
            refuse(f"{where}.fileUri", _STORED_FILE)
        kind = _kind(file.mimeType, where)
        return Media(kind, file.mimeType.lower(), url=file.fileUri, name=file.displayName)
    return None


def _kind(media_type: str, at: str) -> Any:
    major = media_type.lower().partition("/")[0]
    if major == "video":
        refuse(f"{at}.mimeType", "Video cannot be used with this model.")
    return major if major in ("image", "audio") else "document"


def _result(value: Any, at: str, calls: _Calls) -> ToolResult:
    """A function's result: `output` (or `result`) is its text, `error` an error's text.

    Any other object is the result itself, as JSON text. Source: Gemini API reference,
    "FunctionResponse.response".
    """
    result = shape(_Response, camel(value, at), at)
    call_id = calls.answer(result.id, result.name, at)
    is_error = False
    text: str | None = None
    if len(result.response) == 1:
        [(key, inner)] = result.response.items()
        if key in ("output", "result", "error") and isinstance(inner, str):
            text, is_error = inner, key == "error"
    parts: list[Text | Media] = [Text(_encode(result.response).decode() if text is None else text)]
    for number, part in enumerate(result.parts):
        where = f"{at}.parts[{number}]"
        media = _media(shape(_Part, camel(part, where), where), where)
        if media is None:
            refuse(where, "This kind of part cannot be used with this model.")
        parts.append(media)
    return ToolResult(call_id, tuple(parts), result.name, is_error)
