"""A ConverseStream, read into events, one JSON object an event.

Source: the shape `ConverseStreamOutput` of botocore's service model. Order: `messageStart`, the
blocks, `messageStop` with the reason, `metadata` with the usage, which is the end. A block of text
or reasoning has no start. An exception comes as an object with `error` (see `upstream.decode`).
State is the number of each open call; no text is kept.
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.converse.answer_reader import Usage, stop_of, tokens_of
from gateway.proxy.dialects.decoding import AnswerStruct, decode_event
from gateway.proxy.dialects.neutral import (
    End,
    Event,
    Failure,
    Finish,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    UsageNews,
)
from gateway.proxy.dialects.sse_reader import SseReader


class _ToolUse(AnswerStruct):
    toolUseId: str = ""
    name: str = ""


class _Started(AnswerStruct):
    toolUse: _ToolUse | None = None
    image: Any = None


class _Start(AnswerStruct):
    contentBlockIndex: int = 0
    start: _Started | None = None


class _Reasoning(AnswerStruct):
    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None


class _Input(AnswerStruct):
    input: str = ""


class _Said(AnswerStruct):
    text: str | None = None
    toolUse: _Input | None = None
    reasoningContent: _Reasoning | None = None
    image: Any = None


class _Delta(AnswerStruct):
    contentBlockIndex: int = 0
    delta: _Said | None = None


class _Stop(AnswerStruct):
    stopReason: str = ""


class _Metadata(AnswerStruct):
    usage: Usage | None = None


class _Event(AnswerStruct):
    contentBlockStart: _Start | None = None
    contentBlockDelta: _Delta | None = None
    messageStop: _Stop | None = None
    metadata: _Metadata | None = None
    error: Any = None


_EVENT = msgspec.json.Decoder(_Event)


class ConverseStreamReader:
    """One stream's state; after End or Failure everything is ignored."""

    __slots__ = ("_calls", "_count", "_over", "_sse")

    def __init__(self) -> None:
        self._sse = SseReader()
        self._calls: dict[int, int] = {}  # a block's index -> the call's number
        self._count = 0
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        events: list[Event] = []
        for _, payload in self._sse.feed(data):
            if self._over:
                return events
            event = decode_event(payload, _EVENT)
            if event is None or event.error is not None:
                self._fail(events)
            else:
                self._read(event, events)
        if self._sse.too_large and not self._over:
            self._fail(events)
        return events

    def close(self) -> list[Event]:
        """Nothing: these streams tell their end themselves."""
        return []

    def _read(self, event: _Event, events: list[Event]) -> None:
        if event.contentBlockDelta is not None:
            delta = event.contentBlockDelta
            if delta.delta is not None:
                self._delta(delta.contentBlockIndex, delta.delta, events)
        elif event.contentBlockStart is not None:
            self._start(event.contentBlockStart, events)
        elif event.messageStop is not None:
            stop = stop_of(event.messageStop.stopReason, called=self._count > 0)
            if stop is None:
                self._fail(events)
            else:
                events.append(Finish(stop))
        elif event.metadata is not None:
            if event.metadata.usage is not None:
                events.append(UsageNews(tokens_of(event.metadata.usage)))
            events.append(End())
            self._over = True

    def _start(self, start: _Start, events: list[Event]) -> None:
        if start.start is None:
            return
        use = start.start.toolUse
        if use is not None:
            self._calls[start.contentBlockIndex] = self._count
            events.append(ToolStart(self._count, use.toolUseId, use.name))
            self._count += 1
        elif start.start.image is not None:
            self._fail(events)

    def _delta(self, index: int, said: _Said, events: list[Event]) -> None:
        if said.text:
            events.append(TextDelta(said.text))
        elif said.toolUse is not None:
            number = self._calls.get(index)
            if number is not None and said.toolUse.input:
                events.append(ToolDelta(number, said.toolUse.input))
        elif said.reasoningContent is not None:
            thought = said.reasoningContent
            if thought.text:
                events.append(ThinkingDelta(thought.text))
            if thought.signature:
                events.append(SignatureDelta(thought.signature, "bedrock"))
            if thought.redactedContent:
                events.append(SignatureDelta(thought.redactedContent, "bedrock", redacted=True))
        elif said.image is not None:
            self._fail(events)

    def _fail(self, events: list[Event]) -> None:
        events.append(Failure())
        self._over = True
