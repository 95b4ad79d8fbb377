"""Events as a Messages stream, in exactly the grammar Anthropic's SDK accumulates.

`message_start`; per block `content_block_start`, deltas, `content_block_stop`, one block open at a
time, numbered from 0; `message_delta` with the stop reason and the usage; `message_stop`. The last
two are written at the provider's own end, when the usage is known: a cut stream has neither.

Calls that interleave (chat streams may): a block that was closed cannot be reopened, so while the
arguments of the open call are incomplete, whatever else comes waits, in its order and at most
MAX_WAITING_BYTES of it. Usual streams finish one call before the next and nothing waits. A call's
own signature stands in a redacted block before it (signatures.py). After a failure nothing is
written: the error's event is the caller's work.
"""

from typing import Any

import msgspec

from gateway.base.errors import ResponseTooLarge
from gateway.proxy.dialects.messages.answer import STOP_REASONS
from gateway.proxy.dialects.messages.json_end import JsonEnd
from gateway.proxy.dialects.messages.usage import write_usage
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
from gateway.proxy.dialects.signatures import wrap

MAX_WAITING_BYTES = 16 * 1024 * 1024
_EVENT_COST = 128  # of a waiting event beside its text

_encode = msgspec.json.Encoder().encode
_EMPTY = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
_FIELDS = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "call": b'"input_json_delta","partial_json":',
}
# A delta ends itself and its event.
_DELTA_END = b"}}\n\n"


class MessagesStreamWriter:
    """Writes one stream. `write` raises ResponseTooLarge when too much has to wait."""

    __slots__ = (
        "_begun",
        "_call",
        "_call_end",
        "_called",
        "_delta_head",
        "_facts",
        "_failed",
        "_finish",
        "_next",
        "_open",
        "_usage",
        "_waiting",
        "_waiting_bytes",
    )

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._begun = False
        self._failed = False
        self._open = ""  # the kind of the open block
        self._next = 0  # the index of the next block
        self._delta_head = b""  # all of a delta's event before its text
        self._call = -1  # the number of the open call
        self._call_end = JsonEnd()
        self._called = False
        self._waiting: list[list[Event]] = []  # each one block's events, in order
        self._waiting_bytes = 0
        self._finish: Finish | None = None
        self._usage = Tokens()

    def write(self, events: list[Event]) -> bytes:
        """The bytes to send for these events; may be empty."""
        out: list[bytes] = []
        for event in events:
            if self._failed:
                break
            if event.__class__ is TextDelta and self._open == "text":
                out.append(self._delta_head + _encode(event.text) + _DELTA_END)
            else:
                self._take(event, out)
        return b"".join(out)

    def _take(self, event: Event, out: list[bytes]) -> None:
        if isinstance(event, Failure):
            self._failed = True
            return
        if isinstance(event, UsageNews):
            self._usage = event.usage
        if not self._begun:
            self._begun = True
            out.append(self._start())
        if isinstance(event, Finish):
            self._finish = event
            self._flush(out)
        elif isinstance(event, End):
            self._flush(out)
            out.append(self._end())
        elif not isinstance(event, UsageNews):
            self._order(event, out)

    # --- the order of blocks ----------------------------------------------------------------------

    def _order(self, event: Event, out: list[bytes]) -> None:
        """Write the event now, or let it wait for the open call's last brace."""
        if isinstance(event, ToolDelta) and event.index == self._call:
            self._write_block(event, out)
            if self._waiting and self._call_end.complete:
                self._release(out)
        elif self._open != "call" or self._call_end.complete:
            self._write_block(event, out)
        else:
            self._wait(event)

    def _wait(self, event: Event) -> None:
        text = getattr(event, "text", "") or getattr(event, "arguments", "")
        self._waiting_bytes += len(text) + _EVENT_COST
        if self._waiting_bytes > MAX_WAITING_BYTES:
            raise ResponseTooLarge
        if isinstance(event, ToolDelta):
            for block in self._waiting:
                begun = block[0]
                if isinstance(begun, ToolStart) and begun.index == event.index:
                    block.append(event)
                    return
            return  # of a call that was closed with its last brace
        self._waiting.append([event])

    def _release(self, out: list[bytes]) -> None:
        """Write what waited, up to and with the next call that is incomplete."""
        while self._waiting and (self._open != "call" or self._call_end.complete):
            for event in self._waiting.pop(0):
                self._write_block(event, out)
        if not self._waiting:
            self._waiting_bytes = 0

    def _flush(self, out: list[bytes]) -> None:
        """Nothing more comes: write all that waited, complete or not, and close the last block."""
        while self._waiting:
            for event in self._waiting.pop(0):
                self._write_block(event, out)
        self._close(out)

    # --- blocks -----------------------------------------------------------------------------------

    def _write_block(self, event: Event, out: list[bytes]) -> None:
        match event:
            case TextDelta(text) | RefusalDelta(text):
                self._say("text", text, out)
            case ThinkingDelta(text):
                self._say("thinking", text, out)
            case SignatureDelta():
                self._sign(event, out)
            case ToolStart():
                self._begin_call(event, out)
            case ToolDelta(index, arguments):
                if index == self._call:  # else it was closed with its last brace
                    self._call_end.feed(arguments)
                    out.append(self._delta_head + _encode(arguments) + _DELTA_END)

    def _say(self, kind: str, text: str, out: list[bytes]) -> None:
        if self._open != kind:
            self._begin(kind, _EMPTY[kind], out)
        out.append(self._delta_head + _encode(text) + _DELTA_END)

    def _sign(self, event: SignatureDelta, out: list[bytes]) -> None:
        """A signature ends its block. One without text before it has a block of its own."""
        mark = wrap(event.signature, event.family, "anthropic", redacted=event.redacted)
        if event.redacted:
            self._begin("redacted", {"type": "redacted_thinking", "data": mark}, out)
        else:
            if self._open != "thinking":
                self._begin("thinking", _EMPTY["thinking"], out)
            delta = {
                "type": "content_block_delta",
                "index": self._next - 1,
                "delta": {"type": "signature_delta", "signature": mark},
            }
            out.append(_event(b"content_block_delta", delta))
        self._close(out)

    def _begin_call(self, event: ToolStart, out: list[bytes]) -> None:
        if event.signature is not None:
            mark = wrap(event.signature, event.family, "anthropic")
            self._begin("redacted", {"type": "redacted_thinking", "data": mark}, out)
        block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        self._begin("call", block, out)
        self._called = True
        self._call = event.index
        self._call_end = JsonEnd()

    def _begin(self, kind: str, block: dict[str, Any], out: list[bytes]) -> None:
        self._close(out)
        index = self._next
        self._next += 1
        self._open = kind
        start = {"type": "content_block_start", "index": index, "content_block": block}
        out.append(_event(b"content_block_start", start))
        if kind in _FIELDS:
            self._delta_head = (
                b'event: content_block_delta\ndata: {"type":"content_block_delta",'
                b'"index":%d,"delta":{"type":%b' % (index, _FIELDS[kind])
            )

    def _close(self, out: list[bytes]) -> None:
        if self._open:
            self._open = ""
            self._call = -1
            stop = {"type": "content_block_stop", "index": self._next - 1}
            out.append(_event(b"content_block_stop", stop))

    # --- the message ------------------------------------------------------------------------------

    def _start(self) -> bytes:
        message: dict[str, Any] = {
            "id": self._facts.id,
            "type": "message",
            "role": "assistant",
            "model": self._facts.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(self._usage, self._facts.measured_input),
        }
        return _event(b"message_start", {"type": "message_start", "message": message})

    def _end(self) -> bytes:
        finish = self._finish or Finish("tool_calls" if self._called else "stop")
        delta = {
            "type": "message_delta",
            "delta": {
                "stop_reason": STOP_REASONS[finish.stop],
                "stop_sequence": finish.stop_sequence,
            },
            "usage": write_usage(self._usage, self._facts.measured_input),
        }
        return _event(b"message_delta", delta) + _event(b"message_stop", {"type": "message_stop"})


def _event(name: bytes, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, _encode(data))
