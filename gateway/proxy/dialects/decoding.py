"""JSON of a known shape, decoded once into small structs; errors turned into the catalogue's.

The structs of a dialect's request forbid unknown fields: they are the table of what translation
understands, and whatever is not in it is refused by name. Structs of answers and streams ignore
what they do not know. No error carries a value of the document, only names and types.
Nothing here knows a dialect.
"""

import json
import re
from typing import Any, TypeVar

import msgspec

from gateway.base.errors import InvalidRequest, Untranslatable, UpstreamBadResponse

T = TypeVar("T")

_MAX_NAME = 64  # a field's name comes from the client and goes back to it, in bounds

_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*?)`", re.DOTALL)
_TYPED = re.compile(r"Expected `[^`]*`, got `[^`]*`")
_PATH = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)


class RequestStruct(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of a request's shapes: a field that is not declared is refused by its name."""


class AnswerStruct(msgspec.Struct, kw_only=True, gc=False):
    """Base of an answer's shapes: what is not declared is ignored."""


def decode_request(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The request. Raises Untranslatable for an unknown field, InvalidRequest for a wrong one."""
    try:
        return _decode(body, decoder)
    except msgspec.ValidationError as error:
        raise refusal(str(error)) from None
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not valid JSON.") from None


def refusal(text: str, at: str = "") -> InvalidRequest | Untranslatable:
    """What msgspec said of a request's shape, as an error; `at` is where the value stood."""
    path = _PATH.search(text)
    where = _join(at, path[1] if path else "")
    if found := _UNKNOWN.match(text):
        name = _join(where, found[1])[:_MAX_NAME]
        return Untranslatable(f"The model's provider has no equivalent for {name}.", param=name)
    if found := _MISSING.match(text):
        name = _join(where, found[1])
        return InvalidRequest(f"The field {name} is missing.", param=name)
    if found := _TYPED.match(text):
        return InvalidRequest(f"{found[0]} at {where or 'the root'}.", param=where or None)
    return InvalidRequest("A field of the request has a wrong value.", param=where or None)


def _join(at: str, path: str) -> str:
    if not at or not path:
        return at or path
    return at + path if path.startswith("[") else f"{at}.{path}"


def decode_answer(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """A whole answer. Raises UpstreamBadResponse when it is not of the decoder's shape."""
    answer = decode_event(body, decoder)
    if answer is None:
        raise UpstreamBadResponse
    return answer


def decode_event(data: bytes, decoder: msgspec.json.Decoder[T]) -> T | None:
    """One event's JSON, None when it is not of the decoder's shape."""
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError):  # both of msgspec's errors are ValueErrors
        pass
    try:
        return _decode(data, decoder)
    except (ValueError, RecursionError):
        return None


def _decode(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Half a surrogate pair (an escape cut between two events) becomes U+FFFD, as the counter has
    it: text goes out as UTF-8, which cannot say a half.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if b"\\u" not in data:
            raise
    return decoder.decode(msgspec.json.encode(_mended(json.loads(data))))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    return value
