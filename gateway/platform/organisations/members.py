"""Organisations in memory: who belongs to each, by which part, and to whom its keys were issued.

Plain records that the room of organisations keeps equal to the database; they decide nothing.
"""

from dataclasses import dataclass, field

from gateway.platform.accounts import Account
from gateway.platform.limits import Limits, Share
from gateway.platform.organisations.parts import Part


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in an organisation. `monthly_limit_microusd` None: as much as there is."""

    account: Account
    part: Part
    monthly_limit_microusd: int | None
    joined_us: int


@dataclass(slots=True)
class Organisation:
    """One organisation. `account` holds its balance; `members` is in the order they joined.

    `keys` says which member each of its keys was issued to, ended ones and those of members who
    left among them: what they spent stays theirs.
    """

    account: Account
    name: str
    created_us: int
    members: dict[int, Member] = field(default_factory=dict)
    keys: dict[int, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The public id: that of its account."""
        return self.account.id

    def part_of(self, account: Account) -> Part | None:
        """Somebody's part; None for those who are not in it."""
        member = self.members.get(account.no)
        return member.part if member is not None else None

    def keys_of(self, account_no: int) -> frozenset[int]:
        """The numbers of the keys that were issued to somebody."""
        return frozenset(no for no, owner in self.keys.items() if owner == account_no)

    def shares(self) -> dict[int, Share]:
        """What the keys of limited members may do together, by key."""
        shares = {
            no: Share(
                self.account.no << 32 | no, Limits(month_microusd=member.monthly_limit_microusd)
            )
            for no, member in self.members.items()
            if member.monthly_limit_microusd is not None
        }
        return {key: shares[owner] for key, owner in self.keys.items() if owner in shares}
