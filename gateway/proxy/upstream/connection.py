"""One HTTP/1.1 connection to a provider: writes a request, hands what comes to a receiver.

Invariants: one request at a time; bytes go to the receiver in the call that read them, with no
task, queue or copy between; after an error, a leftover byte, or an answer that ends at the
connection's end, the connection is closed and never reused. Framing is read natively and strictly,
so conflicting lengths and bad chunks are protocol errors. Redirects are only reported, never
followed. While its lane is away the pump reads, and every call here that touches the socket, the
reader or the meter takes the lane home first.
This file knows nothing of models, money or clients.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

from gateway._native.http1 import Relay, ResponseReader
from gateway._native.pump import Lane, Pump
from gateway._native.sse import StreamMeter
from gateway.base.errors import GatewayError, UpstreamBadResponse, UpstreamUnreachable

CLOSED_EARLY = "The provider closed the connection early."
UNKNOWN = -2
TLS = -1


def plain_descriptor(transport: asyncio.Transport) -> int:
    """The socket's descriptor where its bytes are the connection's own; else TLS."""
    if transport.get_extra_info("sslcontext") is not None:
        return TLS
    return int(transport.get_extra_info("socket").fileno())


class Receiver(Protocol):
    """Who an answer is for. Every call is synchronous; `failed` and `ended` come at most once."""

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Status and headers (lower-cased names; a repeated header keeps its last value)."""
        ...

    def data(self, data: bytes) -> None:
        """Some bytes of the body, framing removed."""
        ...

    def relayed(self) -> None:
        """A read went to the client by the relay, and there is something to decide."""
        ...

    def ended(self) -> None:
        """The body ended properly."""
        ...

    def failed(self, error: GatewayError) -> None:
        """The answer will not end properly."""
        ...


class UpstreamConnection:
    """A pooled connection, an asyncio Protocol.

    `idle_since` is set by the pool; `reused` after its first answer.
    """

    def __init__(self, on_idle: Any, on_lost: Any) -> None:
        self.on_idle = on_idle
        self.on_lost = on_lost
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.closed = False
        self.reused = False
        self.started = False  # a byte of the present answer has come
        self.idle_since = 0.0
        self._paused = False
        self._told = False  # the receiver has had the head
        self._receiver: Receiver | None = None
        self._relay: Relay | None = None  # takes the reads of a stream whose head is out
        self._lane: Lane | None = None  # while the pump reads and writes instead
        self._descriptor = UNKNOWN
        self._reader = ResponseReader()

    # --- the pool's and the attempt's side ------------------------------------------------------

    def request(self, data: bytes, receiver: Receiver) -> None:
        """Write a whole request. The receiver hears of the answer, or of the failure, once."""
        self._reader.start()
        self.started = self._told = False
        self._receiver = receiver
        self.transport.write(data)

    def abandon(self) -> None:
        """The answer is no longer wanted: close at once, tell nobody."""
        self._receiver = self._relay = None
        self.close()

    def relay(
        self, meter: StreamMeter, write: Callable[[bytes], None], grow_at: int, last: bytes
    ) -> Relay | None:
        """Let the reads from now on go to `write` through the meter, in one native call each."""
        self._relay = Relay(self._reader, meter, write, grow_at=grow_at, last=last)
        return self._relay

    def stop_relay(self) -> None:
        """Hand the body to the receiver again."""
        self.come_home()
        self._relay = None

    def send_away(self, pump: Pump, client: int) -> bool | None:
        """Let the pump carry the relay's stream to the client's socket; None: it never can.

        What it cannot decide comes back here, and then to the receiver's `relayed`.
        """
        relay = self._relay
        if relay is None or self._lane is not None or self._paused or self.closed:
            return False
        if self._descriptor == UNKNOWN:
            self._descriptor = plain_descriptor(self.transport)
        if self._descriptor < 0:
            return None
        if self.transport.get_write_buffer_size():  # the loop has yet to send of the request
            return False
        lane = Lane(pump, relay, self)
        if not lane.start(self._descriptor, client):
            return False
        self._lane = lane
        self.transport.pause_reading()
        return True

    def come_home(self) -> None:
        """Read here again, from where the pump has come to."""
        lane, relay, self._lane = self._lane, self._relay, None
        if lane is None or relay is None:
            return
        lane.take()
        if not self.closed:
            self.transport.resume_reading()
        receiver = self._receiver
        rest = lane.settle()
        if not relay.is_quiet():
            self._decide(relay, None)
        if self._receiver is not receiver:
            return
        if rest is not None:
            self.data_received(rest)
        elif lane.broken:
            self._fail(UpstreamUnreachable(CLOSED_EARLY))

    def close(self) -> None:
        """Close the connection; unsent bytes are dropped."""
        if self._lane is not None:
            self._lane.take()
            self._lane = None
        if not self.closed:
            self.closed = True
            self.transport.abort()

    def pause(self) -> None:
        """Stop reading, so that the provider feels the client's pace."""
        self.come_home()
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
        """Read what came, then hand over this read's body bytes in one call."""
        relay = self._relay
        if relay is not None and relay.feed(data):
            return
        self._decide(relay, data)

    def _decide(self, relay: Relay | None, data: bytes | None) -> None:
        """What a read comes to that the relay did not carry (its bytes), or not quietly (None)."""
        receiver = self._receiver
        if receiver is None:  # bytes nobody asked for: the connection cannot be trusted again
            self.close()
            return
        self.started = True
        reader = self._reader
        body = None
        if relay is not None:
            receiver.relayed()
        elif data is not None:
            body = reader.feed(data)
        if not reader.news:  # the usual read in the middle of an answer
            if body is not None:
                receiver.data(body)
            return
        if reader.status and not self._told:
            self._told = True
            receiver.head(reader.status, reader.headers or {})
        if body is not None and self._receiver is receiver:
            receiver.data(body)
        if self._receiver is not receiver:
            return
        if reader.error is not None:
            self._fail(
                UpstreamBadResponse(f"The provider's answer is not readable: {reader.error}.")
            )
        elif reader.ended:
            self._finish(receiver)

    def _finish(self, receiver: Receiver) -> None:
        self._receiver = self._relay = None
        self.reused = True
        # An answer that came before the whole request was sent leaves a connection in doubt.
        reusable = self._reader.keep_alive and not self.closed
        if reusable and not self.transport.get_write_buffer_size():
            if self._paused:
                self.resume()
            self.on_idle(self)
        else:
            self.close()
        receiver.ended()

    def _fail(self, error: GatewayError) -> None:
        receiver, self._receiver, self._relay = self._receiver, None, None
        self.close()
        if receiver is not None:
            receiver.failed(error)

    def eof_received(self) -> bool:
        """The provider closed its side: an end only where the framing says it can be."""
        self._at_close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; an unfinished answer has failed."""
        self.come_home()  # the descriptor is closed after this call
        self.closed = True
        self._at_close(lost=exc is not None)
        self.on_lost(self)

    def _at_close(self, *, lost: bool = False) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        if self._reader.until_close and not lost:
            self._finish(receiver)
        else:
            self._fail(UpstreamUnreachable(CLOSED_EARLY))
