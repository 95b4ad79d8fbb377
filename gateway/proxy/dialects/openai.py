"""How errors look to clients of the OpenAI API, whole and inside a stream.

Source: OpenAI API reference, "Error codes"; the SDKs raise on any chunk with a top-level `error`.
Nothing here knows how an error came about.
"""

import msgspec

from gateway.base.errors import GatewayError

_encode = msgspec.json.Encoder().encode


def error_body(error: GatewayError) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}` as JSON bytes."""
    return _encode(
        {
            "error": {
                "message": error.text,
                "type": error.type,
                "param": error.param,
                "code": error.code,
            }
        }
    )


def error_headers(error: GatewayError, request_id: str) -> bytes:
    """Header lines of an error response, with Retry-After where waiting helps."""
    lines = f"Content-Type: application/json\r\nx-request-id: {request_id}\r\n"
    if error.status == 401:
        lines += "WWW-Authenticate: Bearer\r\n"  # RFC 9110, 15.5.2
    if error.retry_after_s is not None:
        lines += f"Retry-After: {error.retry_after_s}\r\n"
    elif error.source == "caller" and not error.retryable:
        lines += "x-should-retry: false\r\n"  # the OpenAI SDKs obey this header
    return lines.encode("latin-1")


def error_event(error: GatewayError, endpoint: str, request_id: str) -> bytes:
    """An error inside a stream, as one SSE event. Never followed by a normal end.

    The blank line before it ends whatever half event the provider left behind. A Responses stream
    has its own flat form (`event: error`); the rest carry a top-level
    `error` object in a data-only event.
    """
    if endpoint == "responses":
        flat = {
            "type": "error",
            "code": error.code,
            "message": error.text,
            "param": error.param,
            "sequence_number": 0,
        }
        return b"\n\nevent: error\ndata: " + _encode(flat) + b"\n\n"
    body = error_body(error)
    inner = body[:-2] + b',"request_id":' + _encode(request_id) + b"}}"
    return b"\n\ndata: " + inner + b"\n\n"
