"""Reading a client's JSON into declared shapes, with errors that name the field.

A shape is a `msgspec.Struct` that lists the fields a dialect can put into the neutral form, and
those it may drop. A shape with `forbid_unknown_fields` turns every other field into Untranslatable,
so a new field of a provider's API is refused by name instead of being lost. Fields that are null
count as absent. Error texts name fields and never repeat a value: a value may be a prompt.
"""

import re
from typing import Any, NoReturn, TypeVar

import msgspec

from gateway.base.errors import GatewayError, InvalidRequest, Untranslatable
from gateway.proxy.dialects.decoding import decode_request

_T = TypeVar("_T")
_MAX_NAME = 64  # a field's name comes from the client and goes back to it, but not whole novels

_OBJECT = msgspec.json.Decoder(dict[str, Any])
_UNKNOWN = re.compile(r"unknown field `(.*?)`", re.DOTALL)
_MISSING = re.compile(r"missing required field `(.*?)`", re.DOTALL)
_PATH = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)


def decode_object(body: bytes) -> dict[str, Any]:
    """The request's body as an object; raises InvalidRequest for anything else."""
    return decode_request(body, _OBJECT)


def said(value: Any, at: str) -> dict[str, Any]:
    """The fields of an object that are not null; raises InvalidRequest when it is none."""
    if not isinstance(value, dict):
        raise InvalidRequest("A field must be an object.", param=at)
    return {name: inner for name, inner in value.items() if inner is not None}


def shape(kind: type[_T], value: Any, at: str = "") -> _T:
    """`value` as a `kind`; `at` is where it stood. Raises InvalidRequest or Untranslatable."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _explained(str(error), at) from None


def refuse(
    at: str, why: str = "The model's provider has no equivalent for this field."
) -> NoReturn:
    """Raises Untranslatable for the field `at`."""
    raise Untranslatable(why, param=at)


def _explained(text: str, at: str) -> GatewayError:
    path = _PATH.search(text)
    where = _join(at, path.group(1) if path else "")
    if unknown := _UNKNOWN.search(text):
        name = _join(where, unknown.group(1))[:_MAX_NAME]
        return Untranslatable("The model's provider has no equivalent for this field.", param=name)
    if missing := _MISSING.search(text):
        return InvalidRequest("A required field is missing.", param=_join(where, missing.group(1)))
    return InvalidRequest("A field has the wrong type or value.", param=where or None)


def _join(at: str, path: str) -> str:
    if not at or not path:
        return at or path
    return at + path if path.startswith("[") else f"{at}.{path}"
