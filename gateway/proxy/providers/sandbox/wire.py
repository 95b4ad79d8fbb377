"""The built-in wire: turns a request into an answer that arrives over time, as from a network.

Invariants: the receiver is never called inside `request`; nothing is queued (a beat is made when
it is due, and a paused wire makes none); `abandon` leaves no timer behind; at most BURST beats are
made in one call, so that no answer keeps the loop for long. Beats keep to the schedule
start + n/tps and catch up after a late timer; after a pause the schedule begins anew.
"""

import asyncio
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from gateway.base.errors import UpstreamBadResponse, UpstreamUnreachable
from gateway.proxy.providers.sandbox.answer import Answer, answer, usage_numbers
from gateway.proxy.providers.sandbox.chat import (
    chat_beats,
    chat_body,
    completions_beats,
    completions_body,
)
from gateway.proxy.providers.sandbox.embeddings import embeddings_beats
from gateway.proxy.providers.sandbox.options import OptionError, Options, parse_options
from gateway.proxy.providers.sandbox.request import Rejected, read_request
from gateway.proxy.providers.sandbox.responses import responses_beats, responses_body
from gateway.proxy.upstream.connection import Receiver

MODELS = ("sandbox/echo", "sandbox/lorem")
STREAM_TPS = 100  # a lively pace to read along, when no option names one
BURST = 32
MAX_ANSWER_TOKENS = 32_768  # over all choices: more would keep the loop for too long at once
_WORDS = {
    400: ("invalid_request_error", "The sandbox was asked to call this request invalid."),
    401: ("authentication_error", "The sandbox was asked to refuse these credentials."),
    403: ("permission_error", "The sandbox was asked to forbid this request."),
    404: ("invalid_request_error", "The sandbox was asked not to find this model."),
    429: ("rate_limit_exceeded", "The sandbox was asked to refuse for rate."),
}
log = logging.getLogger("tallygate.sandbox")
_encode = msgspec.json.Encoder().encode


class Envelope(msgspec.Struct, frozen=True):
    """What comes before the body: the model's facts, the options, and the prompt as counted."""

    id: str
    endpoint: str
    base: str
    model: str
    options: tuple[str, str]
    stream: bool
    encoding: str
    prompt_tokens: int
    max_output_tokens: int
    created_s: int


_envelope = msgspec.json.Decoder(Envelope)


class SandboxWire:
    """One request, one answer; then closed."""

    __slots__ = (
        "_beats",
        "_loop",
        "_made",
        "_options",
        "_origin_s",
        "_paused",
        "_receiver",
        "_stream",
        "_timer",
        "_tps",
        "_writes_events",
        "closed",
        "reused",
        "started",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.reused = False
        self.started = False
        self.closed = False
        self._receiver: Receiver | None = None
        self._timer: asyncio.Handle | None = None
        self._paused = False
        self._beats: Iterator[bytes] = iter(())
        self._options = Options()
        self._tps = 0
        self._made = 0
        self._origin_s = 0.0
        self._stream = False
        self._writes_events = False

    # --- the attempt's side ---------------------------------------------------------------------

    def request(self, data: bytes, receiver: Receiver) -> None:
        """Take a request; the receiver hears of the answer from the loop, never from here."""
        self._receiver = receiver
        self._timer = self._loop.call_soon(self._guard, partial(self._begin, data))

    def abandon(self) -> None:
        """The answer is no longer wanted: no timer stays, nobody is told."""
        self._receiver = None
        self.closed = True
        self._beats = iter(())
        self._cancel()

    def relay(self, *_: object) -> None:
        """Nothing to relay natively: beats are made here."""

    def stop_relay(self) -> None:
        """There is no relay to stop."""

    def send_away(self, *_: object) -> None:
        """No socket, so nothing that could be carried elsewhere."""

    def come_home(self) -> None:
        """It never was away."""

    def pause(self) -> None:
        """Make no more beats until `resume`."""
        self._paused = True
        self._cancel()

    def resume(self) -> None:
        """Go on at the set pace from here; what was not made meanwhile is not made up for."""
        if not self._paused:
            return
        self._paused = False
        if self._receiver is None or self._timer is not None or not self.started:
            return
        self._origin_s = self._loop.time() - (self._made / self._tps if self._tps else 0)
        self._timer = self._loop.call_soon(self._guard, self._tick)

    # --- the answer -----------------------------------------------------------------------------

    def _cancel(self) -> None:
        """Cancel the next beat, though never the beginning of the answer itself."""
        if self._timer is not None and (self.started or self.closed):
            self._timer.cancel()
            self._timer = None

    def _guard(self, step: Any) -> None:
        """Run a step of the answer; a fault in here must not leave the attempt waiting."""
        self._timer = None
        try:
            step()
        except Exception:
            log.exception("sandbox answer failed")
            receiver, self._receiver = self._receiver, None
            self.abandon()
            if receiver is not None:
                receiver.failed(UpstreamBadResponse())

    def _begin(self, data: bytes) -> None:
        """Read the request and schedule its answer."""
        line, _, body = data.partition(b"\n")
        envelope = _envelope.decode(line)
        try:
            options = self._options = parse_options(*envelope.options)
            if envelope.base not in MODELS:
                raise Rejected(f"The sandbox has only {' and '.join(MODELS)}.", "model")
            if options.error:
                self._refuse(options.error, *_words(options.error), None)
                return
            self._stream = envelope.stream
            self._writes_events = envelope.endpoint == "responses"
            self._beats, output = _beats(envelope, body, options)
        except (OptionError, Rejected) as error:
            param = getattr(error, "param", "model")
            self._refuse(400, "invalid_request_error", str(error), param)
            return
        delay_s = options.delay_ms / 1000
        if self._stream:
            self._tps = STREAM_TPS if options.tps is None else options.tps
        elif options.tps:
            delay_s += output / options.tps
        self._timer = self._loop.call_later(delay_s, self._guard, self._open)

    def _open(self) -> None:
        """Send the head, or fail before it where the options say so."""
        receiver = self._receiver
        if receiver is None:
            return
        options = self._options
        if options.fault == "hang" and options.at == 0:
            return
        if options.fault == "reset" and options.at == 0:
            self._finish(receiver, failed=True)
            return
        kind = b"text/event-stream; charset=utf-8" if self._stream else b"application/json"
        self.started = True
        receiver.head(200, {b"content-type": kind})
        self._origin_s = self._loop.time()
        if self._receiver is not None and not self._paused:
            self._tick()

    def _tick(self) -> None:
        """Hand over every beat that is due, then wait for the next."""
        receiver = self._receiver
        if receiver is None:
            return
        due = BURST
        if self._tps:
            passed_s = self._loop.time() - self._origin_s
            due = min(max(int(passed_s * self._tps) + 1 - self._made, 1), BURST)
        options = self._options
        fault_at = options.at if self._stream else 0
        parts: list[bytes] = []
        over = False
        for _ in range(due):
            if options.fault and self._made >= fault_at:
                over = True
                break
            beat = next(self._beats, None)
            if beat is None:
                over = True
                break
            parts.append(beat)
            self._made += 1
        failing = over and bool(options.fault) and self._made >= fault_at
        if failing:
            parts.append(self._fault_bytes())
        if data := b"".join(parts):
            receiver.data(data)
        if self._receiver is None:
            return
        if over:
            if not (failing and options.fault == "hang"):
                self._finish(receiver, failed=failing and options.fault == "reset")
        elif not self._paused:
            self._schedule()

    def _schedule(self) -> None:
        if self._tps:
            due_s = self._origin_s + self._made / self._tps
            self._timer = self._loop.call_at(due_s, self._guard, self._tick)
        else:
            self._timer = self._loop.call_soon(self._guard, self._tick)

    def _fault_bytes(self) -> bytes:
        """The last bytes before the fault: half of the next beat, or an error in the answer."""
        fault = self._options.fault
        if fault == "cut":
            beat = next(self._beats, b"")
            return beat[: len(beat) // 2]
        if fault != "error":
            return b""
        kind, text = "server_error", "The sandbox was asked to fail here."
        if self._stream and self._writes_events:
            flat = {"type": "error", "code": kind, "message": text, "param": None}
            return b"event: error\ndata: " + _encode({**flat, "sequence_number": 0}) + b"\n\n"
        body = _error_body(kind, text, None)
        return b"data: " + body + b"\n\n" if self._stream else body

    def _refuse(self, status: int, kind: str, text: str, param: str | None) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        headers = {b"content-type": b"application/json"}
        if status in (429, 503):
            headers[b"retry-after"] = b"%d" % self._options.retry_after
        self.started = True
        receiver.head(status, headers)
        receiver.data(_error_body(kind, text, param))
        self._finish(receiver, failed=False)

    def _finish(self, receiver: Receiver, *, failed: bool) -> None:
        """Tell the receiver the end, unless it has turned away."""
        if self._receiver is None:
            return
        self.abandon()
        if failed:
            receiver.failed(UpstreamUnreachable("The sandbox cut the connection, as asked."))
        else:
            receiver.ended()


def _words(status: int) -> tuple[str, str]:
    return _WORDS.get(status, ("server_error", f"The sandbox was asked to answer {status}."))


def _error_body(kind: str, text: str, param: str | None) -> bytes:
    return _encode({"error": {"message": text, "type": kind, "param": param, "code": None}})


def _beats(envelope: Envelope, body: bytes, options: Options) -> tuple[Iterator[bytes], int]:
    """The answer's bytes, beat by beat, and its output tokens. Raises Rejected."""
    if envelope.endpoint == "embeddings":
        empty = Answer([], 0, 0)
        numbers = usage_numbers(empty, envelope.prompt_tokens, options)
        return embeddings_beats(body, envelope.model, numbers), 0
    wish, with_usage = read_request(envelope.endpoint, body, options)
    limit = min(envelope.max_output_tokens, MAX_ANSWER_TOKENS // wish.choices)
    said = answer(wish, envelope.base, options, envelope.encoding, limit)
    numbers = usage_numbers(said, envelope.prompt_tokens, options)
    prefix = {"chat": "chatcmpl", "completions": "cmpl", "responses": "resp"}[envelope.endpoint]
    head = {
        "id": f"{prefix}-{envelope.id}" if prefix != "resp" else f"resp_{envelope.id}",
        "created": envelope.created_s,
        "model": envelope.model,
        "system_fingerprint": "fp_sandbox",
    }
    if not envelope.stream:
        whole = {"chat": chat_body, "completions": completions_body, "responses": responses_body}
        return iter((whole[envelope.endpoint](said, head, numbers),)), said.output
    if envelope.endpoint == "responses":
        return responses_beats(said, head, numbers), said.output
    stream = chat_beats if envelope.endpoint == "chat" else completions_beats
    return stream(said, head, numbers, with_usage=with_usage), said.output
