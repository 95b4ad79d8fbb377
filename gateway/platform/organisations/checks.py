"""What an organisation may be called, what a member's limit may be, and who may spend there."""

from typing import Final

from gateway.platform.accounts import Account
from gateway.platform.accounts.accounts import check_open
from gateway.platform.limits.terms import MAX_BUDGET_MICROUSD
from gateway.platform.refusals import Refusal

MAX_NAME: Final = 100
_UNFIT: Final = frozenset("<>@")  # what would make a name a link or an address in a letter


def check_limit(limit_microusd: int | None) -> None:
    """Whether it can be a member's monthly limit. Raises Refusal."""
    if limit_microusd is not None and not 0 <= limit_microusd <= MAX_BUDGET_MICROUSD:
        raise Refusal("a limit is zero or more")


def check_member(organisation: Account, account: Account, limit_microusd: int | None) -> None:
    """Whether somebody can be a member of an organisation, so limited. Raises Refusal."""
    check_limit(limit_microusd)
    if not account.is_person:
        raise Refusal("only people are members of an organisation")
    check_open(organisation)
    check_open(account)


def check_payer(member: Account) -> None:
    """Whether a key that works may be made for somebody. Raises Refusal."""
    if not member.may_spend:
        raise Refusal("nothing can be spent with this account for now")


def checked_name(name: str) -> str:
    """A name as it is kept. Raises Refusal for what is none, or would be a link in a letter."""
    label = name.strip()
    if not label or len(label) > MAX_NAME or not label.isprintable():
        raise Refusal(f"an organisation's name is 1 to {MAX_NAME} printable characters")
    if _UNFIT & set(label) or "//" in label:
        raise Refusal("an organisation's name is no link and no address")
    return label
