"""A provider's streamGenerateContent stream (`alt=sse`), read into events.

Source: Gemini API reference, "Method: models.streamGenerateContent". Events have no name and are
each a whole GenerateContentResponse with the next parts. There is no end marker, and a
`finishReason` is none: some models name it in every event, others before the event that has the
usage. So the reason and the usage that came last are told when the stream is closed. Without
`alt=sse` the stream would be one JSON array, which is refused.
"""

from gateway.proxy.dialects.decoding import decode_event
from gateway.proxy.dialects.gemini.answer_reader import (
    BLOCKED,
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
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    UsageNews,
)
from gateway.proxy.dialects.sse_reader import SseReader


class GeminiStreamReader:
    """One stream's state; after Failure everything is ignored."""

    __slots__ = ("_begun", "_calls", "_over", "_reason", "_sse", "_usage")

    def __init__(self) -> None:
        self._sse = SseReader()
        self._begun = False
        self._over = False
        self._calls = 0
        self._reason: str | None = None  # why the answer ends, if this is its end
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

    def close(self) -> list[Event]:
        """Why the answer ended, its usage, and the end; nothing when it was cut."""
        events: list[Event] = []
        if self._over or self._reason is None:
            return events
        stop = stop_of(self._reason, called=self._calls > 0)
        if stop is None:
            self._fail(events)
            return events
        self._over = True
        events.append(Finish(stop))
        if self._usage is not None:
            events.append(UsageNews(tokens_of(self._usage)))
        events.append(End())
        return events

    def _look(self, data: bytes, events: list[Event]) -> None:
        start = data.lstrip()
        if start:
            self._begun = True
            if start.startswith((b"[", b"{")):
                self._fail(events)

    def _read(self, chunk: Chunk, events: list[Event]) -> None:
        if chunk.error is not None:
            self._fail(events)
            return
        if chunk.usageMetadata is not None:
            self._usage = chunk.usageMetadata
        candidate = only_candidate(chunk)
        if candidate is None:
            if blocked(chunk):
                self._reason = BLOCKED
            return
        if candidate.content is not None and candidate.content.parts is not None:
            for part in candidate.content.parts:
                self._part(part, chunk, events)
                if self._over:
                    return
        if candidate.finishReason is not None:
            self._reason = candidate.finishReason
            if stop_of(candidate.finishReason, called=False) is None:
                self._fail(events)

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

    def _fail(self, events: list[Event]) -> None:
        events.append(Failure())
        self._over = True
