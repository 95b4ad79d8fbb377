"""A Messages stream into events, one event at a time.

Source: Anthropic API reference, "Streaming messages". State is the kind of each open block, no
text. Blocks of tools that run at Anthropic, citations, pings and whatever kinds of events, blocks
and deltas are new are passed over. After an error nothing more is read.
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.decoding import AnswerStruct, decode_event
from gateway.proxy.dialects.messages.answer import STOPS
from gateway.proxy.dialects.messages.usage import read_usage
from gateway.proxy.dialects.neutral import (
    End,
    Event,
    Failure,
    Finish,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    Tokens,
    ToolDelta,
    ToolStart,
    UsageNews,
)
from gateway.proxy.dialects.signatures import unwrap
from gateway.proxy.dialects.sse_reader import SseReader


class _Delta(AnswerStruct):
    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Block(AnswerStruct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _Message(AnswerStruct):
    usage: Any = None


class _Event(AnswerStruct):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: Any = None


class _Call:
    """An open call: its number, and an input that came whole at the start."""

    __slots__ = ("given", "index")

    def __init__(self, index: int, given: Any) -> None:
        self.index = index
        self.given = given


class _Kinds(AnswerStruct):
    """What names an event's kinds; what else it holds may be anything."""

    type: str
    delta: Any = None
    content_block: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_KINDS = msgspec.json.Decoder(_Kinds)
_KNOWN = frozenset(
    (
        *("message_start", "message_delta", "message_stop", "error", "content_block_stop"),
        *("content_block_start", "content_block_delta"),
    )
)
_KNOWN_INSIDE = frozenset(
    (
        *("text", "thinking", "redacted_thinking", "tool_use"),
        *("text_delta", "thinking_delta", "signature_delta", "input_json_delta"),
    )
)


class MessagesStreamReader:
    """Reads one stream."""

    __slots__ = ("_calls", "_count", "_failed", "_finished", "_sse", "_usage")

    def __init__(self) -> None:
        self._sse = SseReader()
        self._calls: dict[int, _Call] = {}  # by the index of the open block
        self._count = 0
        self._failed = False
        self._finished = False
        self._usage = Tokens()

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        events: list[Event] = []
        for _, event in self._sse.feed(data):
            if self._failed:
                return events
            self._read(event, events)
        if self._sse.too_large and not self._failed:
            self._fail(events)
        return events

    def close(self) -> list[Event]:
        """Nothing: these streams tell their end themselves."""
        return []

    def _fail(self, events: list[Event]) -> None:
        self._failed = True
        events.append(Failure())

    def _read(self, data: bytes, events: list[Event]) -> None:
        event = decode_event(data, _EVENT)
        if event is None:
            if not _is_new(data):
                self._fail(events)
            return
        kind = event.type
        if kind == "content_block_delta":
            delta = event.delta
            if delta is None:
                return
            if delta.text:
                events.append(TextDelta(delta.text))
            elif delta.partial_json:
                call = self._calls.get(event.index)
                if call is not None:
                    call.given = None
                    events.append(ToolDelta(call.index, delta.partial_json))
            elif delta.thinking:
                events.append(ThinkingDelta(delta.thinking))
            elif delta.signature:
                events.append(SignatureDelta(*unwrap(delta.signature, "anthropic")))
        elif kind == "content_block_start":
            if event.content_block is not None:
                self._start(event.index, event.content_block, events)
        elif kind == "content_block_stop":
            call = self._calls.pop(event.index, None)
            if call is not None and call.given:
                events.append(ToolDelta(call.index, msgspec.json.encode(call.given).decode()))
        elif kind == "message_stop":
            events.append(End())
        elif kind == "error":
            self._fail(events)
        elif kind == "message_start" or kind == "message_delta":
            self._news(event, events)

    def _start(self, index: int, block: _Block, events: list[Event]) -> None:
        """Compatible providers put the beginning of a block, or all of it, into its start."""
        if block.type == "tool_use":
            self._calls[index] = _Call(self._count, block.input)
            events.append(ToolStart(self._count, block.id or "", block.name or ""))
            self._count += 1
        elif block.type == "redacted_thinking":
            if block.data:
                signature, family, _ = unwrap(block.data, "anthropic")
                events.append(SignatureDelta(signature, family, redacted=True))
        elif block.type == "thinking":
            if block.thinking:
                events.append(ThinkingDelta(block.thinking))
            if block.signature:
                events.append(SignatureDelta(*unwrap(block.signature, "anthropic")))
        elif block.type == "text" and block.text:
            events.append(TextDelta(block.text))

    def _news(self, event: _Event, events: list[Event]) -> None:
        delta = event.delta
        if delta is not None and delta.stop_reason and not self._finished:
            self._finished = True
            stop = STOPS.get(delta.stop_reason, "stop")
            events.append(Finish(stop, delta.stop_sequence))
        usage = event.message.usage if event.message is not None else event.usage
        if isinstance(usage, dict):
            self._usage = read_usage(usage, self._usage)
            events.append(UsageNews(self._usage))


def _is_new(data: bytes) -> bool:
    """Whether an event that cannot be read is of a kind unknown here, which may look like anything.

    Of one that is known, the block or the delta inside it may be of a new kind.
    """
    kinds = decode_event(data, _KINDS)
    if kinds is None:
        return False
    parts = [part for part in (kinds.delta, kinds.content_block) if isinstance(part, dict)]
    inside = [part.get("type") for part in parts]
    return kinds.type not in _KNOWN or any(
        isinstance(kind, str) and kind not in _KNOWN_INSIDE for kind in inside
    )
