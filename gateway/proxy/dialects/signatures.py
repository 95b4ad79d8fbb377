"""Opaque signatures in a client's hands: bare in their own dialect, marked in every other.

A signature of reasoning can be read again only by the family of providers that made it. A dialect
of that family carries it bare. Another dialect has a field of the same kind for its own
signatures; there it stands as `tallygate:<family>:<signature>` (`tallygate:<family>:redacted:...`
when the provider withheld the text), and comes back under the same mark. Signatures are base64 at
every provider known here, so a colon never stands inside one. Responses knows no reasoning without
a signature: an item without one stands for what the provider keeps. There UNSIGNED marks reasoning
that nobody signed (DeepSeek, Qwen, Moonshot), which its maker wants back with the calls it led to.
"""

from typing import get_args

from gateway.proxy.dialects.neutral import Family

MARK = "tallygate:"
UNSIGNED = MARK + "unsigned"
_REDACTED = "redacted:"
_FAMILIES: dict[str, Family] = {family: family for family in get_args(Family)}


def wrap(signature: str, family: Family | None, own: Family, *, redacted: bool = False) -> str:
    """The signature as a dialect of family `own` carries it; one of no known family goes bare."""
    if family is None or family == own:
        return signature
    return f"{MARK}{family}:{_REDACTED if redacted else ''}{signature}"


def unwrap(value: str, own: Family) -> tuple[str, Family, bool]:
    """The signature, its family and whether it was marked redacted; an unmarked one is `own`."""
    if value.startswith(MARK):
        name, _, rest = value.removeprefix(MARK).partition(":")
        family = _FAMILIES.get(name)
        if family is not None:
            return rest.removeprefix(_REDACTED), family, rest.startswith(_REDACTED)
    return value, own, False
