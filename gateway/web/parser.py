"""From bytes to whole requests: strict framing, and the limits this gateway adds.

`feed` takes any split of the stream; whole requests collect in `requests`, in order, also when
several came in one read. After an error nothing more is parsed: `error` is the answer to give once
the requests before it are served. Bounded: head, header count, target, body. No I/O, no clock.

A request in the form that client libraries send is read in one native pass; any other goes to
llhttp from its first byte on, so that only the plainest form has two readers (tests hold them
equal). Sources: RFC 9110 and 9112; llhttp refuses conflicting lengths, bad chunks and bad names.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import httptools

from gateway._native.http1 import Names, usual_request
from gateway.base.errors import (
    BodyTooLarge,
    GatewayError,
    HeadersTooLarge,
    InvalidRequest,
    MisdirectedHost,
    TargetTooLong,
)
from gateway.web.hosts import host_is_allowed, split_absolute

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 256
MAX_TARGET_BYTES = 8 * 1024
SMALL_BYTES = 4 * 1024
JOIN_BYTES = 64 * 1024

_KEPT = frozenset(
    (
        b"anthropic-beta",
        b"anthropic-version",
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"http-referer",
        b"referer",
        b"transfer-encoding",
        b"x-api-key",
        b"x-forwarded-for",
        b"x-goog-api-key",
        b"x-openrouter-title",
        b"x-session-id",
        b"x-tallygate-cache",
        b"x-tallygate-fallbacks",
        b"x-title",
    )
)

_NAMES = Names(_KEPT)
_LISTS = frozenset((b"anthropic-beta", b"x-forwarded-for"))  # RFC 9110, 5.3: lines of one list
# Nothing depends on them but a name in the log, so that of several lines the first is as good.
_ASIDE = frozenset((b"http-referer", b"referer", b"x-openrouter-title", b"x-title"))


class Request:
    """One whole request; header names are lower-case and only those the gateway acts on.

    `chunked`: the client understands a chunked answer (HTTP/1.1).
    """

    def __init__(
        self,
        method: bytes,
        target: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        keep_alive: bool,
        chunked: bool,
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive
        self.chunked = chunked


class RequestParser:
    """The parser of one connection. `partial` and `in_body` say where an unfinished request is."""

    def __init__(
        self, max_body_bytes: int, allowed_hosts: frozenset[str], expect: Callable[[], None]
    ) -> None:
        self._parser: Any = None  # of what is not in the usual form; most connections need none
        self._max_body_bytes = max_body_bytes
        self._allowed_hosts = allowed_hosts
        self._expect = expect
        self.requests: deque[Request] = deque()
        self.error: GatewayError | None = None
        self.head_bytes = 0
        self._usual: Request | None = None  # waits for the rest of its body
        self._awaited_bytes = 0  # the length of that body
        self._host: bytes | None = None  # the last one that was allowed: mostly the next as well
        self._rest = b""  # what followed a usual request in the read that brought it
        self._clear()

    def _clear(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._header_count = self._header_bytes = 0  # a head may come whole, in one read
        self._target = b""
        self._body: list[bytes] = []
        self._small = bytearray()  # short pieces of the body that follow one another
        self._no_body_bytes = 0  # framing in a row: chunk extensions and trailers
        self._keep_alive = True
        self.body_bytes = 0
        self.partial = False
        self.in_body = False

    def feed(self, data: bytes) -> None:
        """Parse some bytes; look at `requests` and `error` afterwards."""
        if self.error is not None:
            return
        if self._usual is not None:
            data = self._go_on_usual(data)
        elif not self.partial and self._begin_usual(data):
            data, self._rest = self._rest, b""
        if not data:
            return
        if self.in_body:
            self._no_body_bytes += len(data)
        else:
            self.head_bytes += len(data)
        try:
            self._feed_strictly(data)
        except httptools.HttpParserError:
            self.error = self.error or InvalidRequest("The request is not valid HTTP/1.1.")
        else:
            if self.partial and not self.in_body and self.head_bytes > MAX_HEAD_BYTES:
                self.error = HeadersTooLarge()
            elif self._no_body_bytes > MAX_HEAD_BYTES:
                self.error = HeadersTooLarge("The request's trailers are too large.")

    def is_strict(self, data: bytes) -> bool:
        """Whether the full parser reads these bytes: it costs by the piece, not by the byte."""
        if self.partial:
            return self._usual is None
        return b"transfer-encoding" in data[:MAX_HEAD_BYTES].lower()

    def _feed_strictly(self, data: bytes) -> None:
        """RFC 9110, 7.8: an upgrade that is not spoken here is ignored, what follows is HTTP.

        llhttp ends such a request at its head. It is shown the head again without the upgrade, for
        clients offer h2c with bodies, too (Java's does with every request).
        """
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        while data:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as ended:
                request = self.requests.pop()
                if request.method == b"CONNECT":
                    self.error = InvalidRequest("This is not a proxy.")
                    return
                version = self._parser.get_http_version().encode()
                data = _without_upgrade(request, version) + data[ended.args[0] :]
                self._parser = httptools.HttpRequestParser(self)

    def _begin_usual(self, data: bytes) -> bool:
        """Whether a request of the usual form begins here; one that is whole is taken at once."""
        found = usual_request(data, _NAMES)
        if found is None:
            return False
        method, target, headers, length, head_length = found
        host = headers.get(b"host")
        if host is None or length > self._max_body_bytes or head_length > MAX_HEAD_BYTES:
            return False  # the full parser says what is wrong
        if host != self._host:
            if not host_is_allowed(host, self._allowed_hosts):
                return False
            self._host = host
        body = data[head_length:]
        request = Request(method, target, headers, body, True, True)
        if len(body) == length:
            self.requests.append(request)
        else:
            request.body = b""
            self._usual = request
            self._awaited_bytes = length
            self.partial = self.in_body = True
            self.head_bytes = head_length
            self._rest = self._go_on_usual(body)
        return True

    def _go_on_usual(self, data: bytes) -> bytes:
        """Take the body of the usual request. What follows it in one read goes to llhttp."""
        request = self._usual
        assert request is not None
        missing = self._awaited_bytes - self.body_bytes
        piece, rest = data[:missing], data[missing:]
        self.body_bytes += len(piece)
        self._keep(piece)
        if len(piece) == missing:
            self._usual = None
            request.body = self._whole_body()
            self.requests.append(request)
            self.head_bytes = 0
            self._clear()
        return rest

    def _refuse(self, error: GatewayError) -> None:
        """Leave llhttp with an error that becomes the answer."""
        self.error = error
        raise error

    # --- httptools callbacks --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._clear()
        self.partial = True

    def on_url(self, url: bytes) -> None:
        """Collect the target."""
        self._target += url
        if len(self._target) > MAX_TARGET_BYTES:
            self._refuse(TargetTooLong())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the headers that matter; a repeated one is refused, a trailer left out."""
        if self.in_body:
            return
        self._header_count += 1
        self._header_bytes += len(name) + len(value)
        if self._header_count > MAX_HEADERS or self._header_bytes > MAX_HEAD_BYTES:
            self._refuse(HeadersTooLarge())
        name, value = (
            name.lower(),
            value.strip(b" \t"),
        )  # llhttp leaves what ends a value (9112 5.1)
        if name in _KEPT:
            if name in _LISTS and name in self._headers:
                value = self._headers[name] + b"," + value
            elif name in _ASIDE:
                value = self._headers.get(name, value)
            elif name in self._headers:
                self._refuse(InvalidRequest(f"The header {name.decode()} is repeated."))
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole: refuse what can be refused before the body."""
        headers = self._headers
        version = self._parser.get_http_version()
        if version not in ("1.0", "1.1"):
            self._refuse(InvalidRequest("The request is not valid HTTP/1.1."))
        host = headers.get(b"host")
        absolute = split_absolute(self._target)
        if absolute is not None:
            self._target = absolute[1]
            if host is not None and host_is_allowed(host, frozenset()):
                host = absolute[0]  # counts instead of the header, which must be sound all the same
        if (host is None and version != "1.0") or (
            host is not None and not host_is_allowed(host, self._allowed_hosts)
        ):
            self._refuse(MisdirectedHost())
        coding = headers.get(b"transfer-encoding")
        if coding is not None and (version == "1.0" or coding.strip().lower() != b"chunked"):
            self._refuse(InvalidRequest("Only the transfer coding `chunked` is understood."))
        if int(headers.get(b"content-length", b"0")) > self._max_body_bytes:
            self._refuse(BodyTooLarge())
        self._keep_alive = bool(self._parser.should_keep_alive())
        self.in_body = True
        expect = headers.get(b"expect")
        if expect is not None:
            if expect.lower() != b"100-continue":
                self._refuse(InvalidRequest("The expectation cannot be met."))
            if version != "1.0":
                self._expect()

    def on_body(self, body: bytes) -> None:
        """Collect the body up to the limit."""
        self.body_bytes += len(body)
        if self.body_bytes > self._max_body_bytes:
            self._refuse(BodyTooLarge())
        self._no_body_bytes = 0
        self._keep(body)

    def _keep(self, body: bytes) -> None:
        """Keep a piece; short ones kept one by one would take many times their size."""
        if len(body) < SMALL_BYTES:
            self._small += body
            if len(self._small) < JOIN_BYTES:
                return
            body = b""
        if self._small:
            self._body.append(bytes(self._small))
            self._small.clear()
        if body:
            self._body.append(body)

    def _whole_body(self) -> bytes:
        if self._small:
            self._body.append(bytes(self._small))
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self.requests.append(
            Request(
                self._parser.get_method(),
                self._target,
                self._headers,
                self._whole_body(),
                self._keep_alive,
                self._parser.get_http_version() != "1.0",
            )
        )
        self.head_bytes = 0
        self._clear()


def _without_upgrade(request: Request, version: bytes) -> bytes:
    """The head of a request, as far as it was kept; what it expected was promised already."""
    lines = [b"%b %b HTTP/%b" % (request.method, request.target, version)]
    lines += [b"%b: %b" % each for each in request.headers.items() if each[0] != b"expect"]
    if not request.keep_alive:
        lines.append(b"connection: close")
    return b"\r\n".join((*lines, b"", b""))
