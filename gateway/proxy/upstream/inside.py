"""What an answer of status 200 says of itself: an error before any output, or its end.

Errors are what the same error would have been as a status, so they are read as one: by the number
they carry, else by the words providers use for it (OpenAI, Anthropic, Gemini, OpenRouter).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway._native.sse import StreamMeter
from gateway.base.errors import GatewayError

_STATUS_OF_WORD = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "UNAUTHENTICATED": 401,
    "permission_error": 403,
    "PERMISSION_DENIED": 403,
    "not_found_error": 404,
    "NOT_FOUND": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "RESOURCE_EXHAUSTED": 429,
    "timeout_error": 504,
    "DEADLINE_EXCEEDED": 504,
}
_decode = msgspec.json.Decoder().decode

Explain = Callable[[int, dict[bytes, bytes], bytes], GatewayError]


def error_inside(raw: bytes, explain: Explain) -> GatewayError:
    """The error that `raw`, an error object, means by the provider's own map of statuses."""
    return explain(status_of(raw), {}, b'{"error":%b}' % raw)


def status_of(raw: bytes) -> int:
    """The HTTP status an error object stands for; 500 where it does not say."""
    try:
        error: Any = _decode(raw)
    except (msgspec.DecodeError, ValueError):
        return 500
    if not isinstance(error, dict):
        return 500
    for key in ("code", "status", "type"):
        value = error.get(key)
        if isinstance(value, str) and value in _STATUS_OF_WORD:
            return _STATUS_OF_WORD[value]
        if isinstance(value, str) and value.isdecimal() and len(value) == 3:
            value = int(value)
        if type(value) is int and 400 <= value <= 599:
            return value
    return 500


def is_complete(meter: StreamMeter, dialect: str) -> bool:
    """Whether a stream that ended without its end marker came to its end all the same.

    Some providers end a stream without `[DONE]`; a finish reason or usage is an end too. Gemini
    has no end marker, and reports usage in every event. After an error that the client was told of
    nothing more need come.
    """
    reported = meter.usage is not None and dialect != "gemini"
    ended = meter.finish_seen or reported or meter.error is not None
    return ended and not meter.truncated
