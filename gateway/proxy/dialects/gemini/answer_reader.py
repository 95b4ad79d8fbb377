"""A GenerateContentResponse, read into an Answer; its shapes, stops and usage serve streams too.

Source: Gemini API reference, "GenerateContentResponse". Calls without an id get one made of the
answer's id, the call's place and its content: the same answer gives the same ids, another answer
others. Images and sound in an answer have no neutral form; such an answer is no answer here.
"""

import hashlib
from typing import Any

import msgspec

from gateway.base.errors import UpstreamBadResponse, UpstreamFailed
from gateway.proxy.dialects.decoding import decode_answer
from gateway.proxy.dialects.gemini.signing import read_signature
from gateway.proxy.dialects.neutral import (
    Answer,
    Refusal,
    Stop,
    Text,
    Thinking,
    Tokens,
    ToolCall,
)


class Call(msgspec.Struct, gc=False):
    """`functionCall`."""

    name: str = ""
    args: dict[str, Any] | None = None
    id: str | None = None


class Part(msgspec.Struct, gc=False):
    """A part of an answer; the last fields have no neutral form."""

    text: str | None = None
    thought: bool | None = None
    thoughtSignature: str | None = None
    functionCall: Call | None = None
    inlineData: Any = None
    fileData: Any = None


class Content(msgspec.Struct, gc=False):
    """`content` of a candidate; some ends of streams have none of its fields."""

    parts: list[Part] | None = None


class Candidate(msgspec.Struct, gc=False):
    """One choice."""

    content: Content | None = None
    finishReason: str | None = None
    index: int | None = None


class Feedback(msgspec.Struct, gc=False):
    """`promptFeedback`."""

    blockReason: str | None = None


class Usage(msgspec.Struct, gc=False):
    """`usageMetadata`."""

    promptTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    toolUsePromptTokenCount: int | None = None


class Chunk(msgspec.Struct, gc=False):
    """A whole response, or one event of a stream."""

    candidates: list[Candidate] | None = None
    promptFeedback: Feedback | None = None
    usageMetadata: Usage | None = None
    responseId: str | None = None
    error: Any = None


CHUNK = msgspec.json.Decoder(Chunk)
_encode = msgspec.json.Encoder().encode

BLOCKED = "SAFETY"  # the reason of an answer to a prompt that was refused

_STOPS: dict[str, Stop] = {"STOP": "stop", "MAX_TOKENS": "length"}
# What the model made is not an answer: the provider says so instead of showing it.
_BROKEN = frozenset(
    (
        *("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL"),
        *("TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"),
    )
)


def read_answer(body: bytes) -> Answer:
    """Raises UpstreamBadResponse when the document is none, UpstreamFailed when it reports that."""
    chunk = decode_answer(body, CHUNK)
    if chunk.error is not None:
        raise UpstreamFailed
    candidate = only_candidate(chunk)
    usage = None if chunk.usageMetadata is None else tokens_of(chunk.usageMetadata)
    if candidate is None or candidate.finishReason is None:
        if not blocked(chunk):
            raise UpstreamBadResponse
        return Answer((), "content_filter", usage)
    parts: list[Text | Thinking | ToolCall | Refusal] = []
    for part in (candidate.content or Content()).parts or ():
        _read_part(part, parts, chunk.responseId or "")
    called = sum(isinstance(part, ToolCall) for part in parts)
    stop = stop_of(candidate.finishReason, called=called > 0)
    if stop is None:
        raise UpstreamFailed
    return Answer(tuple(parts), stop, usage)


def _read_part(
    part: Part, parts: list[Text | Thinking | ToolCall | Refusal], answer_id: str
) -> None:
    if part.functionCall is not None:
        number = sum(isinstance(one, ToolCall) for one in parts)
        parts.append(read_call(part, number, answer_id))
        return
    if part.inlineData is not None or part.fileData is not None:
        raise UpstreamBadResponse
    text, last = part.text or "", parts[-1] if parts else None
    if part.thought:
        if isinstance(last, Thinking) and last.signature is None:
            text = last.text + text
            parts.pop()
        if part.thoughtSignature:
            parts.append(Thinking(text, *read_signature(part.thoughtSignature)))
        elif text:
            parts.append(Thinking(text))
        return
    if isinstance(last, Text):
        parts[-1] = Text(last.text + text)
    elif text:
        parts.append(Text(text))
    if part.thoughtSignature:
        parts.append(Thinking("", *read_signature(part.thoughtSignature)))


def read_call(part: Part, number: int, answer_id: str) -> ToolCall:
    """The call in a part; `number` is its place among the answer's calls."""
    call = part.functionCall or Call()
    arguments = _encode(call.args or {})
    call_id = call.id
    if not call_id:
        content = b"\0".join((answer_id.encode(), b"%d" % number, call.name.encode(), arguments))
        call_id = "call_" + hashlib.blake2s(content, digest_size=12).hexdigest()
    signature = part.thoughtSignature or None
    return ToolCall(
        call_id, call.name, arguments.decode(), signature, "gemini" if signature else None
    )


def only_candidate(chunk: Chunk) -> Candidate | None:
    """The first choice; no request written here asks for more."""
    for candidate in chunk.candidates or ():
        if not candidate.index:
            return candidate
    return None


def blocked(chunk: Chunk) -> bool:
    """The provider refused the prompt, so there is no candidate."""
    return chunk.promptFeedback is not None and chunk.promptFeedback.blockReason is not None


def stop_of(reason: str, *, called: bool) -> Stop | None:
    """Why an answer ended; None when it broke. Reasons unknown here are a provider's filters."""
    if reason in _BROKEN:
        return None
    stop = _STOPS.get(reason, "content_filter")
    return "tool_calls" if called and stop == "stop" else stop


def tokens_of(usage: Usage) -> Tokens:
    """Usage in the one schema: the prompt includes the cached, candidates exclude the thoughts."""
    total = usage.promptTokenCount
    if total is not None:
        total = max(0, total - (usage.cachedContentTokenCount or 0))
        total += usage.toolUsePromptTokenCount or 0
    output, thoughts = usage.candidatesTokenCount, usage.thoughtsTokenCount
    if output is not None or thoughts is not None:
        output = (output or 0) + (thoughts or 0)
    return Tokens(total, usage.cachedContentTokenCount, None, output, thoughts)
