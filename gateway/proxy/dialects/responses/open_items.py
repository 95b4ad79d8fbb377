"""Output items while they are written: what announces each kind, carries its deltas and ends it.

Every `beginning` and `ending` is a list of (event name, fields without type and sequence_number).
Item ids are made of the request's id and the item's place. Source: OpenAI API reference,
"Streaming events".
"""

from typing import ClassVar

from gateway.proxy.dialects.responses import objects
from gateway.proxy.dialects.signatures import UNSIGNED

_Events = list[tuple[bytes, bytes]]


class OpenItem:
    """One item; `pieces` are its escaped text so far."""

    prefix: ClassVar[bytes] = b""
    delta_event: ClassVar[bytes] = b""
    delta_fields: ClassVar[bytes] = b""

    __slots__ = ("call_id", "delta_head", "encrypted", "item_id", "name", "output_index", "pieces")

    def __init__(self, request_id: str, output_index: int) -> None:
        self.output_index = output_index
        self.item_id = b"%b_%b_%d" % (
            self.prefix,
            objects.escaped(request_id.removeprefix("req_")),
            output_index,
        )
        self.pieces: list[bytes] = []
        self.encrypted: str | None = None
        self.call_id = self.name = ""
        self.delta_head = b'event: %b\ndata: {"type":"%b",%b%b,"delta":' % (
            self.delta_event,
            self.delta_event,
            self.place(),
            self.delta_fields,
        )

    def place(self) -> bytes:
        """The fields by which an event names this item."""
        return b'"item_id":"%b","output_index":%d' % (self.item_id, self.output_index)

    def beginning(self) -> _Events:
        """What announces the item, before its first delta."""
        return [self._item_event(b"response.output_item.added", self.started())]

    def ending(self, status: bytes) -> _Events:
        """What ends the item."""
        return [self._item_event(b"response.output_item.done", self.whole(status))]

    def started(self) -> bytes:
        """The item as announced."""
        raise NotImplementedError

    def whole(self, status: bytes) -> bytes:
        """The item as finished."""
        raise NotImplementedError

    def _item_event(self, name: bytes, item: bytes) -> tuple[bytes, bytes]:
        return name, b'"output_index":%d,"item":%b' % (self.output_index, item)


class OpenText(OpenItem):
    """A message with one part of text."""

    prefix = b"msg"
    delta_event = b"response.output_text.delta"
    delta_fields = b',"content_index":0,"logprobs":[]'
    done_event: ClassVar[tuple[bytes, bytes]] = (
        b"response.output_text.done",
        b',"content_index":0,"logprobs":[],"text":"%b"',
    )

    __slots__ = ()

    def beginning(self) -> _Events:
        """The item, then its part."""
        return [*super().beginning(), self._part(b"response.content_part.added", b"")]

    def ending(self, status: bytes) -> _Events:
        """The text, its part, the item."""
        text = b"".join(self.pieces)
        name, fields = self.done_event
        return [
            (name, self.place() + fields % text),
            self._part(b"response.content_part.done", text),
            *super().ending(status),
        ]

    def started(self) -> bytes:
        """A message without content."""
        return objects.message(self.item_id, b"in_progress", b"")

    def whole(self, status: bytes) -> bytes:
        """The message with its text."""
        return objects.message(self.item_id, status, self.part(b"".join(self.pieces)))

    def part(self, text: bytes) -> bytes:
        """The content part."""
        return objects.text_part(text)

    def _part(self, name: bytes, text: bytes) -> tuple[bytes, bytes]:
        return name, self.place() + b',"content_index":0,"part":' + self.part(text)


class OpenRefusal(OpenText):
    """A message with one part of refusal."""

    delta_event = b"response.refusal.delta"
    delta_fields = b',"content_index":0'
    done_event = (b"response.refusal.done", b',"content_index":0,"refusal":"%b"')

    __slots__ = ()

    def part(self, text: bytes) -> bytes:
        """The content part."""
        return objects.refusal_part(text)


class OpenThinking(OpenItem):
    """A reasoning item with at most one part of summary; it begins when a delta or signature comes.

    Its part is announced with the item although it may stay empty: a summary that turns out empty
    is left out of the finished item.
    """

    prefix = b"rs"
    delta_event = b"response.reasoning_summary_text.delta"
    delta_fields = b',"summary_index":0'

    __slots__ = ()

    def beginning(self) -> _Events:
        """The item, then its part."""
        return [*super().beginning(), self._part(b"response.reasoning_summary_part.added", b"")]

    def ending(self, status: bytes) -> _Events:
        """The text, its part, the item."""
        text = b"".join(self.pieces)
        done = self.place() + b',"summary_index":0,"text":"%b"' % text
        return [
            (b"response.reasoning_summary_text.done", done),
            self._part(b"response.reasoning_summary_part.done", text),
            *super().ending(status),
        ]

    def started(self) -> bytes:
        """A reasoning item without a summary."""
        return objects.reasoning(self.item_id, b"in_progress", b"", None)

    def whole(self, status: bytes) -> bytes:
        """The item with its summary and signature."""
        text = b"".join(self.pieces)
        part = objects.summary_part(text) if text else b""
        carried = self.encrypted or (UNSIGNED if text else None)
        return objects.reasoning(self.item_id, status, part, carried)

    def _part(self, name: bytes, text: bytes) -> tuple[bytes, bytes]:
        return name, self.place() + b',"summary_index":0,"part":' + objects.summary_part(text)


class OpenCall(OpenItem):
    """A function call."""

    prefix = b"fc"
    delta_event = b"response.function_call_arguments.delta"

    __slots__ = ()

    def ending(self, status: bytes) -> _Events:
        """The arguments, then the item."""
        fields = b',"name":%b,"arguments":"%b"' % (
            objects.encode(self.name),
            b"".join(self.pieces),
        )
        return [
            (b"response.function_call_arguments.done", self.place() + fields),
            *super().ending(status),
        ]

    def started(self) -> bytes:
        """The call without arguments."""
        return objects.call(self.item_id, b"in_progress", self.call_id, self.name, b"")

    def whole(self, status: bytes) -> bytes:
        """The call with its arguments."""
        return objects.call(self.item_id, status, self.call_id, self.name, b"".join(self.pieces))
