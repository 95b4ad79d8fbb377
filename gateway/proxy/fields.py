"""Reading single fields of a request's body by the spans that the native scan found."""

from typing import Any

import msgspec

from gateway._native.jsonscan import RequestScan
from gateway.base.errors import InvalidRequest

MAX_FIELD_BYTES = 64 * 1024  # decoding a larger one would keep the loop for long
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


def limit_spans(scan: RequestScan, *, gemini: bool) -> dict[str, tuple[int, int]]:
    """Where a request names its output maximum: the spans of the members that do, by name."""
    if gemini:
        names = ("maxOutputTokens", "max_output_tokens")
        found = {name: scan.inside(name) for name in names}
    else:
        found = {
            "max_completion_tokens": scan.max_completion_tokens,
            "max_tokens": scan.max_tokens,
            "max_output_tokens": scan.max_output_tokens,
        }
    return {name: span for name, span in found.items() if span is not None}
