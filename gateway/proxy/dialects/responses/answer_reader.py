"""A provider's Response object, read into an Answer; and its usage, whole or streamed.

Source: OpenAI API reference, "The response object". Output items that are neither text, reasoning
nor function calls belong to tools that run at the provider; no request written here asks for them,
and they are passed over.
"""

import msgspec

from gateway.base.errors import UpstreamBadResponse, UpstreamFailed
from gateway.proxy.dialects.decoding import decode_answer
from gateway.proxy.dialects.neutral import (
    Answer,
    Refusal,
    Stop,
    Text,
    Thinking,
    Tokens,
    ToolCall,
)
from gateway.proxy.dialects.signatures import UNSIGNED


class Part(msgspec.Struct):
    """A part of a message's content, of a summary or of a reasoning text."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None


class Item(msgspec.Struct):
    """An output item of a kind that is read; `named` makes one."""

    type: str = ""
    content: list[Part] | None = None
    summary: list[Part] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: str | None = None


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class Usage(msgspec.Struct):
    """`usage` as reported."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class Response(msgspec.Struct):
    """The response object, whole or inside a terminal event."""

    status: str | None = None
    output: list[msgspec.Raw] | None = None
    usage: Usage | None = None
    incomplete_details: _Incomplete | None = None


class _Kind(msgspec.Struct):
    type: str = ""


_RESPONSE = msgspec.json.Decoder(Response)
_ITEM = msgspec.json.Decoder(Item)
_KIND = msgspec.json.Decoder(_Kind)
_READ = frozenset(("message", "function_call", "reasoning"))


def read_answer(body: bytes) -> Answer:
    """Raises UpstreamBadResponse when the document is none, UpstreamFailed when it reports that."""
    response = decode_answer(body, _RESPONSE)
    if response.status in ("failed", "cancelled"):
        raise UpstreamFailed
    if response.output is None or response.status not in ("completed", "incomplete"):
        raise UpstreamBadResponse
    parts: list[Text | Thinking | ToolCall | Refusal] = []
    for raw in response.output:
        item = item_of(raw)
        if item is not None:
            parts += item_parts(item)
    called = any(isinstance(part, ToolCall) for part in parts)
    refused = any(isinstance(part, Refusal) for part in parts)
    return Answer(
        tuple(parts),
        stop_of(response, called=called, refused=refused),
        None if response.usage is None else tokens_of(response.usage),
    )


def item_of(raw: msgspec.Raw) -> Item | None:
    """An output item; None for a kind that is not read, which may look like anything.

    Raises UpstreamBadResponse for one of a kind that is, and cannot be.
    """
    data = bytes(raw)
    if decode_answer(data, _KIND).type not in _READ:
        return None
    return decode_answer(data, _ITEM)


def item_parts(item: Item) -> list[Text | Thinking | ToolCall | Refusal]:
    """What one output item says."""
    if item.type == "message":
        said: list[Text | Thinking | ToolCall | Refusal] = []
        for part in item.content or ():
            if part.type == "refusal":
                said.append(Refusal(part.refusal or ""))
            elif part.text is not None:
                said.append(Text(part.text))
        return said
    if item.type == "function_call":
        call_id = item.call_id or item.id or ""
        return [ToolCall(call_id, item.name or "", item.arguments or "")]
    if item.type == "reasoning":
        texts = [part.text for part in (*(item.summary or ()), *(item.content or ())) if part.text]
        text = "\n\n".join(texts)
        if item.encrypted_content not in (None, "", UNSIGNED):
            return [Thinking(text, item.encrypted_content, "openai", redacted=not text)]
        return [Thinking(text)] if text else []
    return []


def stop_of(response: Response, *, called: bool, refused: bool) -> Stop:
    """Why a completed or incomplete response ended."""
    if response.status == "incomplete":
        details = response.incomplete_details
        filtered = details is not None and details.reason == "content_filter"
        return "content_filter" if filtered else "length"
    if called:
        return "tool_calls"
    return "refusal" if refused else "stop"


def tokens_of(usage: Usage) -> Tokens:
    """Usage in the one schema: here cached and written tokens are inside `input_tokens`."""
    inner = usage.input_tokens_details or _InputDetails()
    outer = usage.output_tokens_details or _OutputDetails()
    total = usage.input_tokens
    if total is not None:
        total = max(0, total - (inner.cached_tokens or 0) - (inner.cache_write_tokens or 0))
    return Tokens(
        total,
        inner.cached_tokens,
        inner.cache_write_tokens,
        usage.output_tokens,
        outer.reasoning_tokens,
    )
