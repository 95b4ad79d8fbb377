"""Bodies that are not what is metered: compressed unasked, or in Amazon's binary event stream.

Both decoders are incremental and bounded. A body that grows more than MAX_RATIO times past
FREE_BYTES of output is a bomb and is refused.
"""

import zlib
from typing import Any

import msgspec

from gateway.base.errors import ResponseTooLarge, UpstreamBadResponse

MAX_RATIO = 100
FREE_BYTES = 8 * 2**20
AMAZON_STREAM = b"application/vnd.amazon.eventstream"
STEP_BYTES = 256 * 1024  # inflated at most at a time, so memory stays small


def decoder_of(headers: dict[bytes, bytes]) -> "Inflater | EventStream | None":
    """What makes plain bytes of an answer with these headers; None where they are plain.

    Raises UpstreamBadResponse for an encoding that is not known.
    """
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"identity", b""):
        return Inflater(encoding)
    if headers.get(b"content-type", b"").lower().startswith(AMAZON_STREAM):
        return EventStream()
    return None


class Inflater:
    """Turns gzip or deflate bytes into plain ones, piece by piece."""

    __slots__ = ("_bytes_in", "_bytes_out", "_zlib")

    def __init__(self, encoding: bytes) -> None:
        """Raises UpstreamBadResponse for an encoding other than gzip, x-gzip and deflate."""
        if encoding in (b"gzip", b"x-gzip"):
            self._zlib = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        elif encoding == b"deflate":
            self._zlib = zlib.decompressobj()
        else:
            raise UpstreamBadResponse("The provider's answer has an unknown encoding.")
        self._bytes_in = self._bytes_out = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Inflate some bytes to pieces of at most STEP_BYTES.

        Raises UpstreamBadResponse on damaged data and ResponseTooLarge on a bomb.
        """
        pieces: list[bytes] = []
        self._bytes_in += len(data)
        while data:
            try:
                piece = self._zlib.decompress(data, STEP_BYTES)
            except zlib.error:
                raise UpstreamBadResponse("The provider's compressed answer is damaged.") from None
            self._bytes_out += len(piece)
            if self._bytes_out > FREE_BYTES and self._bytes_out > MAX_RATIO * self._bytes_in:
                raise ResponseTooLarge()
            if piece:
                pieces.append(piece)
            data = self._zlib.unconsumed_tail
            if not piece and not data:
                break
        return pieces


class EventStream:
    """Turns Bedrock's binary event stream into server-sent events.

    Source: "Event stream encoding" in the AWS documentation: a prelude with two lengths, headers,
    a payload and two checksums, all of which botocore verifies. The payload of a `chunk` holds one
    event of the Messages API in base64; any other event is of ConverseStream, and becomes an object
    whose one member is named as the event is. An exception becomes an `error` event, without the
    provider's words.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        """Raises UpstreamBadResponse where botocore is not installed."""
        try:
            from botocore.eventstream import EventStreamBuffer
        except ImportError:
            raise UpstreamBadResponse("Bedrock needs botocore.") from None
        make: Any = EventStreamBuffer
        self._buffer: Any = make()

    def feed(self, data: bytes) -> list[bytes]:
        """The events these bytes complete. Raises UpstreamBadResponse on a damaged message."""
        from botocore.eventstream import ParserError

        self._buffer.add_data(data)
        try:
            return [_server_sent(message) for message in self._buffer]
        except (ParserError, msgspec.DecodeError, ValueError, TypeError):
            raise UpstreamBadResponse("The provider's event stream is damaged.") from None


def _server_sent(message: Any) -> bytes:
    if message.headers.get(":message-type") != "event":
        kind = str(message.headers.get(":exception-type", ""))
        return _ERROR % _EXCEPTIONS.get(kind, "api_error").encode()
    kind = str(message.headers.get(":event-type", ""))
    if kind != "chunk":
        payload = message.payload.replace(b"\n", b" ")
        return b"data: {%b:%b}\n\n" % (msgspec.json.encode(kind), payload or b"{}")
    event = _chunk(message.payload).bytes.replace(b"\n", b" ")  # none stands inside a string
    return b"event: %b\ndata: %b\n\n" % (_typed(event).type.encode(), event)


class _Chunk(msgspec.Struct):
    """The payload of a message; msgspec reads base64 into bytes."""

    bytes: bytes


class _Typed(msgspec.Struct):
    """All that is read of an event: its name."""

    type: str


# Both streams' exceptions in the words of the Messages API, which `inside` knows as statuses.
_EXCEPTIONS = {
    "throttlingException": "rate_limit_error",
    "validationException": "invalid_request_error",
    "modelTimeoutException": "timeout_error",
    "serviceUnavailableException": "overloaded_error",
}
_chunk = msgspec.json.Decoder(_Chunk).decode
_typed = msgspec.json.Decoder(_Typed).decode
_ERROR = (
    b'event: error\ndata: {"type":"error","error":{"type":"%b",'
    b'"message":"The provider failed."}}\n\n'
)
