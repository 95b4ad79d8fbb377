"""How errors look to each client: whole, and as the last event of a stream.

Sources: the "Errors" pages of the API references of OpenAI, Anthropic and Google (google.rpc.Status
and its ErrorInfo). The gateway's own code is added where the shape has room for it: in `code`
(OpenAI, Anthropic) or as the reason of an ErrorInfo (Gemini). Nothing here knows how an error came
about.
"""

import msgspec

from gateway.base.errors import GatewayError
from gateway.proxy.dialects import openai
from gateway.proxy.dialects.endpoints import Endpoint, Family

_encode = msgspec.json.Encoder().encode

_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_GEMINI_STATUS = {
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_body(error: GatewayError, family: Family, request_id: str) -> bytes:
    """The JSON of a whole error response."""
    if family == "anthropic":
        return _encode(_anthropic(error, request_id))
    if family == "gemini":
        return _encode(_gemini(error))
    return openai.error_body(error)


def error_headers(error: GatewayError, family: Family, request_id: str) -> bytes:
    """Header lines of an error response, with Retry-After where waiting helps."""
    return openai.error_headers(error, request_id) + request_id_line(family, request_id)


def request_id_line(family: Family, request_id: str) -> bytes:
    """The request id under the name that Anthropic's SDKs read; empty for the others."""
    return b"request-id: %b\r\n" % request_id.encode() if family == "anthropic" else b""


def error_event(error: GatewayError, endpoint: Endpoint, request_id: str) -> bytes:
    """An error inside a stream, as one SSE event. Never followed by a normal end.

    The blank line before it ends whatever half event the provider left behind.
    """
    if endpoint.family == "anthropic":
        return b"\n\nevent: error\ndata: " + _encode(_anthropic(error, request_id)) + b"\n\n"
    if endpoint.family == "gemini":
        return b"\n\ndata: " + _encode(_gemini(error)) + b"\n\n"
    return openai.error_event(error, endpoint.name, request_id)


def _anthropic(error: GatewayError, request_id: str) -> dict[str, object]:
    fallback = "invalid_request_error" if error.status < 500 else "api_error"
    kind = _ANTHROPIC_TYPES.get(error.status, fallback)
    inner = {"type": kind, "message": error.text, "code": error.code}
    return {"type": "error", "error": inner, "request_id": request_id}


def _gemini(error: GatewayError) -> dict[str, object]:
    info: dict[str, object] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": error.code,
        "domain": "tallygate",
    }
    if error.param is not None:
        info["metadata"] = {"field": error.param}
    details = [info]
    if error.retry_after_s is not None:
        retry = f"{error.retry_after_s}s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry})
    return {
        "error": {
            "code": error.status,
            "message": error.text,
            "status": _GEMINI_STATUS.get(error.status, "INVALID_ARGUMENT"),
            "details": details,
        }
    }
