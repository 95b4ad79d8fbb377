"""A whole Messages answer, both ways.

Source: Anthropic API reference, "Create a Message" (response). Blocks of tools that run at
Anthropic are passed over: a translated request asks for none. Words of refusal are text here, and
`refusal` the stop reason; so it is for an answer that a filter cut.
"""

from typing import Any

import msgspec

from gateway.base.errors import UpstreamBadResponse, UpstreamFailed
from gateway.proxy.dialects.decoding import AnswerStruct, decode_answer
from gateway.proxy.dialects.messages.request_writer import read_arguments
from gateway.proxy.dialects.messages.usage import read_usage, write_usage
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
from gateway.proxy.dialects.signatures import unwrap, wrap

AnswerPart = Text | Thinking | ToolCall | Refusal

STOPS: dict[str, Stop] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}
STOP_REASONS: dict[Stop, str] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "pause": "pause_turn",
    "refusal": "refusal",
    "content_filter": "refusal",
}

_encode = msgspec.json.Encoder().encode


class _Block(AnswerStruct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Answer(AnswerStruct):
    type: str = ""
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_answer(body: bytes) -> Answer:
    """Raises UpstreamBadResponse for another shape, UpstreamFailed for an error in its place."""
    answer = decode_answer(body, _ANSWER)
    if answer.type == "error":
        raise UpstreamFailed
    if answer.content is None:
        raise UpstreamBadResponse
    parts: list[AnswerPart] = []
    for block in answer.content:
        if block.type == "text":
            if block.text:
                parts.append(Text(block.text))
        elif block.type == "tool_use":
            parts.append(ToolCall(block.id, block.name, bytes(block.input).decode()))
        elif block.type == "thinking":
            if not block.signature:
                parts.append(Thinking(block.thinking))
            else:
                signature, family, _ = unwrap(block.signature, "anthropic")
                parts.append(Thinking(block.thinking, signature, family))
        elif block.type == "redacted_thinking":
            signature, family, _ = unwrap(block.data, "anthropic")
            parts.append(Thinking("", signature, family, redacted=True))
    stop = None
    if answer.stop_reason is not None:
        stop = STOPS.get(answer.stop_reason, "stop")
    usage = read_usage(answer.usage) if isinstance(answer.usage, dict) else None
    return Answer(tuple(parts), stop, usage, answer.stop_sequence)


def write_answer(answer: Answer, facts: Facts) -> bytes:
    """A message. Raises UpstreamBadResponse when a finished call's arguments are no JSON object."""
    content: list[dict[str, Any]] = []
    for part in answer.parts:
        if isinstance(part, Thinking):
            content.append(_thinking(part))
        elif isinstance(part, ToolCall):
            if part.signature is not None:
                mark = wrap(part.signature, part.family, "anthropic")
                content.append({"type": "redacted_thinking", "data": mark})
            given = read_arguments(part.arguments)
            if given is None:
                if answer.stop != "length":
                    raise UpstreamBadResponse
                given = msgspec.Raw(b"{}")  # the maximum cut the call; nobody may run it
            content.append({"type": "tool_use", "id": part.id, "name": part.name, "input": given})
        elif part.text:
            content.append({"type": "text", "text": part.text, "citations": None})
    return _encode(
        {
            "id": facts.id,
            "type": "message",
            "role": "assistant",
            "model": facts.model,
            "content": content,
            "stop_reason": STOP_REASONS[answer.stop or "stop"],
            "stop_sequence": answer.stop_sequence,
            "usage": write_usage(answer.usage or Tokens(), facts.measured_input),
        }
    )


def _thinking(part: Thinking) -> dict[str, Any]:
    """The SDK's type has a signature always; reasoning that nobody signed has an empty one."""
    if part.redacted and part.signature is not None:
        mark = wrap(part.signature, part.family, "anthropic", redacted=True)
        return {"type": "redacted_thinking", "data": mark}
    mark = wrap(part.signature or "", part.family, "anthropic")
    return {"type": "thinking", "thinking": part.text, "signature": mark}
