"""The `input` of a Responses request, item by item, read into Messages.

An item the client got from an earlier answer comes back with everything that answer had (ids,
statuses, annotations): such fields are listed and dropped. Items of tools that run at the provider,
and references to items that a provider stores, are refused.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.base.errors import InvalidRequest
from gateway.proxy.dialects.data_urls import read_data_url
from gateway.proxy.dialects.neutral import (
    Media,
    Message,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.proxy.dialects.shapes import refuse, said, shape
from gateway.proxy.dialects.signatures import UNSIGNED, unwrap

_STORED_FILE = "Files stored at a provider cannot be used with this model: send the file itself."
_CACHE_TTL_S = (
    3600  # the breakpoints here live 30 minutes or 12 hours; the nearest that others have
)
_ROLES: dict[str, Role] = {role: role for role in ("user", "assistant", "system", "developer")}


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    role: str
    content: str | list[Any]
    type: str = "message"
    id: Any = None
    status: Any = None
    phase: Any = None


class _Words(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    text: str
    annotations: Any = None
    logprobs: Any = None
    prompt_cache_breakpoint: Any = None


class _Refusal(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    refusal: str


class _Image(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    image_url: str
    detail: str | None = None
    prompt_cache_breakpoint: Any = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: Any = None


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    call_id: str
    name: str
    arguments: str
    id: Any = None
    status: Any = None


class _Output(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    call_id: str
    output: str | list[Any]
    name: str | None = None
    id: Any = None
    status: Any = None


class _Summary(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    text: str


class _Reasoning(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    summary: list[_Summary] = []
    content: list[_Summary] = []
    encrypted_content: str | None = None
    id: Any = None
    status: Any = None


def read_items(value: str | list[Any]) -> list[Message]:
    """The messages of an `input`, neighbours of one speaker joined."""
    if isinstance(value, str):
        return [Message("user", (Text(value),))]
    messages: list[Message] = []
    last = ""
    for number, item in enumerate(value):
        at = f"input[{number}]"
        fields = said(item, at)
        reader = _ITEMS.get(str(fields.get("type", "message")))
        if reader is None:
            refuse(f"{at}.type", "This kind of item cannot be used with this model.")
        side, role, parts = reader(fields, at)
        if side and side == last:
            messages[-1] = Message(role, messages[-1].parts + parts)
        elif parts:
            messages.append(Message(role, parts))
        else:
            continue  # a reasoning item with nothing in it
        last = side
    return messages


_Read = tuple[str, Role, tuple[Part, ...]]  # which neighbours may join (empty: none), role, parts


def _message(fields: dict[str, Any], at: str) -> _Read:
    message = shape(_Message, fields, at)
    role = _ROLES.get(message.role)
    if role is None:
        raise InvalidRequest("A field has the wrong type or value.", param=f"{at}.role")
    side = "assistant" if role == "assistant" else ""
    if isinstance(message.content, str):
        return side, role, (Text(message.content),)
    return side, role, read_content(message.content, f"{at}.content")


def _call(fields: dict[str, Any], at: str) -> _Read:
    if fields.get("caller") == {"type": "direct"}:
        del fields["caller"]
    call = shape(_Call, fields, at)
    return "assistant", "assistant", (ToolCall(call.call_id, call.name, call.arguments),)


def _output(fields: dict[str, Any], at: str) -> _Read:
    if fields.get("caller") == {"type": "direct"}:
        del fields["caller"]
    output = shape(_Output, fields, at)
    if isinstance(output.output, str):
        parts: list[Text | Media] = [Text(output.output)]
    else:
        where = f"{at}.output"
        read = read_content(output.output, where)
        parts = [part for part in read if not isinstance(part, Refusal)]
        if len(parts) < len(read):
            raise InvalidRequest("A function's output cannot be a refusal.", param=where)
    return "results", "user", (ToolResult(output.call_id, tuple(parts), output.name),)


def _reasoning(fields: dict[str, Any], at: str) -> _Read:
    item = shape(_Reasoning, fields, at)
    text = "\n\n".join(part.text for part in (*item.summary, *item.content))
    if item.encrypted_content in (None, UNSIGNED):
        parts: tuple[Part, ...] = (Thinking(text),) if text else ()
        return "assistant", "assistant", parts
    signature, family, marked = unwrap(item.encrypted_content, "openai")
    redacted = marked or (family == "openai" and not text)
    return "assistant", "assistant", (Thinking(text, signature, family, redacted),)


_ITEMS: dict[str, Callable[[dict[str, Any], str], _Read]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    "reasoning": _reasoning,
}


def read_content(values: list[Any], at: str) -> tuple[Text | Media | Refusal, ...]:
    """The parts of a message's content, or of a function's output."""
    parts = []
    for number, value in enumerate(values):
        where = f"{at}[{number}]"
        fields = said(value, where)
        reader = _PARTS.get(str(fields.get("type")))
        if reader is None:
            refuse(f"{where}.type", "This kind of content cannot be used with this model.")
        parts.append(reader(fields, where))
    return tuple(parts)


def _text(fields: dict[str, Any], at: str) -> Text:
    part = shape(_Words, fields, at)
    return Text(part.text, _cache_ttl_s(part.prompt_cache_breakpoint))


def _refusal(fields: dict[str, Any], at: str) -> Refusal:
    return Refusal(shape(_Refusal, fields, at).refusal)


def _image(fields: dict[str, Any], at: str) -> Media:
    if "file_id" in fields:
        refuse(f"{at}.file_id", _STORED_FILE)
    part = shape(_Image, fields, at)
    ttl_s = _cache_ttl_s(part.prompt_cache_breakpoint)
    inline = read_data_url(part.image_url, f"{at}.image_url")
    if inline is not None:
        return Media("image", inline.media_type, inline.data, detail=part.detail, cache_ttl_s=ttl_s)
    return Media("image", url=part.image_url, detail=part.detail, cache_ttl_s=ttl_s)


def _file(fields: dict[str, Any], at: str) -> Media:
    if "file_id" in fields:
        refuse(f"{at}.file_id", _STORED_FILE)
    part = shape(_File, fields, at)
    ttl_s = _cache_ttl_s(part.prompt_cache_breakpoint)
    if (part.file_data is None) == (part.file_url is None):
        raise InvalidRequest("A file needs file_data or file_url, not both.", param=at)
    if part.file_data is None:
        return Media(
            "document",
            url=part.file_url,
            name=part.filename,
            detail=part.detail,
            cache_ttl_s=ttl_s,
        )
    inline = read_data_url(part.file_data, f"{at}.file_data")
    return Media(
        "document",
        inline.media_type if inline else "application/pdf",  # bare base64 meant that at first
        inline.data if inline else part.file_data,
        name=part.filename,
        detail=part.detail,
        cache_ttl_s=ttl_s,
    )


_PARTS: dict[str, Callable[[dict[str, Any], str], Text | Media | Refusal]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
}


def _cache_ttl_s(breakpoint_: Any) -> int | None:
    return None if breakpoint_ is None else _CACHE_TTL_S
