"""What a provider that departs from the OpenAI API is sent instead: members renamed or left out.

Quirks are data of the provider (`catalog.snapshot.QUIRKS`). Only the top level of the body is
read, as raw spans: what stays is passed on byte for byte. Knows nothing of exchanges or money.
"""

import msgspec

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

_LEFT_OUT = {"no_stream_options": "stream_options", "no_user": "user"}
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


def adapted(body: bytes, quirks: frozenset[str], *, chat: bool) -> bytes:
    """The body as the provider takes it. A limit under its other name is renamed, for chat only.

    Of two limits in one body the provider's own name stays. The body was checked: it is an object.
    """
    members = _decode(body)
    changed = False
    for quirk in quirks:
        if quirk in _LEFT_OUT:
            changed |= members.pop(_LEFT_OUT[quirk], None) is not None
        elif chat and (limit := members.pop(_LIMITS[quirk], None)) is not None:
            members.setdefault(quirk, limit)
            changed = True
    return _encode(members) if changed else body
