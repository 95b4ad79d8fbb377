"""What an organisation may be called, and how much of its balance a member's limit may be."""

from typing import Final

from gateway.platform.limits.terms import MAX_BUDGET_MICROUSD
from gateway.platform.refusals import Refusal

MAX_NAME: Final = 100
_UNFIT: Final = frozenset("<>@")  # what would make a name a link or an address in a letter


def check_limit(limit_microusd: int | None) -> None:
    """Whether it can be a member's monthly limit. Raises Refusal."""
    if limit_microusd is not None and not 0 <= limit_microusd <= MAX_BUDGET_MICROUSD:
        raise Refusal("a limit is zero or more")


def checked_name(name: str) -> str:
    """A name as it is kept. Raises Refusal for what is none, or would be a link in a letter."""
    label = name.strip()
    if not label or len(label) > MAX_NAME or not label.isprintable():
        raise Refusal(f"an organisation's name is 1 to {MAX_NAME} printable characters")
    if _UNFIT & set(label) or "//" in label:
        raise Refusal("an organisation's name is no link and no address")
    return label
