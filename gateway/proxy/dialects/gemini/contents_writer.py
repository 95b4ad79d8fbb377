"""Messages, written as Gemini `contents`.

Source: Gemini API reference, "Content" and "Part"; guide "Thought signatures". Rules:
- Results of functions stand in a content of their own, as the API wants them right after the
  calls; a result carries its function's name, found by the call's id.
- A signature without words just before an unsigned call goes back onto the call. Where Gemini
  signed no call of a turn (another provider answered it), models after Gemini 2 refuse the turn, so
  its first call gets the value that Google documents for such histories.
- Reasoning that Gemini did not sign is left out: only its maker can read it. So is empty text,
  which the API takes for a missing part.
- A request of nothing but system text sends that text as the user's: there must be a turn.
"""

from typing import Any

import msgspec

from gateway.base.errors import InvalidRequest
from gateway.proxy.dialects.gemini.media_types import media_type_of
from gateway.proxy.dialects.neutral import (
    Media,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.proxy.dialects.shapes import refuse

_UNSIGNED = "skip_thought_signature_validator"  # guide "Thought signatures", other models' history

_EMPTY = Text("")
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def write_contents(
    messages: tuple[Message, ...], *, signed: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(parts of the system instruction, contents); `signed`: the model checks calls' signatures."""
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role in ("system", "developer"):
            system += [written for part in message.parts for written in _system(part)]
        elif message.role == "assistant":
            parts = _spoken(message.parts, names, signed)
            if parts:
                contents.append({"role": "model", "parts": parts})
        else:
            contents += _given(message.parts, names)
    if system and not contents:
        return [], [{"role": "user", "parts": system}]
    return system, contents


def _system(part: Part) -> list[dict[str, Any]]:
    if not isinstance(part, Text):
        refuse("messages", "System instructions can only be text for this model.")
    return [{"text": part.text}] if part.text else []


def _spoken(parts: tuple[Part, ...], names: dict[str, str], signed: bool) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    called = False
    for part in parts:
        match part:
            case Text() | Refusal() if part.text:
                written.append({"text": part.text})
            case Thinking(signature=str(), family="gemini") if part.text:
                written.append(
                    {"text": part.text, "thought": True, "thoughtSignature": part.signature}
                )
            case Thinking(signature=str(), family="gemini"):
                written.append({"text": "", "thoughtSignature": part.signature})
            case ToolCall():
                names[part.id] = part.name
                call = _call(part, written)
                if signed and not called:
                    call.setdefault("thoughtSignature", _UNSIGNED)
                called = True
                written.append(call)
            case Media():
                refuse("messages", "The model's provider takes no media in the assistant's turns.")
    return written


def _call(part: ToolCall, written: list[dict[str, Any]]) -> dict[str, Any]:
    try:
        args = _OBJECT.decode(part.arguments or "{}")
    except (ValueError, RecursionError):
        raise InvalidRequest(
            "A tool call's arguments are not a JSON object.", param="messages"
        ) from None
    call: dict[str, Any] = {"functionCall": {"id": part.id, "name": part.name, "args": args}}
    if part.signature is not None and part.family == "gemini":
        call["thoughtSignature"] = part.signature
    elif written and written[-1].get("text") == "" and "thoughtSignature" in written[-1]:
        call["thoughtSignature"] = written.pop()["thoughtSignature"]
    return call


def _given(parts: tuple[Part, ...], names: dict[str, str]) -> list[dict[str, Any]]:
    """The contents of a user's turn: results apart from everything else."""
    contents: list[dict[str, Any]] = []
    last: type | None = None
    for part in parts:
        if part == _EMPTY:
            continue
        written = _result(part, names) if isinstance(part, ToolResult) else _said(part)
        side = ToolResult if isinstance(part, ToolResult) else None
        if contents and side is last:
            contents[-1]["parts"].append(written)
        else:
            contents.append({"role": "user", "parts": [written]})
        last = side
    return contents


def _said(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"text": part.text}
        case Media():
            return _media(part)
    raise InvalidRequest("A user's turn holds what only the assistant can say.", param="messages")


def _media(part: Media) -> dict[str, Any]:
    media_type = part.media_type or media_type_of(part)
    if part.data is not None:
        return {"inlineData": {"mimeType": media_type, "data": part.data}}
    return {"fileData": {"mimeType": media_type, "fileUri": part.url}}


def _result(part: ToolResult, names: dict[str, str]) -> dict[str, Any]:
    name = names.get(part.call_id, part.name)
    if name is None:
        raise InvalidRequest("A tool's result answers no call.", param="messages")
    texts = [inner.text for inner in part.parts if isinstance(inner, Text)]
    response: dict[str, Any] = {
        "id": part.call_id,
        "name": name,
        "response": {"error" if part.is_error else "output": "\n".join(texts)},
    }
    media = [inner for inner in part.parts if isinstance(inner, Media)]
    if any(inner.data is None for inner in media):
        refuse("messages", "Media in a tool's result must be sent along, not by address.")
    if media:
        response["parts"] = [_media(inner) for inner in media]
    return {"functionResponse": response}
