"""One HTTP/1.1 connection to a provider: writes a request, hands what comes to a receiver.

Invariants: one request at a time; bytes go to the receiver in the call that read them, with no
task, queue or copy between; after an error, a leftover byte, or an answer that ends at the
connection's end, the connection is closed and never reused. Framing is llhttp's (strict), so
conflicting lengths and bad chunks are protocol errors. Redirects are only reported, never followed.
This file knows nothing of models, money or clients.
"""

import asyncio
from typing import Any, Protocol, cast

import httptools

from gateway.base.errors import GatewayError, UpstreamBadResponse, UpstreamUnreachable

MAX_HEAD_BYTES = 64 * 1024
MAX_INFORMATIONAL = 16  # 1xx answers before the real one


class Receiver(Protocol):
    """Who an answer is for. Every call is synchronous; `failed` and `ended` come at most once."""

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Status and headers (lower-cased names; a repeated header keeps its last value)."""
        ...

    def data(self, data: bytes) -> None:
        """Some bytes of the body, framing removed."""
        ...

    def ended(self) -> None:
        """The body ended properly."""
        ...

    def failed(self, error: GatewayError) -> None:
        """The answer will not end properly."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """A pooled connection. `idle_since` is set by the pool; `reused` after its first answer."""

    __slots__ = (
        "_body",
        "_chunks",
        "_ended",
        "_head_bytes",
        "_headers",
        "_informational",
        "_keep_alive",
        "_no_body_bytes",
        "_parser",
        "_paused",
        "_receiver",
        "_status",
        "_until_close",
        "closed",
        "idle_since",
        "on_idle",
        "on_lost",
        "reused",
        "started",
        "transport",
    )

    def __init__(self, on_idle: Any, on_lost: Any) -> None:
        self.on_idle = on_idle
        self.on_lost = on_lost
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.closed = False
        self.reused = False
        self.started = False  # a byte of the present answer has come
        self.idle_since = 0.0
        self._paused = False
        self._receiver: Receiver | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    def _reset(self) -> None:
        self._chunks: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._no_body_bytes = 0  # framing in a row: chunk extensions and trailers
        self._informational = 0
        self._status = 0
        self._body = False
        self._ended = False
        self._keep_alive = False
        self._until_close = False

    # --- the pool's and the attempt's side ------------------------------------------------------

    def request(self, data: bytes, receiver: Receiver) -> None:
        """Write a whole request. The receiver hears of the answer, or of the failure, once."""
        self._reset()
        self.started = False
        self._receiver = receiver
        self.transport.write(data)

    def abandon(self) -> None:
        """The answer is no longer wanted: close at once, tell nobody."""
        self._receiver = None
        self.close()

    def close(self) -> None:
        """Close the connection; unsent bytes are dropped."""
        if not self.closed:
            self.closed = True
            self.transport.abort()

    def pause(self) -> None:
        """Stop reading, so that the provider feels the client's pace."""
        if not self.closed:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self.closed:
            self._paused = False
            self.transport.resume_reading()

    # --- asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came, then hand over this read's body bytes in one call."""
        receiver = self._receiver
        if receiver is None:  # bytes nobody asked for: the connection cannot be trusted again
            self.close()
            return
        self.started = True
        if not self._body:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(UpstreamBadResponse())
            return
        except httptools.HttpParserError:
            self._hand_over(receiver)
            self._fail(UpstreamBadResponse())
            return
        if not self._body and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(UpstreamBadResponse("The provider's headers are too large."))
            return
        chunks = self._chunks
        if len(chunks) == 1 and not self._ended:  # the usual read in the middle of a stream
            receiver.data(chunks.pop())
            return
        if not chunks and not self._ended:
            self._no_body_bytes += len(data)
            if self._no_body_bytes > 2 * MAX_HEAD_BYTES:
                self._fail(UpstreamBadResponse("The provider's trailers are too large."))
                return
        self._hand_over(receiver)

    def _hand_over(self, receiver: Receiver) -> None:
        chunks = self._chunks
        if chunks and self._receiver is receiver:
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
            receiver.data(data)
        if self._ended and self._receiver is receiver:
            self._finish(receiver)

    def _finish(self, receiver: Receiver) -> None:
        self._receiver = None
        self.reused = True
        # An answer that came before the whole request was sent leaves a connection in doubt.
        if self._keep_alive and not self.closed and not self.transport.get_write_buffer_size():
            if self._paused:
                self.resume()
            self.on_idle(self)
        else:
            self.close()
        receiver.ended()

    def _fail(self, error: GatewayError) -> None:
        receiver, self._receiver = self._receiver, None
        self.close()
        if receiver is not None:
            receiver.failed(error)

    def eof_received(self) -> bool:
        """The provider closed its side: an end only where the framing says it can be."""
        self._at_close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; an unfinished answer has failed."""
        self.closed = True
        self._at_close(lost=exc is not None)
        self.on_lost(self)

    def _at_close(self, *, lost: bool = False) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        self._keep_alive = False
        if self._until_close and not lost:
            self._ended = True
            self._finish(receiver)
        else:
            self._fail(UpstreamUnreachable("The provider closed the connection early."))

    # --- httptools callbacks --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A status line begins; a second answer to one request is refused."""
        if self._ended:
            self._keep_alive = False
            raise httptools.HttpParserError("bytes after the end of the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header; a trailer is not one (RFC 9110, 6.5.1)."""
        if self._body:
            return
        name = name.lower()
        if name == b"content-length" and self._headers.get(name, value) != value:
            raise httptools.HttpParserError("two lengths")
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole; an informational one is skipped, a final one handed over."""
        status = self._parser.get_status_code()
        if status < 200:
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL or status == 101:
                raise httptools.HttpParserError("too many informational answers")
            self._headers = {}
            return
        headers = self._headers
        self._status = status
        self._body = True
        self._keep_alive = self._parser.should_keep_alive()
        bodiless = status in (204, 304)
        chunked = b"chunked" in headers.get(b"transfer-encoding", b"").lower()
        self._until_close = not bodiless and not chunked and b"content-length" not in headers
        receiver = self._receiver
        if receiver is not None:
            receiver.head(status, headers)

    def on_body(self, body: bytes) -> None:
        """Keep body bytes until this read is parsed."""
        self._chunks.append(body)
        self._no_body_bytes = 0

    def on_message_complete(self) -> None:
        """The framing says the answer is whole (an informational one does not count)."""
        if self._body:
            self._ended = True
