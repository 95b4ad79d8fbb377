"""Fallback models that a client lists itself, and their removal from what goes to a provider.

Two forms: the header `x-tallygate-fallbacks: a, b`, and the body's member `models`, a list as
OpenRouter takes it: fallbacks after `model`, or without `model` the first is the model and the
others are its fallbacks. Pure: bytes and spans in, names and bytes out.
"""

from typing import Any

import msgspec

from gateway._native.jsonscan import RequestScan
from gateway.base.errors import InvalidRequest
from gateway.proxy.fields import field, member, member_span

HEADER = b"x-tallygate-fallbacks"
MAX_FALLBACKS = 8
MAX_NAME_CHARS = 256
_encode = msgspec.json.Encoder().encode


def from_header(value: bytes) -> tuple[str, ...]:
    """The names of the header. Raises InvalidRequest."""
    names = [name.strip() for name in value.decode("latin-1").split(",")]
    return _checked([name for name in names if name], HEADER.decode())


def from_body(body: bytes, scan: RequestScan) -> tuple[tuple[str, ...], bytes]:
    """The fallbacks of `models`, and the body without that member. Raises InvalidRequest."""
    assert scan.models is not None
    listed = field(body, scan.models)
    names = _checked([] if listed is None else listed, "models")
    if scan.model is not None or not names:
        return names, without_member(body, scan.models)
    start, end = member(body, scan.models)
    return names[1:], b'%b"model":%b%b' % (body[:start], _encode(names[0]), body[end:])


def _checked(names: Any, where: str) -> tuple[str, ...]:
    if not isinstance(names, list) or len(names) > MAX_FALLBACKS:
        text = f"`{where}` is a list of at most {MAX_FALLBACKS} models' names."
        raise InvalidRequest(text, param=where)
    for name in names:
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS:
            raise InvalidRequest(f"`{where}` must hold models' names.", param=where)
    return tuple(names)


def without_member(body: bytes, value: tuple[int, int]) -> bytes:
    """The document without a member and without one comma beside it."""
    start, end = member_span(body, value)
    return body[:start] + body[end:]
