"""Splits a provider's event stream into events, at any split of the bytes, in bounded memory.

Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream": lines end with LF, CRLF or CR, a
blank line ends an event, lines that start with a colon are comments, one space after a field's
colon is not part of the value, several `data` lines join with LF. `id` and `retry` are for clients
that reconnect; a proxy ignores them. An event without data is dropped. So is an event still open
when the stream ends, unless whoever feeds the reader adds a blank line.
Nothing here knows JSON or a dialect.
"""

MAX_EVENT_BYTES = 16 * 1024 * 1024  # as the setting upstream.max_event_bytes

_BOM = b"\xef\xbb\xbf"

SseEvent = tuple[bytes, bytes]


class SseReader:
    """Feed it bytes, get (name, data) pairs; the name is empty when the event has none.

    `too_large` turns True when an event passes the limit: the rest of the stream is ignored.
    """

    __slots__ = ("_after_cr", "_begun", "_max_event_bytes", "_pending", "too_large")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.too_large = False
        self._max_event_bytes = max_event_bytes
        self._pending = bytearray()
        self._after_cr = False
        self._begun = False

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that these bytes complete, in order."""
        if self._after_cr or b"\r" in data:
            data = self._with_lf_only(data)
        length = len(data) - 2
        if (
            self._begun
            and not self._pending
            and 0 < length <= self._max_event_bytes
            and data.find(b"\n\n") == length
            and not self.too_large
        ):
            # The usual read is one whole event.
            event = _parse(data[:length])
            return [] if event is None else [event]
        if self._pending:
            # The blank line may straddle the two reads; nothing before it needs a second look.
            seen = len(self._pending) - 1
            self._pending += data
            if self._pending.find(b"\n\n", seen) < 0:
                self._bound(len(self._pending))
                return []
            data = bytes(self._pending)
            self._pending.clear()
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if self.too_large:
            return []
        if not self._begun and data:
            blocks, rest = self._without_bom(blocks, rest)
        events: list[SseEvent] = []
        for block in blocks:
            if len(block) > self._max_event_bytes:
                self.too_large = True
                return events
            event = _parse(block) if block else None
            if event is not None:
                events.append(event)
        if rest:
            self._pending += rest
            self._bound(len(rest))
        return events

    def _bound(self, length: int) -> None:
        # A trailing LF may prove to be the first half of the blank line, no part of the event.
        if length > self._max_event_bytes + 1:
            self.too_large = True
            self._pending.clear()

    def _with_lf_only(self, data: bytes) -> bytes:
        """CRLF and CR become LF; a CR that ends this read swallows an LF that begins the next."""
        if not data:
            return data
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
            if not data:
                return data
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_bom(self, blocks: list[bytes], rest: bytes) -> tuple[list[bytes], bytes]:
        """The stream may start with a byte order mark, which may come in pieces."""
        if blocks:
            self._begun = True
            return [blocks[0].removeprefix(_BOM), *blocks[1:]], rest
        return blocks, rest


def _parse(block: bytes) -> SseEvent | None:
    """One event's lines; None for comments and for events without data."""
    head, _, rest = block.partition(b"\n")
    if not rest and head.startswith(b"data: "):
        return b"", head[6:]
    if rest.startswith(b"data: ") and head.startswith(b"event: ") and b"\n" not in rest:
        return head[7:], rest[6:]
    name = b""
    data: bytes | None = None
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            value = line[6:] if line.startswith(b"data: ") else line[5:]
            data = value if data is None else data + b"\n" + value
        elif line.startswith(b"event:"):
            name = line[7:] if line.startswith(b"event: ") else line[6:]
        elif line == b"data":
            data = b"" if data is None else data + b"\n"
        elif line == b"event":
            name = b""
    return None if data is None else (name, data)
