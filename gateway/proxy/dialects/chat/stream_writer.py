"""Events as a stream of chat completion chunks.

Each chunk is two constant pieces of bytes around one delta. The role comes first, then the deltas,
the finish reason, the usage where the client asked for it, and `[DONE]` for the provider's own
end: a stream that was cut has none. Reasoning is said twice, in `reasoning_content` and in
`reasoning_details` under the number of its block, so that a signature stays with its own text.
After a failure nothing is written: the error's event is the caller's work.
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.chat.answer import call_detail
from gateway.proxy.dialects.chat.reasoning import FORMATS
from gateway.proxy.dialects.chat.stops import write_stop
from gateway.proxy.dialects.chat.usage import write_usage
from gateway.proxy.dialects.neutral import (
    End,
    Event,
    Facts,
    Failure,
    Finish,
    RefusalDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    Tokens,
    ToolDelta,
    ToolStart,
    UsageNews,
)

_encode = msgspec.json.Encoder().encode


class ChatStreamWriter:
    """Writes one stream."""

    __slots__ = (
        "_after",
        "_before",
        "_begun",
        "_block",
        "_block_open",
        "_facts",
        "_failed",
        "_head",
        "_refused",
        "_usage",
    )

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._head = (
            b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":['
            % (_encode(facts.id), facts.created_s, _encode(facts.model))
        )
        self._before = self._head + b'{"index":0,"delta":{'
        self._after = b"]" + (b',"usage":null' if facts.include_usage else b"") + b"}\n\n"
        self._begun = False
        self._failed = False
        self._refused = False
        self._block = 0  # the number of the present block of reasoning
        self._block_open = False
        self._usage: Tokens | None = None

    def write(self, events: list[Event]) -> bytes:
        """The bytes to send for these events; may be empty."""
        out: list[bytes] = []
        for event in events:
            if self._failed:
                break
            kind = event.__class__
            if kind is UsageNews:
                self._usage = event.usage  # type: ignore[union-attr]
                continue
            if not self._begun and kind is not Failure:
                self._begun = True
                out.append(self._chunk(b'"role":"assistant","content":""'))
            if kind is TextDelta:
                out.append(self._chunk(b'"content":' + _encode(event.text)))  # type: ignore[union-attr]
            else:
                self._write_rare(event, out)
        return b"".join(out)

    def _chunk(self, delta: bytes) -> bytes:
        return self._before + delta + b'},"logprobs":null,"finish_reason":null}' + self._after

    def _write_rare(self, event: Event, out: list[bytes]) -> None:
        match event:
            case ToolDelta(index, arguments):
                delta = b'"tool_calls":[{"index":%d,"function":{"arguments":%b}}]'
                out.append(self._chunk(delta % (index, _encode(arguments))))
            case ThinkingDelta(text):
                self._block_open = True
                words = _encode(text)
                delta = (
                    b'"reasoning_content":%b,"reasoning_details":'
                    b'[{"type":"reasoning.text","index":%d,"text":%b}]'
                )
                out.append(self._chunk(delta % (words, self._block, words)))
            case SignatureDelta():
                out.append(self._chunk(self._signature(event)))
            case RefusalDelta(text):
                self._refused = True
                out.append(self._chunk(b'"refusal":' + _encode(text)))
            case ToolStart():
                out.append(self._chunk(self._call(event)))
            case Finish(stop):
                reason = _encode(write_stop(stop, refused=self._refused))
                end = b'},"logprobs":null,"finish_reason":' + reason + b"}"
                out.append(self._before + end + self._after)
            case End():
                if self._facts.include_usage and self._usage is not None:
                    usage = write_usage(self._usage, self._facts.measured_input)
                    out.append(self._head + b'],"usage":' + _encode(usage) + b"}\n\n")
                out.append(b"data: [DONE]\n\n")
            case Failure():
                self._failed = True

    def _signature(self, event: SignatureDelta) -> bytes:
        """Closes the block it signs; one that hides the text is a block of its own."""
        if event.redacted and self._block_open:
            self._block += 1
        entry: dict[str, Any] = {"type": "reasoning.text", "index": self._block}
        if event.redacted:
            entry["type"] = "reasoning.encrypted"
        entry["data" if event.redacted else "signature"] = event.signature
        entry["format"] = FORMATS[event.family]
        self._block += 1
        self._block_open = False
        return b'"reasoning_details":' + _encode([entry])

    def _call(self, event: ToolStart) -> bytes:
        call = {
            "index": event.index,
            "id": event.id,
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }
        delta = b'"tool_calls":' + _encode([call])
        if event.signature is not None:
            if self._block_open:
                self._block += 1
                self._block_open = False
            entry = call_detail(event.id, event.signature, event.family, self._block)
            self._block += 1
            delta += b',"reasoning_details":' + _encode([entry])
        return delta
