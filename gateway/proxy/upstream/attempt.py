"""One attempt at one provider: receives the answer, meters it, relays it, notices its end.

A successful stream is relayed in the call that read it, meter, then write; once it runs, by the
pump. Everything else (JSON answers, errors) is collected up to a bound. `done` resolves once, when
there is nothing more to wait for; then `error` says how it went, and `exchange.answered` whether
the client has seen anything. Deadlines are checked by `check`, so a chunk costs no timer.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from gateway._native.http1 import Relay
from gateway._native.jsonscan import BodyMeter
from gateway._native.sse import StreamMeter
from gateway.base.errors import (
    GatewayError,
    ResponseTooLarge,
    UpstreamBadResponse,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamTruncated,
)
from gateway.proxy.dialects.translation import StreamTranslation
from gateway.proxy.exchange import Exchange, Metering
from gateway.proxy.providers.failure import scrub
from gateway.proxy.routing.router import Step
from gateway.proxy.upstream.decode import AMAZON_STREAM, EventStream, Inflater, decoder_of
from gateway.proxy.upstream.inside import is_complete
from gateway.proxy.upstream.lines import stream_headers
from gateway.proxy.upstream.passage import stream_translation
from gateway.proxy.upstream.wire import Wire

MAX_ERROR_BYTES = 1 << 20  # of a provider's error body; only its message is used
TRIPS = 8  # to the pump that a stream may make in vain: then it stays
WORTH_READS = 8  # so many carried, a trip was not in vain
LINGER_S = 5  # a connection may take this long to end after the answer's own end marker
MAX_HELD_BYTES = 64 * 1024  # of a stream's start that is neither output nor error
NO_HEADERS: dict[bytes, bytes] = {}  # what an attempt has before the head; never written
COMMENT = b": keep-alive\n\n"  # a comment line, which readers of events skip
MAX_DRAIN_BYTES = 8 << 20  # read on for nobody at most this much, to reach the usage


class Attempt:
    """The receiver of one answer. `collected` holds a body that was not streamed."""

    def __init__(self, exchange: Exchange, wire: Wire, metering: Metering) -> None:
        plane = exchange.plane
        self.exchange = exchange
        self.wire = wire
        self.step: Step = exchange.step  # type: ignore[assignment]  # `send` has set it
        self.done: asyncio.Future[None] = plane.loop.create_future()
        self.meter: StreamMeter | None = None  # of a streamed answer
        self.body_meter: BodyMeter | None = None  # of a whole one
        self.error: GatewayError | None = None
        self.status = 0
        self.headers: dict[bytes, bytes] = NO_HEADERS
        self.collected: list[bytes] = []
        self.streaming = False
        self.translation: StreamTranslation | None = None  # where the client speaks otherwise
        self.inside: bytes | None = None  # an error reported before any output
        self.gone = False
        self.over = False  # the connection is done with this answer
        self.draining = False
        self.paused = False
        self._send: Callable[[bytes], None] = exchange.client.send
        self._metering = metering
        self._started_s = self._progress_s = plane.loop.time()
        self._grow_at = 0
        self._held: list[bytes] | None = []  # a stream's start; None once it is shown
        self._held_bytes = 0
        self._decoder: Inflater | EventStream | None = None
        self.relay: Relay | None = None
        self._outlet: asyncio.Transport | None = None  # of the client, where the relay writes
        self._trips = TRIPS
        self._left_at_reads = 0
        self._limit_bytes = MAX_ERROR_BYTES
        self._collected_bytes = 0
        self._drained_bytes = 0
        self._last = self._last_checked = b""
        self._reads = self._checked_reads = 0

    # --- Receiver -------------------------------------------------------------------------------

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Decide between relaying and collecting; a relayed answer's head goes out at once."""
        self._reads += 1
        exchange = self.exchange
        self.status = status
        self.headers = headers
        content_type = headers.get(b"content-type", b"").lower()
        if b"content-encoding" in headers or content_type.startswith(AMAZON_STREAM):
            try:
                self._decoder = decoder_of(headers)
            except GatewayError as error:
                self.stop(error)
                return
        if status != 200:
            return
        self._limit_bytes = exchange.plane.limits.max_response_bytes
        media = exchange.media
        if media is not None:
            media.answer_type = content_type
        if media is not None and media.relays_bytes:
            self._begin_stream()
        elif not content_type.startswith((b"text/event-stream", AMAZON_STREAM)):
            self.body_meter = self._metering.body(exchange)
        elif exchange.stream:
            self._begin_stream()
        else:
            self.stop(UpstreamBadResponse("The provider streamed an answer not asked for."))

    def _begin_stream(self) -> None:
        self.meter = self._metering.stream(self.exchange)
        self.translation = stream_translation(self.exchange)
        if self.translation is None:
            self.meter.scrub = partial(scrub, self.api_key())
        self.streaming = True

    def begin(self) -> None:
        """Send the head of the stream to the client, unless comments went before."""
        exchange = self.exchange
        if not exchange.answered:
            exchange.answered = True
            exchange.status = 200
            exchange.client.start(200, stream_headers(exchange))

    def show(self) -> None:
        """Send what was held back of the start: from here on no other attempt can follow."""
        held, self._held = self._held, None
        if self.exchange.race is not None:
            self.exchange.race.won(self)
        self.exchange.shown = True
        self.begin()
        self.answered()
        if held:
            self._last = held[0] if len(held) == 1 else b"".join(held)
        self._send(self._last)

    def answered(self) -> None:
        """Tell the target's health that it does answer, and after how long."""
        plane, candidate = self.exchange.plane, self.step.candidate
        if candidate.attentive:
            elapsed_s = plane.loop.time() - self._started_s
            candidate.answered(self.step.key_no, elapsed_s, plane.router.now_s())

    def data(self, data: bytes) -> None:
        """Relay or collect this read's bytes."""
        self._reads += 1
        if self._decoder is not None:
            self._decode(data)
        elif self.streaming:
            self._pass(data)
        else:
            self._collect(data)

    def _pass(self, data: bytes) -> None:
        meter = self.meter
        assert meter is not None
        out = meter.feed(data)
        translation = self.translation
        if translation is not None and out:
            out = translation.feed(out)
        if self._held is not None:
            self._hold(meter, out)
            if self._held is not None:
                return
        elif out:
            self._last = out
            self._send(out)
        if self.draining:
            self._drained_bytes += len(data)
            if self._drained_bytes > MAX_DRAIN_BYTES:
                self.stop(None)
                return
        self._weigh(meter)
        plain = translation is None and self._decoder is None and isinstance(meter, StreamMeter)
        if plain and self.relay is None and not (self.over or self.gone):
            outlet = self._outlet = self.exchange.client.chunks()
            if outlet is not None:
                self.relay = self.wire.relay(meter, outlet.write, self._grow_at, self._last)
                # Not before what was written just now is out.
                self.exchange.plane.loop.call_soon(self.send_away)

    def relayed(self) -> None:
        """Decide on what the relay carried."""
        if self.meter is not None and self.relay is not None:
            self._weigh(self.meter)
            self.relay.look_again_at(self._grow_at)
            if not self.done.done():
                self.exchange.plane.loop.call_soon(self.send_away)

    def send_away(self) -> None:
        """Let the pump carry the stream until something is to be decided, if it can."""
        relay, outlet = self.relay, self._outlet
        if relay is None or outlet is None or relay.away() or self.done.done():
            return
        if self._trips and not (self.over or self.gone or self.paused):
            self._reads += relay.take_reads()
            in_vain = self._reads - self._left_at_reads < WORTH_READS
            self._trips = self._trips - 1 if in_vain else TRIPS
            self._left_at_reads = self._reads
            if not self.exchange.plane.carrier.carry(self.wire, outlet):
                self._trips = 0

    def _weigh(self, meter: StreamMeter) -> None:
        """Whether the hold must grow, and whether the stream has come to its end."""
        if meter.tokens >= self._grow_at:
            self._grow(meter)
        if meter.too_large:
            self.stop(ResponseTooLarge())
        elif self.translation is not None and self.translation.failed:
            self.stop(self.translation.error)
        elif meter.done and not self.done.done():
            self.done.set_result(None)

    def _hold(self, meter: StreamMeter, out: bytes | None) -> None:
        """Keep the start of a stream back until it holds output, its end, or an error.

        Providers report errors inside an answer of status 200; before output such an error is one
        like any other, and another attempt may follow.
        """
        assert self._held is not None
        if out:
            self._held.append(out)
            self._held_bytes += len(out)
        if meter.output_seen or self._held_bytes > MAX_HELD_BYTES:
            self.show()
        elif meter.error is not None:
            self.inside = meter.error
            self.stop(UpstreamFailed())
        elif self.translation is not None and self.translation.failed:
            self.stop(self.translation.error)
        elif meter.too_large:
            self.stop(ResponseTooLarge())
        elif meter.finish_seen or meter.done:
            self.show()

    def _grow(self, meter: StreamMeter) -> None:
        exchange = self.exchange
        if exchange.first_token_s is None and meter.output_seen:
            exchange.first_token_s = exchange.plane.clock.monotonic_s()
        try:
            self._grow_at = self._metering.grow(exchange, meter)
        except GatewayError as error:
            self.stop(error)

    def _collect(self, data: bytes) -> None:
        self._collected_bytes += len(data)
        if self._collected_bytes > self._limit_bytes:
            self.stop(ResponseTooLarge())
            return
        self.collected.append(data)
        if self.body_meter is not None:
            self.body_meter.feed(data)  # as it comes, so that a long answer never stalls the loop

    def _decode(self, data: bytes) -> None:
        assert self._decoder is not None
        handle = self._pass if self.streaming else self._collect
        try:
            for piece in self._decoder.feed(data):
                handle(piece)
                if self.error is not None:
                    return
        except GatewayError as error:
            self.stop(error)

    def ended(self) -> None:
        """The framing's end. A stream that lacks its end marker was cut short."""
        self.over = True
        if self.done.done():
            return
        if self.meter is not None:
            self.meter.finish()
            if self._held is not None and self.meter.error is not None:
                self.inside = self.meter.error
            elif not self.meter.done and not is_complete(self.meter, self.exchange.wire.name):
                self.error = UpstreamTruncated()
            elif self._held is not None:
                self.show()
        self.done.set_result(None)

    def failed(self, error: GatewayError) -> None:
        """The connection's word that no proper end will come."""
        self.over = True
        if self.done.done():
            return
        if self.streaming and self._held is None:
            error = UpstreamTruncated()
        self.error = error
        self.done.set_result(None)

    # --- the exchange's side --------------------------------------------------------------------

    def stop(self, error: GatewayError | None) -> None:
        """Give up on the answer now. A wire that is done with it may serve another already."""
        if not self.over:
            self.over = True
            self.wire.abandon()
        if not self.done.done():
            self.error = error
            self.done.set_result(None)

    def client_gone(self) -> None:
        """The client has left: cancel the upstream, or drain it where its policy says so."""
        self.gone = True
        if self.relay is not None and not self.over:
            self.wire.stop_relay()
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
        self.stop(None)

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
        """Enforce the deadlines: first byte, idle, total; called about twice a second."""
        if self.done.done():
            if not self.over and now_s - self._progress_s > LINGER_S:
                self.stop(None)
            return
        self._take_stock(now_s)
        limits = self.exchange.plane.limits
        if self.exchange.stream and not self.draining:
            self._keep_alive(now_s, limits.keepalive_s)
        if self._reads != self._checked_reads:
            self._checked_reads = self._reads
            self._progress_s = now_s
        limit_s = limits.drain_timeout_s if self.draining else limits.total_timeout_s
        silent_s = limits.idle_timeout_s if self._reads else limits.first_byte_timeout_s
        waited_s, still_s = now_s - self._started_s, now_s - self._progress_s
        late = self._held is not None and waited_s > limits.first_token_timeout_s
        if waited_s > limit_s:
            self.stop(None if self.draining else UpstreamTimeout())
        elif (late and self.streaming) or (not self.paused and still_s > silent_s):
            self.stop(UpstreamTimeout())

    def _take_stock(self, now_s: float) -> None:
        """See what went past this object since the last check."""
        relay = self.relay
        if relay is None:
            return
        carried = relay.take_reads()
        self._reads += carried
        if not relay.away():
            self._last = relay.last
            self.send_away()
        elif carried:
            self.exchange.silent_s = now_s
            # The hold grows before the stream must come home for it, where there is plenty.
            self._grow_at = self._metering.grow_ahead(self.exchange, relay.counted())
            relay.look_again_at(self._grow_at)

    def _keep_alive(self, now_s: float, interval_s: float) -> None:
        """Send a comment line when the client has heard nothing for so long, between two events."""
        exchange, relay = self.exchange, self.relay
        if exchange.silent_s is None:
            exchange.silent_s = self._started_s
        if relay is not None and relay.away():
            if now_s - exchange.silent_s < interval_s:
                return
            self.wire.come_home()  # none but the pump may write to the client meanwhile
            if self.done.done():
                return
            self._last = self._last_checked = relay.last
        last = self._last
        if last is not self._last_checked:
            self._last_checked = last
            exchange.silent_s = now_s
        whole = not last or last.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))
        if now_s - exchange.silent_s >= interval_s and whole and not self.paused:
            exchange.silent_s = now_s
            self.begin()
            self._send(COMMENT)

    def api_key(self) -> str:
        """The gateway's key that this attempt was made with; empty where the provider has none."""
        return self.step.candidate.targets[self.step.key_no].provider.api_key or ""

    def body(self) -> bytes:
        """The collected body."""
        return self.collected[0] if len(self.collected) == 1 else b"".join(self.collected)
