"""Text and JSON that nobody means well by, and what asks a gateway with it, byte by byte.

The text is written as bytes where a client library would not send it. Sources: RFC 8259 (JSON), RFC
3986 2.1 and 3629 (what is percent-encoded, and UTF-8), OWASP "CSV Injection".
"""

import asyncio
import gzip
import json
from collections.abc import Iterator, Sequence
from urllib.parse import quote_from_bytes

from tests.fakes.gateway import Answer, RunningGateway

NUMBERS: dict[str, str] = {
    "below zero": "-1",
    "zero": "0",
    "two to the 31st": str(2**31),
    "two to the 63rd": str(2**63),
    "two to the 64th": str(2**64),
    "too large": "1e999",
    "a fraction": "1.5",
    "no number": "NaN",
    "endless": "-Infinity",
    "of 100,000 digits": "9" * 100_000,
    "a million": "1000000",
    "text": '"5"',
    "true in words": '"true"',
    "true": "true",
    "null": "null",
    "a list": "[1]",
    "an object": '{"a":1}',
}
TEXTS: dict[str, str] = {
    "empty": "",
    "a space": " ",
    "up": "../../../etc/passwd",
    "percent": "%",
    "percent, encoded": "%2e%2e%2f%00",
    "underscore": "_",
    "wildcards": "%_" * 60,
    "a line more": "a\nb",
    "a header more": "a\r\nX-Injected: 1\r\n\r\n",
    "NUL": "a\0b",
    "DEL and BEL": "\x7f\x07",
    "long": "m" * 3_000,
    "BOM": "\ufeffm",
    "half a character": "\ud800",
    "halves the wrong way": "\udc00\ud800",
    "right to left": "\u202em",
    "no character": "\uffff\U0010ffff",
    "combining": "e" + "\u0301" * 200,
    "digits of elsewhere": "١٢٣",
    "a superscript": "req_²",
    "a formula": '=HYPERLINK("http://127.0.0.1","x")',
    "a command": "@SUM(1+1)*cmd|' /C calc'!A0",
    "plus": "+1",
    "SQL": "m' OR '1'='1'; --",
    "markup": "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
    "a template": "{{7*7}}${7*7}",
    "digits": "9" * 4_000,
    "a number": "1e999",
    "below zero": "-1",
    "two to the 63rd": str(2**63),
    "a date": "0001-01-01",
    "a late date": "9999-12-31",
    "an address": "http://[::1%25lo]/",
}
_TOLD_APART = {
    f"the text {name}"
    for name in ("empty", "NUL", "long", "BOM", "half a character", "wildcards", "an address")
}
# As a target or a query holds them, past what a library would encode.
RAW: dict[str, bytes] = {
    "bytes that are no text": b"\xff\xfe",
    "those, encoded": b"%ff%fe",
    "a surrogate, encoded": b"%ed%a0%80",
    "too short an escape": b"%4",
    "no escape": b"%zz%",
    "an overlong slash": b"%c0%af",
    "UTF-16": quote_from_bytes("m".encode("utf-16")).encode(),
    "a slash, twice encoded": b"%252f..%252f",
    "dots": b"..%2f..%2f",
    "brackets": b"[]{}|\\^`",
}


def encoded(text: str) -> bytes:
    """Text as one segment of a path; half characters as a careless client encodes them."""
    return quote_from_bytes(text.encode("utf-8", "surrogatepass"), safe="").encode()


def segments() -> dict[str, bytes]:
    """All of it as a path or a query holds it."""
    return {name: encoded(text) for name, text in TEXTS.items()} | RAW


def texts() -> dict[str, str]:
    """All text as JSON values."""
    return {f"the text {name}": json.dumps(text) for name, text in TEXTS.items()}


def literals() -> dict[str, str]:
    """JSON values of every kind, and of the text what is told apart before it is understood."""
    return {name: text for name, text in texts().items() if name in _TOLD_APART} | NUMBERS


def documents(base: dict[str, object]) -> Iterator[tuple[str, bytes, bytes]]:
    """(name, content type, body) of whole bodies that are wrong as such, or look so."""
    sound = json.dumps(base)
    kind = b"application/json"
    opened = sound[:-1].encode() + (b"," if base else b"")
    for name, body in {
        "none": b"",
        "spaces": b" \t\r\n",
        "not JSON": b"hello",
        "a text": b'"m"',
        "a number": b"1",
        "null": b"null",
        "a list": f"[{sound}]".encode(),
        "half": sound[:-1].encode(),
        "two": f"{sound}{sound}".encode(),
        "a NUL behind": sound.encode() + b"\0",
        "a BOM": b"\xef\xbb\xbf" + sound.encode(),
        "UTF-16": sound.encode("utf-16"),
        "UTF-16 without a BOM": sound.encode("utf-16-be"),
        "UTF-32": sound.encode("utf-32"),
        "gzip": gzip.compress(sound.encode()),
        "no UTF-8": opened + b'"x":"\xff"}',
        "a surrogate in UTF-8": opened + b'"x":"\xed\xa0\x80"}',
        "a NUL": opened + b'"x":"a\0b"}',
        "a comma more": opened + b"}",
        "NaN": opened + b'"x":NaN}',
        "a comment": opened + b'/* */"x":1}',
        "half a character": opened + b'"x":"\\ud800"}',
        "half a character as a name": opened + b'"\\udfff":1}',
        "a NUL as a name": opened + b'"\\u0000":1}',
        "1e999": opened + b'"x":1e999}',
        "100,000 digits": opened + b'"x":' + b"9" * 100_000 + b"}",
        "a name twice": opened + b'"x":1,"x":2}',
        "the same twice": opened + sound[1:].encode() if base else b'{"model":1,"model":1}',
        "a name twice, once escaped": opened + b'"model":"a","m\\u006fdel":"b"}',
        "a name of 100,000 letters": opened + b'"' + b"x" * 100_000 + b'":1}',
    }.items():
        yield name, kind, body
    for media in (
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=" + b"x" * 500,
        b"application/json; charset=utf-16",
        b"application/json; charset=no-such",
        b"application/json;;;=",
        b"application/jsonx",
        b"\xff/\xff",
        b"/",
        b"",
    ):
        yield f"as {media[:60]!r}", media, sound.encode()


def deep(base: dict[str, object], opening: str, closing: str) -> bytes:
    """A body with a member 200,000 levels deep."""
    start = json.dumps(base)[:-1] + (',"x":' if base else '"x":')
    return f"{start}{opening * 200_000}1{closing * 200_000}}}".encode()


def wide(base: dict[str, object]) -> bytes:
    """A body of a million members."""
    start = json.dumps(base)[:-1] + ("," if base else "")
    return (start + ",".join(f'"k{number}":1' for number in range(1_000_000)) + "}").encode()


async def ask(
    gateway: RunningGateway,
    method: str,
    target: bytes,
    headers: Sequence[tuple[str, bytes | str]] = (),
    body: bytes | None = None,
) -> Answer:
    """One request on a connection of its own, written as it stands."""
    lines = [f"{method} ".encode() + target + b" HTTP/1.1", b"Host: 127.0.0.1"]
    for name, value in headers:
        text = value if isinstance(value, bytes) else value.encode("latin-1")
        lines.append(name.encode() + b": " + text)
    if body is not None:
        lines.append(f"Content-Length: {len(body)}".encode())
    data = b"\r\n".join([*lines, b"Connection: close", b"", b""]) + (body or b"")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(data)
        async with asyncio.timeout(60):
            answer = await reader.read()
    finally:
        writer.transport.abort()
    head, _, content = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    assert first, (method, target[:80], "no answer")
    pairs = [line.partition(":") for line in rest]
    told = {name.lower(): value.strip() for name, _, value in pairs}
    return Answer(int(first.split()[1]), told, content)
