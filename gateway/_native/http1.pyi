"""Reads HTTP/1.1 as it comes."""

from collections.abc import Callable, Iterable

from gateway._native.sse import StreamMeter

class ResponseReader:
    """Reads the answers of one connection, one after another (`start` before each).

    Strict (RFC 9112): CRLF only, one length or the coding `chunked`, no folded lines. Informational
    answers (1xx) are skipped, up to 16; 101 is an error. Bounds: 64 KiB of head, 256 headers,
    128 KiB of framing in a row.
    """

    headers: dict[bytes, bytes] | None
    """Names in lower case; a repeated header keeps its last value. None until the head is whole."""
    news: bool
    """Whether the last `feed` brought the head, the end or an error: look at the rest then."""
    error: str | None
    """What made the answer unreadable; nothing is read after it."""

    @property
    def status(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    @property
    def until_close(self) -> bool: ...
    @property
    def keep_alive(self) -> bool: ...
    def start(self) -> None:
        """Forget the answer before: another one is awaited."""
    def feed(self, data: bytes) -> bytes | None:
        """The body's bytes in `data`, framing removed; None for none. Never raises on data."""

class Names:
    """The names of headers that `usual_request` keeps, in lower case, at most 63 bytes each."""

    def __init__(self, names: Iterable[bytes]) -> None: ...

def usual_request(
    data: bytes, kept: Names
) -> tuple[bytes, bytes, dict[bytes, bytes], int, int] | None:
    """The head of a request in the form client libraries send: method, target, the headers named
    in `kept` (lower case), the body's length, the head's length.

    None for everything else, to be parsed in full: a head that is not whole or over 16 KiB, not
    GET or POST of HTTP/1.1, a repeated kept header, a body without a length, Expect, Upgrade,
    Transfer-Encoding, a Connection that is not keep-alive, anything malformed.
    """

class Relay:
    """Carries a metered stream from a provider to a client in one call a read.

    `write` gets whole chunks of a chunked body. `feed` takes a read's bytes and is true when there
    is nothing more to do; false when something is to be decided: the framing ended or broke, or
    the meter is done, was fed too much, or has counted `grow_at` tokens.
    """

    grow_at: int
    last: bytes
    """What the client was sent last, framing aside."""

    def __init__(
        self,
        reader: ResponseReader,
        meter: StreamMeter,
        write: Callable[[bytes], None],
        *,
        grow_at: int,
        last: bytes,
    ) -> None: ...
    def feed(self, data: bytes) -> bool: ...
    def counted(self) -> int:
        """Tokens counted so far, here or by its lane."""
    def look_again_at(self, tokens: int) -> None:
        """Set `grow_at`, that of its lane included; never to less while that is away."""
    def away(self) -> bool:
        """Whether its lane is away, so that nobody may feed it."""
    def is_quiet(self) -> bool:
        """What the last `feed` gave: False when there is something to decide."""
    def take_reads(self) -> int:
        """How many reads were carried since the last call, those of its lane included."""
