"""Taking marked signatures out of a request that goes to a provider of its own dialect.

A client that changes models in the middle of a conversation sends reasoning of another family back
under our mark (see `signatures`). Translation leaves such reasoning out; a request that passes
without translation must lose it too, since the provider would take the mark for a broken signature
of its own. Nothing else of the request changes. The fields that carry signatures, and so marks:
`encrypted_content` (Responses), `signature` and `data` (Messages), `thoughtSignature` (Gemini).
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.gemini.signing import MARKED
from gateway.proxy.dialects.signatures import MARK

_FIELDS = ("encrypted_content", "signature", "data", "thoughtSignature", "thought_signature")
_STARTS = (MARK, MARKED)
_BYTES = (MARK.encode(), MARKED.encode())

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def is_marked(body: bytes) -> bool:
    """Whether a mark stands anywhere in the body. Cheap, and mostly False."""
    # `in` first takes the mark for a number, and makes an error message to find that it is none.
    return body.find(_BYTES[0]) >= 0 or body.find(_BYTES[1]) >= 0


def without_marked(body: bytes) -> bytes:
    """The request without the items, blocks or parts that carry a marked signature.

    The very same bytes where there are none; so too for a body that is not JSON, which is refused
    elsewhere.
    """
    if not is_marked(body):
        return body
    try:
        document = _decode(body)
        found = _strip(document)
    except (ValueError, RecursionError):
        return body
    return _encode(document) if found else body


def _strip(value: Any) -> bool:
    """Removes in place; whether anything was removed."""
    found = False
    if isinstance(value, dict):
        for inner in value.values():
            found |= _strip(inner)
    elif isinstance(value, list):
        kept = [inner for inner in value if not _is_marked(inner)]
        found = len(kept) < len(value)
        value[:] = kept
        for inner in kept:
            found |= _strip(inner)
    return found


def _is_marked(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    signatures = (value.get(name) for name in _FIELDS)
    return any(isinstance(one, str) and one.startswith(_STARTS) for one in signatures)
