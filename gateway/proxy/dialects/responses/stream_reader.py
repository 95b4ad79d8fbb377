"""A provider's Responses stream, read into events.

Source: OpenAI API reference, "Streaming events". Deltas are the source of all text; the `done`
events repeat it and are used only for what no delta said (some servers send a tool call whole).
Memory: one number per function call, and the splitter's unfinished event.
"""

import msgspec

from gateway.base.errors import UpstreamBadResponse
from gateway.proxy.dialects.decoding import decode_event
from gateway.proxy.dialects.neutral import (
    End,
    Event,
    Failure,
    Finish,
    RefusalDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    UsageNews,
)
from gateway.proxy.dialects.responses.answer_reader import (
    Item,
    Response,
    item_of,
    stop_of,
    tokens_of,
)
from gateway.proxy.dialects.signatures import UNSIGNED
from gateway.proxy.dialects.sse_reader import SseReader

NOTHING = msgspec.Raw(b"null")


class _Delta(msgspec.Struct, gc=False):
    """Every event, as far as the frequent ones go."""

    type: str
    delta: str | None = None
    output_index: int = 0


class _Whole(msgspec.Struct):
    """The rarer events."""

    item: msgspec.Raw = NOTHING
    response: Response | None = None
    arguments: str | None = None


class _Typed(msgspec.Struct):
    type: str


_DELTA = msgspec.json.Decoder(_Delta)
_WHOLE = msgspec.json.Decoder(_Whole)
_TYPED = msgspec.json.Decoder(_Typed)

_WHOLE_EVENTS = frozenset(
    (
        "response.output_item.added",
        "response.output_item.done",
        "response.function_call_arguments.done",
        "response.completed",
        "response.incomplete",
        "response.failed",
    )
)
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_KNOWN = _WHOLE_EVENTS.union(
    _THOUGHTS,
    (
        *("response.output_text.delta", "response.function_call_arguments.delta"),
        *("response.refusal.delta", "error"),
    ),
)
_NEXT_PART = "\n\n"  # between the parts of one reasoning


class ResponsesStreamReader:
    """One stream's state; after End or Failure everything is ignored."""

    __slots__ = ("_calls", "_over", "_refused", "_sse", "_thought", "_unfed")

    def __init__(self) -> None:
        self._sse = SseReader()
        self._over = False
        self._refused = False
        self._thought = False  # reasoning text came since the last signature or other item
        self._calls: dict[int, int] = {}  # output_index -> number of the call
        self._unfed: set[int] = set()  # calls whose arguments have not come yet

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        events: list[Event] = []
        for _, payload in self._sse.feed(data):
            if self._over:
                return events
            event = decode_event(payload, _DELTA)
            if event is None:
                self._misread(payload, events)
            else:
                self._read(event, payload, events)
        if self._sse.too_large and not self._over:
            self._fail(events)
        return events

    def close(self) -> list[Event]:
        """Nothing: these streams tell their end themselves."""
        return []

    def _read(self, event: _Delta, payload: bytes, events: list[Event]) -> None:
        kind, delta = event.type, event.delta
        if delta:
            if kind == "response.output_text.delta":
                events.append(TextDelta(delta))
            elif kind == "response.function_call_arguments.delta":
                self._arguments(event.output_index, delta, events)
            elif kind in _THOUGHTS:
                self._thought = True
                events.append(ThinkingDelta(delta))
            elif kind == "response.refusal.delta":
                self._refused = True
                events.append(RefusalDelta(delta))
        elif kind == "response.reasoning_summary_part.added":
            if self._thought:
                events.append(ThinkingDelta(_NEXT_PART))
        elif kind == "error":
            self._fail(events)
        elif kind in _WHOLE_EVENTS:
            whole = decode_event(payload, _WHOLE)
            if whole is None:
                self._fail(events)
            else:
                self._read_whole(event, whole, events)

    def _read_whole(self, event: _Delta, whole: _Whole, events: list[Event]) -> None:
        kind = event.type
        if kind in ("response.completed", "response.incomplete"):
            self._finish(kind, whole.response or Response(), events)
        elif kind == "response.failed":
            if whole.response is not None and whole.response.usage is not None:
                events.append(UsageNews(tokens_of(whole.response.usage)))
            self._fail(events)
        elif whole.item != NOTHING:
            self._item(kind, event.output_index, whole.item, events)
        elif whole.arguments and event.output_index in self._unfed:
            self._arguments(event.output_index, whole.arguments, events)

    def _arguments(self, output_index: int, text: str, events: list[Event]) -> None:
        number = self._calls.get(output_index)
        if number is None:
            self._fail(events)  # arguments of a call that never began
            return
        self._unfed.discard(output_index)
        events.append(ToolDelta(number, text))

    def _item(self, kind: str, output_index: int, raw: msgspec.Raw, events: list[Event]) -> None:
        try:
            item = item_of(raw) or Item()
        except UpstreamBadResponse:
            self._fail(events)
            return
        if item.type != "reasoning":
            self._thought = False
        if item.type == "function_call":
            if output_index not in self._calls:
                self._calls[output_index] = len(self._calls)
                self._unfed.add(output_index)
                call_id = item.call_id or item.id or ""
                number = self._calls[output_index]
                events.append(ToolStart(number, call_id, item.name or ""))
            if item.arguments and output_index in self._unfed:
                self._arguments(output_index, item.arguments, events)
        elif item.type == "reasoning" and kind.endswith("done"):
            signature = item.encrypted_content
            if signature and signature != UNSIGNED:
                redacted = not self._thought
                self._thought = False
                events.append(SignatureDelta(signature, "openai", redacted))

    def _finish(self, kind: str, response: Response, events: list[Event]) -> None:
        response.status = kind.removeprefix("response.")
        stop = stop_of(response, called=bool(self._calls), refused=self._refused)
        events.append(Finish(stop))
        if response.usage is not None:
            events.append(UsageNews(tokens_of(response.usage)))
        events.append(End())
        self._over = True

    def _misread(self, payload: bytes, events: list[Event]) -> None:
        """An event of an unknown kind may look like anything; a known one, or no JSON, is a fault.

        `[DONE]` is not of this dialect but some servers send it, after the terminal event.
        """
        typed = decode_event(payload, _TYPED)
        if typed is None or typed.type in _KNOWN:
            self._fail(events)

    def _fail(self, events: list[Event]) -> None:
        events.append(Failure())
        self._over = True
