"""One attempt at one provider: receives the answer, meters it, relays it, notices its end.

A successful stream is relayed in the very call that read it: meter, then write, nothing between.
Everything else (JSON answers, errors) is collected up to a bound. `done` resolves once, when there
is nothing more to wait for; then `error` says how it went, and `exchange.answered` whether the
client has seen anything. Deadlines are checked from outside by `check`, so a chunk costs no timer.
"""

import asyncio
from typing import Protocol

from gateway._native.jsonscan import BodyMeter
from gateway._native.sse import StreamMeter
from gateway.base.errors import (
    GatewayError,
    ResponseTooLarge,
    UpstreamBadResponse,
    UpstreamTimeout,
    UpstreamTruncated,
)
from gateway.proxy.dialects.errors import request_id_line
from gateway.proxy.exchange import Exchange, Metering
from gateway.proxy.upstream.connection import Receiver
from gateway.proxy.upstream.decode import Inflater

MAX_ERROR_BYTES = 1 << 20  # of a provider's error body; only its message is used
LINGER_S = 5  # a connection may take this long to end after the answer's own end marker
MAX_DRAIN_BYTES = 8 << 20  # read on for nobody at most this much, to reach the usage


class Wire(Protocol):
    """What an attempt asks of a connection, pooled or built in."""

    reused: bool
    started: bool
    closed: bool

    def request(self, data: bytes, receiver: Receiver) -> None: ...  # noqa: D102
    def abandon(self) -> None: ...  # noqa: D102
    def pause(self) -> None: ...  # noqa: D102
    def resume(self) -> None: ...  # noqa: D102


class Attempt:
    """The receiver of one answer. `collected` holds a body that was not streamed."""

    __slots__ = (
        "_checked_reads",
        "_collected_bytes",
        "_drained_bytes",
        "_grow_at",
        "_inflater",
        "_limit_bytes",
        "_metering",
        "_progress_s",
        "_reads",
        "_send",
        "_started_s",
        "body_meter",
        "collected",
        "done",
        "draining",
        "error",
        "exchange",
        "gone",
        "headers",
        "meter",
        "over",
        "paused",
        "status",
        "streaming",
        "wire",
    )

    def __init__(self, exchange: Exchange, wire: Wire, metering: Metering) -> None:
        plane = exchange.plane
        self.exchange = exchange
        self.wire = wire
        self.meter: StreamMeter | None = None  # of a streamed answer
        self.body_meter: BodyMeter | None = None  # of a whole one
        self.done: asyncio.Future[None] = plane.loop.create_future()
        self.error: GatewayError | None = None
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.collected: list[bytes] = []
        self.streaming = False
        self.gone = False
        self.over = False  # the connection is done with this answer
        self.draining = False
        self.paused = False
        self._send = exchange.client.send
        self._metering = metering
        self._grow_at = 0
        self._inflater: Inflater | None = None
        self._limit_bytes = MAX_ERROR_BYTES
        self._collected_bytes = 0
        self._drained_bytes = 0
        self._reads = self._checked_reads = 0
        self._started_s = self._progress_s = plane.loop.time()

    # --- Receiver -------------------------------------------------------------------------------

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Decide between relaying and collecting; a relayed answer's head goes out at once."""
        self._reads += 1
        exchange = self.exchange
        self.status = status
        self.headers = headers
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"identity", b""):
            try:
                self._inflater = Inflater(encoding)
            except GatewayError as error:
                self._stop(error)
                return
        content_type = headers.get(b"content-type", b"").lower()
        if status != 200:
            return
        self._limit_bytes = exchange.plane.limits.max_response_bytes
        if not content_type.startswith(b"text/event-stream"):
            self.body_meter = self._metering.body(exchange)
        elif exchange.stream:
            self.meter = self._metering.stream(exchange)
            self.streaming = True
        else:
            self._stop(UpstreamBadResponse("The provider streamed an answer not asked for."))

    def begin(self) -> None:
        """Send the head of the stream to the client, before its first bytes."""
        exchange = self.exchange
        exchange.answered = True
        exchange.status = 200
        exchange.client.start(200, stream_headers(exchange))

    def data(self, data: bytes) -> None:
        """Relay or collect this read's bytes."""
        self._reads += 1
        if self._inflater is not None:
            self._inflate(data)
        elif self.streaming:
            self._relay(data)
        else:
            self._collect(data)

    def _relay(self, data: bytes) -> None:
        meter = self.meter
        assert meter is not None
        out = meter.feed(data)
        if not self.exchange.answered:
            self.begin()
        if out:
            self._send(out)
        if meter.tokens >= self._grow_at:
            self._grow(meter)
        if self.draining:
            self._drained_bytes += len(data)
            if self._drained_bytes > MAX_DRAIN_BYTES:
                self._stop(None)
                return
        if meter.too_large:
            self._stop(ResponseTooLarge())
        elif meter.done and not self.done.done():
            self.done.set_result(None)

    def _grow(self, meter: StreamMeter) -> None:
        exchange = self.exchange
        if exchange.first_token_s is None and meter.output_seen:
            exchange.first_token_s = exchange.plane.clock.monotonic_s()
        try:
            self._grow_at = self._metering.grow(exchange, meter)
        except GatewayError as error:
            self._stop(error)

    def _collect(self, data: bytes) -> None:
        self._collected_bytes += len(data)
        if self._collected_bytes > self._limit_bytes:
            self._stop(ResponseTooLarge())
            return
        self.collected.append(data)
        if self.body_meter is not None:
            self.body_meter.feed(data)  # as it comes, so that a long answer never stalls the loop

    def _inflate(self, data: bytes) -> None:
        assert self._inflater is not None
        handle = self._relay if self.streaming else self._collect
        try:
            for piece in self._inflater.feed(data):
                handle(piece)
                if self.error is not None:
                    return
        except GatewayError as error:
            self._stop(error)

    def ended(self) -> None:
        """The framing's end. A stream that lacks its end marker was cut short."""
        self.over = True
        if self.streaming and not self.exchange.answered:
            self.begin()
        if self.done.done():
            return
        if self.meter is not None:
            self.meter.finish()
            if not self.meter.done and not self._complete(self.meter):
                self.error = UpstreamTruncated()
        self.done.set_result(None)

    def _complete(self, meter: StreamMeter) -> bool:
        """Some providers end a stream without `[DONE]`; a finish reason or usage is an end too."""
        return (meter.finish_seen or meter.usage is not None) and not meter.truncated

    def failed(self, error: GatewayError) -> None:
        """The connection's word that no proper end will come."""
        self.over = True
        if self.done.done():
            return
        if self.streaming and self.exchange.answered:
            error = UpstreamTruncated()
        self.error = error
        self.done.set_result(None)

    # --- the exchange's side --------------------------------------------------------------------

    def _stop(self, error: GatewayError | None) -> None:
        """Give up on the answer now. A wire that is done with it may serve another already."""
        if not self.over:
            self.over = True
            self.wire.abandon()
        if not self.done.done():
            self.error = error
            self.done.set_result(None)

    def stop(self, error: GatewayError) -> None:
        """End the attempt from outside (a deadline, a shutdown) with this error."""
        self._stop(error)

    def client_gone(self) -> None:
        """The client has left: cancel the upstream, or drain it where its policy says so."""
        self.gone = True
        plane = self.exchange.plane
        target = self.exchange.target
        drain = target is not None and target.provider.disconnect == "drain"
        if drain and not self.done.done() and plane.draining < plane.limits.drain_streams:
            self.draining = True
            plane.draining += 1
            self._started_s = plane.loop.time()
            if self.paused:
                self.resume()
            return
        self._stop(None)

    def pause(self) -> None:
        """Stop reading upstream."""
        if not self.draining and not self.over:
            self.paused = True
            self.wire.pause()

    def resume(self) -> None:
        """Read on; the idle deadline starts anew."""
        self.paused = False
        self._progress_s = self.exchange.plane.loop.time()
        if not self.over:
            self.wire.resume()

    def check(self, now_s: float) -> None:
        """Enforce the deadlines: first byte, idle, total; called about four times a second."""
        if self.done.done():
            if not self.over and now_s - self._progress_s > LINGER_S:
                self._stop(None)
            return
        limits = self.exchange.plane.limits
        if self._reads != self._checked_reads:
            self._checked_reads = self._reads
            self._progress_s = now_s
        limit_s = limits.drain_timeout_s if self.draining else (limits.total_timeout_s)
        silent_s = limits.idle_timeout_s if self._reads else (limits.first_byte_timeout_s)
        if now_s - self._started_s > limit_s:
            self._stop(None if self.draining else UpstreamTimeout())
        elif not self.paused and now_s - self._progress_s > silent_s:
            self._stop(UpstreamTimeout())

    def body(self) -> bytes:
        """The collected body."""
        return self.collected[0] if len(self.collected) == 1 else b"".join(self.collected)


def stream_headers(exchange: Exchange) -> bytes:
    """Header lines of a streamed answer; the last two keep reverse proxies from buffering."""
    return b"".join(
        (
            b"Content-Type: text/event-stream; charset=utf-8\r\nx-request-id: ",
            exchange.id.encode(),
            b"\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n",
            extra_headers(exchange),
        )
    )


def extra_headers(exchange: Exchange) -> bytes:
    """Header lines that say what the gateway did: limits, further attempts, a smaller maximum."""
    lines = request_id_line(exchange.endpoint.family, exchange.id) + exchange.lines
    if exchange.attempts > 1:
        lines += b"x-tallygate-attempts: %d\r\n" % exchange.attempts
    if exchange.clamped_tokens is not None:
        lines += b"x-tallygate-max-tokens: %d\r\n" % exchange.clamped_tokens
    return lines
