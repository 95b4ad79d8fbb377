"""Single fields of a request's body, read and cut by the spans that the native scan found."""

from typing import Any

import msgspec

from gateway._native.jsonscan import (
    MAX_COMPLETION_TOKENS,
    MAX_OUTPUT_TOKENS,
    MAX_TOKENS,
    RequestScan,
)
from gateway.base.errors import InvalidRequest

MAX_FIELD_BYTES = 64 * 1024  # decoding a larger one would keep the loop for long
_LIMITS = (
    ("max_completion_tokens", MAX_COMPLETION_TOKENS),
    ("max_tokens", MAX_TOKENS),
    ("max_output_tokens", MAX_OUTPUT_TOKENS),
)
_SPACE = b" \t\r\n"
_decode = msgspec.json.Decoder().decode


def field(body: bytes, span: tuple[int, int] | None) -> Any:
    """The decoded value of a span of the body; None when the field is absent or null.

    Raises InvalidRequest for one over MAX_FIELD_BYTES and for a value no decoder takes (an integer
    of thousands of digits).
    """
    if span is None:
        return None
    if span[1] - span[0] > MAX_FIELD_BYTES:
        raise InvalidRequest("A field of the body is too long.")
    try:
        return _decode(body[span[0] : span[1]])
    except (msgspec.DecodeError, ValueError):
        raise InvalidRequest("The body is not valid: a field cannot be read.") from None


def limit_spans(scan: RequestScan, gemini: bool) -> list[tuple[str, tuple[int, int]]]:
    """Where a request names its output maximum: (name, span) of the members that do."""
    found: list[tuple[str, tuple[int, int]]] = []
    if gemini:
        for name in ("maxOutputTokens", "max_output_tokens"):
            span = scan.inside(name)
            if span is not None:
                found.append((name, span))
        return found
    for name, number in _LIMITS:
        span = scan.span(number)
        if span is not None:
            found.append((name, span))
    return found


def member(body: bytes, value: tuple[int, int]) -> tuple[int, int]:
    """The span of a member, its key included, from the span of its value in a valid document."""
    colon = body.rindex(b":", 0, value[0])
    closing = body.rindex(b'"', 0, colon)
    return body.rindex(b'"', 0, closing), value[1]  # a key that is known holds no quote itself


def member_span(body: bytes, value: tuple[int, int]) -> tuple[int, int]:
    """The span of a member and of one comma beside it: what to cut so that the member is gone."""
    start, end = member(body, value)
    after = end
    while body[after] in _SPACE:
        after += 1
    if body[after : after + 1] == b",":
        return start, after + 1
    before = start
    while body[before - 1] in _SPACE:
        before -= 1
    return before - (body[before - 1 : before] == b","), end
