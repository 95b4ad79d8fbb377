"""Reading a client's JSON into declared shapes, with errors that name the field.

A shape is a `msgspec.Struct` that lists the fields a dialect can put into the neutral form, and
those it may drop; which shape an item has depends on its `type`, so values are converted after the
decoding. A shape with `forbid_unknown_fields` turns every other field into Untranslatable, so a new
field of a provider's API is refused by name instead of being lost. Fields that are null count as
absent. Error texts name fields and never repeat a value: a value may be a prompt.
"""

from typing import Any, NoReturn, TypeVar

import msgspec

from gateway.base.errors import InvalidRequest, Untranslatable
from gateway.proxy.dialects.decoding import decode_request, refusal

_T = TypeVar("_T")

_OBJECT = msgspec.json.Decoder(dict[str, Any])


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
        raise refusal(str(error), at) from None


def refuse(
    at: str, why: str = "The model's provider has no equivalent for this field."
) -> NoReturn:
    """Raises Untranslatable for the field `at`."""
    raise Untranslatable(why, param=at)
