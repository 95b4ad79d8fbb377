"""The first bytes of a request: whose it is, the inference API's or the console's.

The API's paths begin with `/v1/` or its like, but for the WebSocket of `/v1/realtime`. A target in
absolute-form (RFC 9112 section 3.2.2) is rare but must be served; it is brought into origin-form
once the head is whole, so that only one form is routed on. Bounded by the parser's limits: what is
over them is given to the parser, which refuses it in the API's shape.
"""

import re

from gateway.web.hosts import host_is_allowed, split_absolute
from gateway.web.parser import MAX_HEAD_BYTES, MAX_TARGET_BYTES

MAX_LINE_BYTES = MAX_TARGET_BYTES + 32
REALTIME = b"GET /v1/realtime"
_CONSOLE = re.compile(rb"[A-Z]{1,16} /(?!v1(?:alpha|beta)?[/? ])|GET /v1/realtime[? ]")
_UNDECIDED = re.compile(rb"[A-Z]{0,16}|[A-Z]{1,16} (/(v(1(a(l(ph?a?)?)?|b(et?a?)?)?)?)?)?")
_ABSOLUTE = re.compile(rb"[A-Z]{1,16} [Hh]")
_ABSOLUTE_LINE = re.compile(rb"([A-Z]{1,16} )((?i:https?)://[^ \r\n]*)( HTTP/1\.[01])\r\n")
_HOST_LINE = re.compile(rb"(?<=\r\n)(?i:host):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)")


def is_undecided(start: bytes) -> bool:
    """Whether more bytes are needed to say whose it is, and to hand it on."""
    if _UNDECIDED.fullmatch(start) or REALTIME.startswith(start):
        return True
    if _ABSOLUTE.match(start) or _CONSOLE.match(start):
        if b"\n" not in start:
            return len(start) < MAX_LINE_BYTES
        return b"\r\n\r\n" not in start and len(start) <= MAX_HEAD_BYTES
    return False


def is_console(start: bytes) -> bool:
    """Whether it is the console's; what is too long is refused as the API's is."""
    whole = b"\r\n\r\n" in start[: MAX_HEAD_BYTES + 4] and b"\n" in start[:MAX_LINE_BYTES]
    return whole and _CONSOLE.match(start) is not None


def origin_form(start: bytes) -> bytes:
    """A head, and what follows it, with its target in origin-form and the host it named.

    Comes back as it is where its target has another form, or its Host line is not one.
    """
    line = _ABSOLUTE_LINE.match(start)
    parts = split_absolute(line[2]) if line is not None else None
    end = start.find(b"\r\n\r\n") + 2
    if line is None or parts is None or end < line.end():
        return start
    host, target = parts
    lines = start[line.end(3) : end]
    named = _HOST_LINE.findall(lines)
    if len(named) != 1 or not host_is_allowed(named[0], frozenset()):
        return start
    lines = _HOST_LINE.sub(b"Host: %b" % host, lines)
    return b"%b%b%b%b%b" % (line[1], target, line[3], lines, start[end:])
