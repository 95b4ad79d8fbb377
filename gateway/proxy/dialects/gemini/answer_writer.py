"""A whole Answer, written as a GenerateContentResponse; and the pieces that streams share.

Source: Gemini API reference, "GenerateContentResponse". Words of refusal are plain text here.
A call always carries its id. Arguments must be a JSON object: a call that the output maximum cut
short is left out, any other that is none makes the answer malformed.
"""

from typing import Any

import msgspec

from gateway.base.errors import UpstreamBadResponse
from gateway.proxy.dialects.gemini.signing import carried
from gateway.proxy.dialects.neutral import (
    Answer,
    Facts,
    Refusal,
    Stop,
    Text,
    Thinking,
    Tokens,
    ToolCall,
)

encode = msgspec.json.Encoder().encode
_OBJECT = msgspec.json.Decoder(dict[str, Any])

_REASONS: dict[Stop, bytes] = {
    "stop": b"STOP",
    "stop_sequence": b"STOP",
    "tool_calls": b"STOP",
    "length": b"MAX_TOKENS",
    "content_filter": b"SAFETY",
    "refusal": b"SAFETY",
    "pause": b"OTHER",
}


def write_answer(answer: Answer, facts: Facts) -> bytes:
    """A whole answer's JSON. Raises UpstreamBadResponse for arguments that are no JSON object."""
    refused = any(isinstance(part, Refusal) for part in answer.parts)
    parts: list[bytes] = []
    for part in answer.parts:
        match part:
            case Text() | Refusal():
                parts.append(text_part(part.text))
            case Thinking():
                parts.append(thinking_part(part))
            case ToolCall():
                written = call_part(part, cut=answer.stop == "length")
                if written is not None:
                    parts.append(written)
    stop = reason(answer.stop, refusal_said=refused)
    return (
        b'{"candidates":[{"content":{"role":"model","parts":[%b]},"finishReason":"%b","index":0}]'
        b"%b%b}"
    ) % (b",".join(parts), stop, usage_field(answer.usage, facts), identity(facts))


def reason(stop: Stop | None, *, refusal_said: bool) -> bytes:
    """`finishReason`; a refusal in words is an answer like any other."""
    if stop is None or (stop == "refusal" and refusal_said):
        return b"STOP"
    return _REASONS[stop]


def identity(facts: Facts) -> bytes:
    """The last fields of every response."""
    return b',"modelVersion":%b,"responseId":%b' % (encode(facts.model), encode(facts.id))


def text_part(text: str) -> bytes:
    """A part of plain text."""
    return b'{"text":%b}' % encode(text)


def thinking_part(part: Thinking) -> bytes:
    """A thought. Gemini's own signature without words belongs to the text before it."""
    if part.signature is None:
        return b'{"text":%b,"thought":true}' % encode(part.text)
    thought = b"" if part.family == "gemini" and not part.text else b'"thought":true,'
    signature = carried(part.signature, part.family, redacted=part.redacted)
    return b'{"text":%b,%b"thoughtSignature":%b}' % (
        encode(part.text),
        thought,
        encode(signature),
    )


def call_part(part: ToolCall, *, cut: bool) -> bytes | None:
    """A call; None when it is incomplete because the answer was cut."""
    try:
        args = encode(_OBJECT.decode(part.arguments or "{}"))
    except (ValueError, RecursionError):
        if cut:
            return None
        raise UpstreamBadResponse from None
    signature = b""
    if part.signature is not None:
        signature = b',"thoughtSignature":' + encode(carried(part.signature, part.family))
    return b'{"functionCall":{"id":%b,"name":%b,"args":%b}%b}' % (
        encode(part.id),
        encode(part.name),
        args,
        signature,
    )


def usage_field(tokens: Tokens | None, facts: Facts) -> bytes:
    """`usageMetadata` with its comma; counts that did not come stay out, but for the totals.

    Written cache tokens count as prompt. Where the provider did not say the prompt's size, our own
    count is it.
    """
    if tokens is None:
        return b""
    parts = (tokens.input, tokens.cache_read, tokens.cache_write)
    prompt = facts.measured_input if tokens.input is None else sum(part or 0 for part in parts)
    counts: dict[str, int] = {"promptTokenCount": prompt}
    if tokens.cache_read is not None:
        counts["cachedContentTokenCount"] = tokens.cache_read
    if tokens.output is not None:
        counts["candidatesTokenCount"] = max(0, tokens.output - (tokens.reasoning or 0))
    if tokens.reasoning is not None:
        counts["thoughtsTokenCount"] = tokens.reasoning
    counts["totalTokenCount"] = prompt + (tokens.output or 0)
    return b',"usageMetadata":' + encode(counts)
