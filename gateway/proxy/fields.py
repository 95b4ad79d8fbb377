"""Reading single fields of a request's body by the spans that the native scan found."""

from typing import Any

import msgspec

from gateway.base.errors import InvalidRequest

_decode = msgspec.json.Decoder().decode


def field(body: bytes, span: tuple[int, int] | None) -> Any:
    """The decoded value of a span of the body; None when the field is absent or null.

    Raises InvalidRequest for a value no decoder takes (an integer of thousands of digits).
    """
    if span is None:
        return None
    try:
        return _decode(body[span[0] : span[1]])
    except (msgspec.DecodeError, ValueError):
        raise InvalidRequest("The body is not valid: a field cannot be read.") from None
