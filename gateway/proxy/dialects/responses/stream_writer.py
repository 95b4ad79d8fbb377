"""Events, written as a Responses stream.

Source: OpenAI API reference, "Streaming events": created, in_progress; per item `output_item.added`
and, for text and reasoning, a part added, its deltas, its text done, the part done; then
`output_item.done`; at last `completed` or `incomplete` with the whole response. `sequence_number`
counts from 0. Rules:
- A message or reasoning item ends when another kind of output begins; function calls stay open
  until the answer's end, because their arguments may interleave.
- The protocol repeats every text whole at its end, so this writer keeps the output, escaped, up to
  MAX_OUTPUT_BYTES; beyond that it raises ResponseTooLarge.
- A call's own signature goes into a reasoning item before it, where the client sends it back.
- Nothing is written for a Failure: the error event is the door's, and no terminal event follows.
"""

from gateway.base.errors import ResponseTooLarge, UpstreamBadResponse
from gateway.proxy.dialects.neutral import (
    End,
    Event,
    Facts,
    Failure,
    Finish,
    RefusalDelta,
    SignatureDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    Tokens,
    ToolDelta,
    ToolStart,
    UsageNews,
)
from gateway.proxy.dialects.responses import objects
from gateway.proxy.dialects.responses.open_items import (
    OpenCall,
    OpenItem,
    OpenRefusal,
    OpenText,
    OpenThinking,
)

MAX_OUTPUT_BYTES = 16 * 1024 * 1024  # as the setting upstream.max_event_bytes

_encode = objects.encode
_TAIL = b"}\n\n"


class ResponsesStreamWriter:
    """One stream's state."""

    __slots__ = (
        *("_calls", "_facts", "_items", "_kept_bytes", "_open", "_refused", "_sequence"),
        *("_started", "_stop", "_tokens"),
    )

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._sequence = 0
        self._started = False
        self._open: OpenItem | None = None  # the message or reasoning being written
        self._calls: dict[int, OpenCall] = {}  # by the call's number
        self._items: list[bytes] = []  # finished items by output_index, empty while open
        self._kept_bytes = 0
        self._refused = False
        self._stop: Stop | None = None
        self._tokens: Tokens | None = None

    def write(self, events: list[Event]) -> bytes:
        """The bytes to send for these events.

        Raises ResponseTooLarge (see above), and UpstreamBadResponse for a delta of no call.
        """
        out: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is TextDelta:
                item = self._open
                if type(item) is not OpenText:
                    item = self._begin(OpenText, out)
                out.append(self._append(item, event.text))  # type: ignore[union-attr]
            elif kind is ToolDelta:
                call = self._calls.get(event.index)  # type: ignore[union-attr]
                if call is None:
                    raise UpstreamBadResponse
                out.append(self._append(call, event.arguments))  # type: ignore[union-attr]
            else:
                self._rare(event, out)
        return out[0] if len(out) == 1 else b"".join(out)

    def _rare(self, event: Event, out: list[bytes]) -> None:
        match event:
            case ThinkingDelta():
                self._delta(OpenThinking, event.text, out)
            case RefusalDelta():
                self._refused = True
                self._delta(OpenRefusal, event.text, out)
            case SignatureDelta():
                self._signature(
                    objects.carried(event.signature, event.family, redacted=event.redacted), out
                )
            case ToolStart():
                self._start_call(event, out)
            case Finish():
                self._stop = event.stop
                self._close_all(out)
            case UsageNews():
                self._tokens = event.usage
            case End():
                self._end(out)
            case Failure() | _:
                pass

    # --- items ----------------------------------------------------------------------------------

    def _delta(self, kind: type[OpenItem], text: str, out: list[bytes]) -> None:
        item = self._open
        if type(item) is not kind:
            item = self._begin(kind, out)
        out.append(self._append(item, text))

    def _append(self, item: OpenItem, text: str) -> bytes:
        encoded = _encode(text)
        inside = encoded[1:-1]
        item.pieces.append(inside)
        self._kept_bytes += len(inside)
        if self._kept_bytes > MAX_OUTPUT_BYTES:
            raise ResponseTooLarge
        sequence = self._sequence
        self._sequence = sequence + 1
        return item.delta_head + encoded + b',"sequence_number":' + str(sequence).encode() + _TAIL

    def _begin(self, kind: type[OpenItem], out: list[bytes]) -> OpenItem:
        self._close(out)
        item = kind(self._facts.id, len(self._items))
        self._open = item
        self._announce(item, out)
        return item

    def _announce(self, item: OpenItem, out: list[bytes]) -> None:
        self._start(out)
        self._items.append(b"")
        for name, fields in item.beginning():
            self._event(name, fields, out)

    def _start_call(self, event: ToolStart, out: list[bytes]) -> None:
        if event.signature is not None:
            self._close(out)
            self._signature(objects.carried(event.signature, event.family, redacted=False), out)
        self._close(out)
        call = OpenCall(self._facts.id, len(self._items))
        call.call_id, call.name = event.id, event.name
        self._calls[event.index] = call
        self._announce(call, out)

    def _signature(self, carried: str, out: list[bytes]) -> None:
        """The signature of the open reasoning, or a reasoning item of its own."""
        item = self._open
        if type(item) is not OpenThinking:
            item = self._begin(OpenThinking, out)
        item.encrypted = carried
        self._close(out)

    def _close(self, out: list[bytes], status: bytes = b"completed") -> None:
        if self._open is not None:
            self._finish_item(self._open, status, out)
            self._open = None

    def _close_all(self, out: list[bytes]) -> None:
        status, _ = objects.ending(self._stop, self._refused)
        self._close(out, status)
        for call in self._calls.values():
            self._finish_item(call, status, out)
        self._calls = {}

    def _finish_item(self, item: OpenItem, status: bytes, out: list[bytes]) -> None:
        for name, fields in item.ending(status):
            self._event(name, fields, out)
        self._items[item.output_index] = item.whole(status)
        item.pieces = []

    # --- the response ---------------------------------------------------------------------------

    def _start(self, out: list[bytes]) -> None:
        if self._started:
            return
        self._started = True
        begun = b'"response":' + objects.response(self._facts, b"in_progress")
        self._event(b"response.created", begun, out)
        self._event(b"response.in_progress", begun, out)

    def _end(self, out: list[bytes]) -> None:
        self._start(out)
        self._close_all(out)
        status, reason = objects.ending(self._stop, self._refused)
        whole = objects.response(
            self._facts, status, b",".join(self._items), tokens=self._tokens, reason=reason
        )
        self._event(b"response." + status, b'"response":' + whole, out)

    def _event(self, name: bytes, fields: bytes, out: list[bytes]) -> None:
        out.append(
            b'event: %b\ndata: {"type":"%b",%b,"sequence_number":%d}\n\n'
            % (name, name, fields, self._sequence)
        )
        self._sequence += 1
