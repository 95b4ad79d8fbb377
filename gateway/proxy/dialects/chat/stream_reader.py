"""A stream of chat completion chunks into events, one chunk at a time.

Source: OpenAI API reference, "The chat completion chunk object"; wire facts of other providers are
named where they are handled. Only choice 0 is read: a request for more is not translated. State is
which calls were begun, no text. After an error nothing more is read.
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.chat.answer import (
    CallShape,
    DetailShape,
    MessageShape,
    content_parts,
    entries_of,
)
from gateway.proxy.dialects.chat.reasoning import signed
from gateway.proxy.dialects.chat.stops import BROKEN, read_stop
from gateway.proxy.dialects.chat.usage import read_usage
from gateway.proxy.dialects.decoding import AnswerStruct, decode_event
from gateway.proxy.dialects.neutral import (
    End,
    Event,
    Failure,
    Finish,
    RefusalDelta,
    SignatureDelta,
    Text,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    UsageNews,
)
from gateway.proxy.dialects.sse_reader import SseReader


class _Choice(AnswerStruct):
    index: int = 0
    delta: MessageShape | None = None
    finish_reason: str | None = None


class _Chunk(AnswerStruct):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class ChatStreamReader:
    """Reads one stream."""

    __slots__ = ("_calls", "_count", "_failed", "_finished", "_refused", "_sse")

    def __init__(self) -> None:
        self._sse = SseReader()
        self._calls: dict[int, tuple[str, int]] = {}  # the stream's index -> id, our index
        self._count = 0
        self._failed = False
        self._finished = False
        self._refused = False

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
        if data.startswith(b"[DONE]"):
            events.append(End())
            return
        chunk = decode_event(data, _CHUNK)
        if chunk is None or chunk.error:
            self._fail(events)
            return
        for choice in chunk.choices or ():
            if choice.index:
                continue
            delta = choice.delta
            if delta is not None:
                # The usual chunk has text and nothing else.
                if isinstance(delta.content, str) and delta.content:
                    if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
                        self._reasoning(delta, events)
                    events.append(TextDelta(delta.content))
                    if delta.tool_calls or delta.refusal:
                        self._tail(delta, events)
                else:
                    self._rare(delta, events)
            if choice.finish_reason:
                self._finish(choice.finish_reason, events)
        if chunk.usage is not None and not self._failed:
            usage = read_usage(chunk.usage)
            if usage is not None:
                events.append(UsageNews(usage))

    def _rare(self, delta: MessageShape, events: list[Event]) -> None:
        self._reasoning(delta, events)
        for part in content_parts(delta.content):
            events.append(
                TextDelta(part.text) if isinstance(part, Text) else ThinkingDelta(part.text)
            )
        self._tail(delta, events)

    def _tail(self, delta: MessageShape, events: list[Event]) -> None:
        if delta.refusal:
            self._refused = True
            events.append(RefusalDelta(delta.refusal))
        if delta.tool_calls:
            for call in delta.tool_calls:
                self._call(call, entries_of(delta.reasoning_details), events)

    def _reasoning(self, delta: MessageShape, events: list[Event]) -> None:
        """Text from the plain field where it is there: the details then say it a second time."""
        text = delta.reasoning_content or delta.reasoning
        if text:
            events.append(ThinkingDelta(text))
        for entry in entries_of(delta.reasoning_details):
            words = entry.text or entry.summary
            if words and not text:
                events.append(ThinkingDelta(words))
            if entry.signature:
                self._signature(entry.signature, entry, False, events)
            if entry.data and not _of_call(entry, delta):
                self._signature(entry.data, entry, True, events)

    @staticmethod
    def _signature(value: str, entry: DetailShape, hidden: bool, events: list[Event]) -> None:
        signature, family = signed(value, entry.format)
        if family is not None:  # nobody could be asked to read it again
            events.append(SignatureDelta(signature, family, hidden))

    def _call(self, call: CallShape, details: list[DetailShape], events: list[Event]) -> None:
        """Begin or continue a call. Some providers number calls badly but name each by its id."""
        wire = call.index or 0
        known = self._calls.get(wire)
        function = call.function
        if known is None or (call.id and call.id != known[0]):
            index = self._count
            self._count += 1
            id_ = call.id or f"call_{index}"
            known = self._calls[wire] = (id_, index)
            name = (function.name or "") if function is not None else ""
            for entry in details:
                if entry.id == id_ and entry.data:
                    events.append(ToolStart(index, id_, name, *signed(entry.data, entry.format)))
                    break
            else:
                events.append(ToolStart(index, id_, name))
        if function is not None and function.arguments:
            events.append(ToolDelta(known[1], function.written()))

    def _finish(self, reason: str, events: list[Event]) -> None:
        if reason in BROKEN:
            self._fail(events)
        elif not self._finished:
            self._finished = True
            called = self._count > 0
            events.append(Finish(read_stop(reason, called=called, refused=self._refused)))


def _of_call(entry: DetailShape, delta: MessageShape) -> bool:
    return entry.id is not None and any(call.id == entry.id for call in delta.tool_calls or ())
