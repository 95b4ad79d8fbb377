"""A provider's streamGenerateContent stream (`alt=sse`), read into events.

Source: Gemini API reference, "Method: models.streamGenerateContent". Events have no name and are
each a whole GenerateContentResponse with the next parts; there is no end marker, so the event with
a `finishReason` is the end. Usage may come on any event; the last counts. Without `alt=sse` the
stream would be one JSON array, which is refused.
"""

from gateway.proxy.dialects.decoding import decode_event
from gateway.proxy.dialects.gemini.answer_reader import (
    CHUNK,
    Chunk,
    Part,
    Usage,
    blocked,
    only_candidate,
    read_call,
    stop_of,
    tokens_of,
)
from gateway.proxy.dialects.gemini.signing import read_signature
from gateway.proxy.dialects.neutral import (
    End,
    Event,
    Failure,
    Finish,
    SignatureDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    UsageNews,
)
from gateway.proxy.dialects.sse_reader import SseReader


class GeminiStreamReader:
    """One stream's state; after End or Failure everything is ignored."""

    __slots__ = ("_begun", "_calls", "_over", "_sse", "_usage")

    def __init__(self) -> None:
        self._sse = SseReader()
        self._begun = False
        self._over = False
        self._calls = 0
        self._usage: Usage | None = None

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        events: list[Event] = []
        if not self._begun:
            self._look(data, events)
        for _, payload in self._sse.feed(data):
            if self._over:
                return events
            chunk = decode_event(payload, CHUNK)
            if chunk is None:
                self._fail(events)
            else:
                self._read(chunk, events)
        if self._sse.too_large and not self._over:
            self._fail(events)
        return events

    def _look(self, data: bytes, events: list[Event]) -> None:
        start = data.lstrip()
        if start:
            self._begun = True
            if start.startswith((b"[", b"{")):
                self._fail(events)

    def _read(self, chunk: Chunk, events: list[Event]) -> None:
        if chunk.usageMetadata is not None:
            self._usage = chunk.usageMetadata
        candidate = only_candidate(chunk)
        if candidate is None:
            if chunk.error is not None:
                self._fail(events)
            elif blocked(chunk):
                self._end("content_filter", events)
            return
        if candidate.content is not None and candidate.content.parts is not None:
            for part in candidate.content.parts:
                self._part(part, chunk, events)
                if self._over:
                    return
        if candidate.finishReason is not None:
            stop = stop_of(candidate.finishReason, called=self._calls > 0)
            if stop is None or chunk.error is not None:
                self._fail(events)
            else:
                self._end(stop, events)

    def _part(self, part: Part, chunk: Chunk, events: list[Event]) -> None:
        if part.functionCall is not None:
            call = read_call(part, self._calls, chunk.responseId or "")
            events.append(ToolStart(self._calls, call.id, call.name, call.signature, call.family))
            events.append(ToolDelta(self._calls, call.arguments))
            self._calls += 1
            return
        if part.inlineData is not None or part.fileData is not None:
            self._fail(events)
            return
        if part.text:
            events.append(ThinkingDelta(part.text) if part.thought else TextDelta(part.text))
        if part.thoughtSignature:
            events.append(SignatureDelta(*read_signature(part.thoughtSignature)))

    def _end(self, stop: Stop, events: list[Event]) -> None:
        events.append(Finish(stop))
        if self._usage is not None:
            events.append(UsageNews(tokens_of(self._usage)))
        events.append(End())
        self._over = True

    def _fail(self, events: list[Event]) -> None:
        events.append(Failure())
        self._over = True
