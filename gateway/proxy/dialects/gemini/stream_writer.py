"""Events, written as a streamGenerateContent stream (`alt=sse`): unnamed events, no end marker.

Source: Gemini API reference, "Method: models.streamGenerateContent". Rules:
- A call is written whole, since its arguments are an object here: its deltas wait, up to
  MAX_WAITING_BYTES in all (then ResponseTooLarge), until other output or the answer's end. Parallel
  calls go in one event.
- The last event carries the finish reason and the usage together.
- Nothing is written for a Failure: the error event is the door's, and no last event follows.
"""

from gateway.base.errors import ResponseTooLarge, UpstreamBadResponse
from gateway.proxy.dialects.gemini.answer_writer import (
    call_part,
    encode,
    identity,
    reason,
    thinking_part,
    usage_field,
)
from gateway.proxy.dialects.neutral import (
    End,
    Event,
    Facts,
    Finish,
    RefusalDelta,
    SignatureDelta,
    Stop,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tokens,
    ToolCall,
    ToolDelta,
    ToolStart,
    UsageNews,
)

MAX_WAITING_BYTES = 4 * 1024 * 1024  # arguments of calls; far more than any model writes

_HEAD = b'data: {"candidates":[{"content":{"role":"model","parts":['
_TEXT = _HEAD + b'{"text":'
_TEXT_TAIL = b'}]},"index":0}]'
_THOUGHT_TAIL = b',"thought":true' + _TEXT_TAIL


class GeminiStreamWriter:
    """One stream's state."""

    __slots__ = (
        *("_calls", "_facts", "_refused", "_stop", "_tail", "_text_tail", "_thought_tail"),
        *("_tokens", "_waiting_bytes"),
    )

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._tail = identity(facts) + b"}\n\n"
        self._text_tail = _TEXT_TAIL + self._tail
        self._thought_tail = _THOUGHT_TAIL + self._tail
        self._calls: dict[int, tuple[ToolStart, list[str]]] = {}  # begun, not yet written
        self._waiting_bytes = 0
        self._refused = False
        self._stop: Stop | None = None
        self._tokens: Tokens | None = None

    def write(self, events: list[Event]) -> bytes:
        """The bytes to send for these events.

        Raises ResponseTooLarge (see above), and UpstreamBadResponse for arguments that are no JSON
        object or belong to no call.
        """
        out: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is TextDelta:
                if self._calls:
                    self._write_calls(out)
                out.append(_TEXT + encode(event.text) + self._text_tail)  # type: ignore[union-attr]
            elif kind is ThinkingDelta:
                if self._calls:
                    self._write_calls(out)
                out.append(_TEXT + encode(event.text) + self._thought_tail)  # type: ignore[union-attr]
            else:
                self._rare(event, out)
        return b"".join(out)

    def _rare(self, event: Event, out: list[bytes]) -> None:
        match event:
            case ToolStart():
                self._calls[event.index] = (event, [])
            case ToolDelta():
                self._arguments(event)
            case SignatureDelta():
                part = Thinking("", event.signature, event.family, event.redacted)
                self._write_calls(out)
                out.append(_HEAD + thinking_part(part) + b']},"index":0}]' + self._tail)
            case RefusalDelta():
                self._refused = True
                self._write_calls(out)
                out.append(_TEXT + encode(event.text) + self._text_tail)
            case Finish():
                self._stop = event.stop
                self._write_calls(out)
            case UsageNews():
                self._tokens = event.usage
            case End():
                self._end(out)

    def _arguments(self, event: ToolDelta) -> None:
        waiting = self._calls.get(event.index)
        if waiting is None:
            raise UpstreamBadResponse
        waiting[1].append(event.arguments)
        self._waiting_bytes += len(event.arguments)
        if self._waiting_bytes > MAX_WAITING_BYTES:
            raise ResponseTooLarge

    def _write_calls(self, out: list[bytes]) -> None:
        if not self._calls:
            return
        parts: list[bytes] = []
        for start, pieces in self._calls.values():
            call = ToolCall(start.id, start.name, "".join(pieces), start.signature, start.family)
            written = call_part(call, cut=self._stop == "length")
            if written is not None:
                parts.append(written)
        self._calls = {}
        self._waiting_bytes = 0
        if parts:
            out.append(_HEAD + b",".join(parts) + b']},"index":0}]' + self._tail)

    def _end(self, out: list[bytes]) -> None:
        self._write_calls(out)
        out.append(
            b'%b{"text":""}]},"finishReason":"%b","index":0}]%b%b'
            % (
                _HEAD,
                reason(self._stop, refusal_said=self._refused),
                usage_field(self._tokens, self._facts),
                self._tail,
            )
        )
