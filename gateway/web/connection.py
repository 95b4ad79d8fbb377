"""One client connection of the public port: HTTP/1.1 for the inference API, the rest handed on.

Requests for `/v1/` and `/v1beta/` are served by the data plane with no task or queue between
provider and client; any other request is given to the console's aiohttp protocol on the same
connection, until that is idle again. aiohttp's server has no deadline for headers or bodies and
costs about as much per request as the whole data plane, hence this file.

Invariants: one request at a time, pipelined bytes wait in a bounded buffer; every buffer is
bounded; each state has a deadline, enforced by `check`; after a protocol error the connection
answers once, in the API's error shape, and closes. Sources: RFC 9110, RFC 9112.
"""

import asyncio
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gateway.base.errors import GatewayError, RequestTimeout
from gateway.platform.keys.ring import Recall
from gateway.proxy.dialects.openai import error_body, error_headers
from gateway.proxy.drive import Drive
from gateway.proxy.exchange import Exchange
from gateway.web.beginning import REALTIME, is_console, is_undecided, origin_form
from gateway.web.handover import ConsoleHead, ConsoleLink, console_head
from gateway.web.parser import RequestParser

if TYPE_CHECKING:
    from gateway.web.server import Server

MAX_BACKLOG_BYTES = 64 * 1024  # bytes kept while a request runs; then reading stops
HIGH_WATER_BYTES = 4 * 1024  # the kernel's buffer is full by then: stop reading the provider
SLOWEST_BODY_BYTES_PER_S = 1024  # a slower body runs into its deadline
CONSOLE_POLL_S = 0.002  # until a page is done that another request waits for: aiohttp says nothing
COPY_LIMIT_BYTES = 16 * 1024  # up to here one joined write is cheaper than three buffers

LINGER_S = 2.0  # after a refusal the rest is read away, or RST might overtake the words (9112 9.6)

IDLE, READING, BUSY, CONSOLE, LEAVING = range(5)
STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


class Connection:
    """A client connection, an asyncio Protocol; also the `Client` of the exchange it carries."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.closed = False
        self.address = ""  # kept by the server, for its limit per address
        self.task: Drive | None = None
        self._parser = RequestParser(
            server.limits.max_body_bytes, server.allowed_hosts, self._continue
        )
        self._console: Any = None
        self.recall = Recall()
        self._exchange: Exchange | None = None
        self._backlog = b""
        self._state = IDLE
        self._keep_alive = True
        self._chunked = True
        self._head_only = False
        self._head = b""  # of a streamed response, until its first bytes
        self._paused_since_s = 0.0
        self._paused_at_bytes = 0
        self._reading_since_s = 0.0
        self._deadline_s = server.now_s() + server.limits.header_timeout_s

    # --- asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound the write buffer and join the server's connections."""
        self.transport = transport  # type: ignore[assignment]
        self.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._server.opened(self)

    def data_received(self, data: bytes) -> None:
        """Route the bytes by state: a running request's pipeline, the console, or the parser."""
        state = self._state
        if state == CONSOLE:
            if self._paused_since_s:
                self._keep(data)
                return
            if not self._console.is_idle():
                self._keep_behind(self._console.feed(data))
                return
            self._state = state = IDLE
        if state == BUSY:
            self._keep(data)
            return
        if state == LEAVING:
            return
        if state == IDLE and not self._begin(data):
            return
        if state == IDLE and self._backlog:
            data, self._backlog = self._backlog + data, b""
        if len(data) > MAX_BACKLOG_BYTES and self._parser.is_strict(data):
            data = self._put_off(data)
        self._parser.feed(data)
        self._next()

    def _put_off(self, data: bytes) -> bytes:
        """What may come in pieces of a byte is read in turns of the loop; nothing overtakes it."""
        self.transport.pause_reading()
        self._backlog = data[MAX_BACKLOG_BYTES:]
        self._server.loop.call_soon(self._take_backlog)
        return data[:MAX_BACKLOG_BYTES]

    def _keep(self, data: bytes) -> None:
        self._backlog += data
        if len(self._backlog) > MAX_BACKLOG_BYTES:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """The client is done sending; as with other servers that ends the connection."""
        if self._console is not None:
            self._console.protocol.eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is at work that the client has left."""
        self.closed = True
        self.recall.forget()
        self._server.lost(self)
        if self._console is not None:
            self._console.protocol.connection_lost(exc)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone()

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        self._paused_since_s = self._server.now_s()
        self._paused_at_bytes = self.transport.get_write_buffer_size()
        if self._console is not None and not self._console.protocol.writing_paused:
            self._console.protocol.pause_writing()
        if self._exchange is not None:
            self._exchange.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._paused_since_s = 0.0
        if self._console is not None and self._console.protocol.writing_paused:
            self._console.protocol.resume_writing()
        if self._exchange is not None:
            self._exchange.resume()
        elif self.closed:
            self._deadline_s = self._server.now_s() + self._server.limits.write_stall_timeout_s
        elif self._state == BUSY:
            self._server.loop.call_soon(self._next_if_open)
        elif self._state == CONSOLE and self._backlog:
            self._server.loop.call_soon(self._take_backlog)

    # --- deadlines ------------------------------------------------------------------------------

    def check(self, now_s: float) -> None:
        """Enforce the deadline of the present state; called about twice a second."""
        if self._paused_since_s:
            left = self.transport.get_write_buffer_size()
            if left < self._paused_at_bytes:
                self._paused_at_bytes, self._paused_since_s = left, now_s
            elif now_s - self._paused_since_s > self._server.limits.write_stall_timeout_s:
                self.abort()
                return
            if self.closed:
                return
        if now_s <= self._deadline_s:
            return
        if self.closed:
            self.abort()
            return
        if self._state == READING and self._parser.in_body:
            slowest_s = self._parser.body_bytes / SLOWEST_BODY_BYTES_PER_S
            limit_s = max(self._server.limits.body_timeout_s, slowest_s)
            if now_s - self._reading_since_s <= limit_s:
                return
        if self._state == IDLE and not self._backlog:
            self._close()
        else:
            self._fail(RequestTimeout())

    @property
    def busy(self) -> bool:
        """Whether a request is being served or an answer still has bytes to send."""
        if self._state == CONSOLE:
            return not self._console.is_idle()
        return self._state == BUSY or self.transport.get_write_buffer_size() > 0

    def stop(self) -> None:
        """The server is stopping: close when idle, else after the present request."""
        self._keep_alive = False
        if self._state == IDLE or (self._state == CONSOLE and self._console.is_idle()):
            self._close()

    # --- requests -------------------------------------------------------------------------------

    def _begin(self, data: bytes) -> bool:
        """First bytes of a request: whose is it? False when they have been dealt with."""
        known = not self._backlog and data.startswith((b"POST /v1/", b"GET /v1/"))
        if known and not REALTIME.startswith(data[: len(REALTIME)]):
            self._start_reading()
            return True
        start = (self._backlog + data).lstrip(b"\r\n")  # RFC 9112 2.2: empty lines are ignored
        if not start:
            return False
        if not self._backlog:
            self._start_reading()
        if is_undecided(start):
            self._state, self._backlog = IDLE, start
            return False
        start = origin_form(start)
        if is_console(start):
            begun = console_head(start)
            self._backlog = b""
            if begun.error is None:
                self._hand_to_console(begun)
            else:
                self._fail(begun.error)
            return False
        self._state = READING
        return True

    def _start_reading(self) -> None:
        self._state = READING
        self._reading_since_s = self._server.now_s()
        self._deadline_s = self._reading_since_s + self._server.limits.header_timeout_s

    def _next(self) -> None:
        """Serve the next whole request, or the error that follows the last one."""
        parser = self._parser
        if parser.requests:
            self._state = BUSY
            self._deadline_s = math.inf
            if self._paused_since_s:
                return  # the answers before must be read first: `resume_writing` goes on
            request = parser.requests.popleft()
            self._head_only = request.method == b"HEAD"
            self._keep_alive = self._keep_alive and request.keep_alive
            self._chunked = request.chunked
            self._server.serve(self, request)
        elif parser.error is not None:
            self._fail(parser.error)

    def _continue(self) -> None:
        if not self.closed and self._state == READING:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # --- the console's requests -----------------------------------------------------------------

    def _hand_to_console(self, begun: ConsoleHead) -> None:
        self._state = CONSOLE
        self._deadline_s = math.inf  # the body's deadline is the console's own
        if self._console is None:
            self._console = ConsoleLink(self._server.console_protocol(), self.transport)
            if self._paused_since_s:
                self._console.protocol.pause_writing()
        self._keep_behind(self._console.begin(begun))

    def _keep_behind(self, data: bytes) -> None:
        """What follows the console's request waits for it."""
        if data:
            waits = bool(self._backlog)
            self._keep(data)
            if not waits:
                self._server.loop.call_later(CONSOLE_POLL_S, self._take_backlog)

    # --- Client: the response's side ------------------------------------------------------------

    def carry(self, exchange: Exchange) -> None:
        """The exchange this connection now serves."""
        self._exchange = exchange

    def respond(self, status: int, headers: bytes, body: bytes | list[bytes]) -> None:
        """A whole response in one write; a long body in its pieces, which are not joined."""
        if self.closed:
            return
        if isinstance(body, bytes) and not self._head_only:
            length = str(len(body)).encode()  # `join` of few pieces costs half of formatting
            lines = (STATUS_LINES[status], self._common(), headers, b"Content-Length: ", length)
            self.transport.write(b"".join((*lines, b"\r\n\r\n", body)))
        else:
            pieces = body if isinstance(body, list) else [body]
            size = sum(map(len, pieces))
            of = (STATUS_LINES[status], self._common(), headers, size)
            head = b"%b%b%bContent-Length: %d\r\n\r\n" % of
            self.transport.writelines([head] if self._head_only else [head, *pieces])
        self._finish()

    def start(self, status: int, headers: bytes) -> None:
        """The head of a streamed response: chunked, or up to the close for HTTP/1.0.

        It waits for the first bytes and goes out with them: a client woken for a head alone waits
        longer for its first piece.
        """
        if self.closed:
            return
        framing = b"Transfer-Encoding: chunked\r\n\r\n" if self._chunked else b"\r\n"
        self._keep_alive = self._keep_alive and self._chunked
        self._head = STATUS_LINES[status] + self._common() + headers + framing

    def send(self, data: bytes) -> None:
        """Some body bytes, written at once; empty ones only bring the head on its way."""
        if self.closed:
            return
        if self._head:
            head, self._head = self._head, b""
            if data and self._chunked:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            self.transport.write(head + data)
        elif not data:
            return
        elif not self._chunked:
            self.transport.write(data)
        elif len(data) <= COPY_LIMIT_BYTES:
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self.transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))

    def chunks(self) -> asyncio.Transport | None:
        """The transport itself, for bytes that are framed already."""
        self.send(b"")
        return self.transport if self._chunked and not self.closed else None

    def end(self, tail: bytes) -> None:
        """The last bytes and the end of the body."""
        if self.closed:
            return
        if self._head:
            self.send(tail)
            tail = b""
        if not self._chunked:
            self.transport.write(tail)
        elif tail:
            self.transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(tail), tail))
        else:
            self.transport.write(b"0\r\n\r\n")
        self._finish()

    def abort(self) -> None:
        """Cut the connection now, what is still to be sent included."""
        self.transport.abort()

    def _close(self) -> None:
        """Close once everything is sent, within the deadline of a client that reads nothing."""
        self.closed = True
        if self._state == LEAVING:
            self._deadline_s = self._server.now_s() + LINGER_S
            self.transport.write_eof()
            return
        self._deadline_s = self._server.now_s() + self._server.limits.write_stall_timeout_s
        self.transport.close()

    def _common(self) -> bytes:
        if self._keep_alive and not self._server.stopping:
            return self._server.date_line
        return self._server.date_line + b"Connection: close\r\n"

    def _finish(self) -> None:
        """The response is written: close, or take up the next request."""
        self._exchange = None
        self.task = None
        if not self._keep_alive or self._server.stopping:
            self._close()
            return
        parser = self._parser
        if parser.requests or parser.error is not None:
            self._server.loop.call_soon(self._next_if_open)
            return
        self._start_reading() if parser.partial else self._rest()
        if self._backlog:
            self._server.loop.call_soon(self._take_backlog)

    def _rest(self) -> None:
        self._state = IDLE
        self._deadline_s = self._server.now_s() + self._server.limits.keepalive_timeout_s

    def _next_if_open(self) -> None:
        if not self.closed and self._state == BUSY and self._exchange is None:
            self._next()

    def _take_backlog(self) -> None:
        if self.closed or self._state == BUSY or not self._backlog:
            return
        if self._state == CONSOLE and not self._console.is_idle():
            if not self._paused_since_s:  # else the page must be read first: `resume_writing`
                self._server.loop.call_later(CONSOLE_POLL_S, self._take_backlog)
        else:
            data, self._backlog = self._backlog, b""
            self.transport.resume_reading()
            self.data_received(data)

    def _fail(self, error: GatewayError) -> None:
        """Answer a request that never became one, then close."""
        if self.closed:
            return
        self._keep_alive = False
        headers = error_headers(error, self._server.new_request_id())
        self._server.count_refusal(error)
        if not isinstance(error, RequestTimeout):
            self._state = LEAVING
        self.respond(error.status, headers, error_body(error))
