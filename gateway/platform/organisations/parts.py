"""Parts: what each part in an organisation may do, as one table of part by action.

A part is what a role is for the whole place, inside one organisation only: an administrator of the
gateway has no part in one by being that. Nothing is allowed that is not listed.
"""

from typing import Final, Literal, get_args

from gateway.platform.refusals import Refusal

Part = Literal["owner", "manager", "member"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

_MEMBER = frozenset({"organisation.read", "keys.own"})
_MANAGER = _MEMBER | {
    *("members.read", "members.invite", "members.limit", "members.remove"),
    *("usage.all", "ledger.read", "keys.all"),
}
TABLE: Final[dict[Part, frozenset[str]]] = {
    "member": _MEMBER,
    "manager": _MANAGER,
    "owner": _MANAGER | {"members.part", "organisation.rename", "organisation.transfer"},
}
ACTIONS: Final = frozenset().union(*TABLE.values())


def part_may(part: Part, action: str) -> bool:
    """Whether a part may do an action. An action that no part has is a mistake: KeyError."""
    if action not in ACTIONS:
        raise KeyError(action)
    return action in TABLE[part]


def check_part(mine: Part | None, action: str) -> None:
    """Raises Refusal unless a member of this part may do the action."""
    if mine is None or not part_may(mine, action):
        raise Refusal("your part in the organisation does not allow this")


def check_reach(mine: Part | None, theirs: Part | None, wanted: Part | None) -> None:
    """Whether one member may make another (None: somebody new) what is wanted (None: removed).

    A manager reaches plain members only and makes nobody more than that. Raises Refusal.
    """
    check_part(mine, "members.limit")
    if (theirs, wanted) not in ((None, "member"), ("member", "member"), ("member", None)):
        check_part(mine, "members.part")
