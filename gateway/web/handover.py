"""Requests that aiohttp serves, on a connection that others are served on, too.

Each head is looked at before aiohttp sees it, and aiohttp gets that request and no byte of the
next: it says nothing of when it is done, and a half head left in its hands would be parted from
its other half. What a request is about is not known here.
"""

import asyncio
import re
from typing import Any, NamedTuple

import httptools

from gateway.base.errors import GatewayError, MisdirectedHost
from gateway.web.beginning import REALTIME
from gateway.web.parser import RequestParser

CHUNKED_SLICE_BYTES = 16 * 1024  # thousands of chunks: some milliseconds
_LENGTH_LINE = re.compile(rb"\r\n(?i:content-length):[ \t]*(\d+)")
_CODING_LINE = re.compile(rb"\r\n(?i:transfer-encoding):")
_UPGRADE_LINE = re.compile(rb"\r\n(?i:upgrade):[^\r\n]*")


class ConsoleHead(NamedTuple):
    """A whole head of the console's as aiohttp shall see it, and what follows it.

    `body_bytes` of what follows are its body; -1: all is aiohttp's, chunks or a WebSocket.
    """

    head: bytes
    rest: bytes
    body_bytes: int
    error: GatewayError | None


def console_head(start: bytes) -> ConsoleHead:
    """Look at a head before aiohttp does.

    One that is malformed goes no further: aiohttp would answer and log with what it contained. An
    upgrade that is not spoken there is left out (RFC 9110, 7.8), or the body would not be read.
    """
    end = start.index(b"\r\n\r\n") + 2
    head, rest = start[:end], start[end + 2 :]
    realtime = head.startswith(REALTIME)
    if not realtime:
        head = _UPGRADE_LINE.sub(b"", head)
    head += b"\r\n"
    one = RequestParser(1 << 62, frozenset(), _nothing)
    one.feed(head)
    length = _LENGTH_LINE.search(head)
    body_bytes = int(length[1]) if length is not None and one.error is None else 0
    if realtime or _CODING_LINE.search(head):
        body_bytes = -1
    # The console has a page for a Host that is not its own.
    error = None if isinstance(one.error, MisdirectedHost) else one.error
    return ConsoleHead(head, rest, body_bytes, error)


def _nothing() -> None:
    """The console itself says that it goes on."""


class ConsoleLink:
    """The console's protocol of one connection. `protocol` is aiohttp's.

    Chunks are checked before it gets them: where one is malformed it would wait for the rest until
    its deadline. The connection is closed, since nobody knows where a next request would begin.
    They cost by the piece, so a long read of them is fed in slices, one a turn of the loop.
    """

    __slots__ = ("_chunks", "_left_bytes", "_paused", "_transport", "_waiting", "protocol")

    def __init__(self, protocol: Any, transport: Any) -> None:
        self.protocol = protocol
        self._transport = transport
        self._left_bytes = 0  # of the present body; -1: all that comes
        self._chunks: httptools.HttpRequestParser | None = None
        self._paused = False
        self._waiting = b""  # chunks read and not fed yet; nothing is read meanwhile
        protocol.connection_made(transport)

    def begin(self, begun: ConsoleHead) -> bytes:
        """Hand a request over, with as much of its body as is there; returns what is not its."""
        self._left_bytes = begun.body_bytes
        self._chunks = None
        if begun.body_bytes < 0 and not begun.head.startswith(REALTIME):
            self._chunks = httptools.HttpRequestParser(self)
            self._chunks.feed_data(begun.head)
        self.protocol.data_received(begun.head)
        return self.feed(begun.rest)

    def feed(self, data: bytes) -> bytes:
        """Hand more of the body over; returns what is not its."""
        if self._left_bytes < 0:
            self._waiting += data
            if len(self._waiting) == len(data):
                self._feed_slice()
            return b""
        body, rest = data[: self._left_bytes], data[self._left_bytes :]
        if body:
            self._left_bytes -= len(body)
            self.protocol.data_received(body)
        return rest

    def _feed_slice(self) -> None:
        """Hand the next slice over; what is left waits for the loop's next turn."""
        if self._transport.is_closing():
            self._waiting = b""
            return
        end = len(self._waiting) if self._chunks is None else CHUNKED_SLICE_BYTES
        part = self._waiting[:end]
        if not self._are_sound(part):
            self._waiting = b""
            self._transport.close()
            return
        self.protocol.data_received(part)
        self._waiting = self._waiting[end:]
        if self._waiting:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._feed_slice)
        elif self._paused and not (self.protocol._reading_paused or self.protocol._buffer_paused):
            self._transport.resume_reading()  # aiohttp, too, has room
        self._paused = bool(self._waiting)

    def _are_sound(self, data: bytes) -> bool:
        """Whether these bytes of a chunked body go on well."""
        if self._chunks is None:
            return True
        try:
            self._chunks.feed_data(data)
        except httptools.HttpParserUpgrade:  # of a next request; what it asks for is not ours
            self._chunks = None
        except httptools.HttpParserError:
            return False
        return True

    def is_idle(self) -> bool:
        """aiohttp waits for a next message: the only sign it gives is its private waiter."""
        waiter = self.protocol._waiter
        return not self._waiting and waiter is not None and not waiter.done()
