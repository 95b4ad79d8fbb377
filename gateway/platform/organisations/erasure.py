"""Erasure, the part of organisations: memberships and invitations end.

An organisation of which somebody is the only owner, and others are members, must be handed over
first: its balance is not theirs alone. One without other members is closed with them.
"""

from typing import NamedTuple

from sqlalchemy import Connection, delete, or_, update

from gateway.platform.accounts import Account
from gateway.platform.organisations.members import Organisation
from gateway.platform.refusals import Refusal
from gateway.store.schema.organisations import (
    organisation_invitations,
    organisation_members,
    organisations,
)


class Parting(NamedTuple):
    """The organisations that somebody leaves, and those that are closed with them."""

    left: tuple[Organisation, ...]
    closed: tuple[Organisation, ...]

    def key_nos(self, account: Account) -> frozenset[int]:
        """The keys elsewhere that were issued to somebody."""
        return frozenset().union(*(each.keys_of(account.no) for each in self.left))


def parting(account: Account, organisations: list[Organisation]) -> Parting:
    """What becomes of somebody's organisations. Raises Refusal."""
    left, closed = [], []
    for organisation in organisations:
        others = [each for no, each in organisation.members.items() if no != account.no]
        if not others:
            closed.append(organisation)
            continue
        mine = organisation.members[account.no]
        if mine.part == "owner" and all(each.part != "owner" for each in others):
            raise Refusal(
                f"the organisation {organisation.name} has other members and no other owner; "
                "hand its ownership over first"
            )
        left.append(organisation)
    return Parting(tuple(left), tuple(closed))


def erase_memberships(
    connection: Connection, account: Account, address_digest: bytes, parting: Parting
) -> dict[str, int]:
    """Inside a transaction: delete what binds somebody to organisations; rows by table."""
    closed = [each.account.no for each in parting.closed]
    invited = organisation_invitations.c
    members = connection.execute(
        delete(organisation_members).where(organisation_members.c.account_no == account.no)
    ).rowcount
    invitations = connection.execute(
        delete(organisation_invitations).where(
            or_(
                invited.address_digest == address_digest,
                invited.invited_by == account.no,
                invited.organisation_no.in_(closed),
            )
        )
    ).rowcount
    for organisation in parting.closed:  # its name was its owner's choice
        connection.execute(
            update(organisations)
            .where(organisations.c.account_no == organisation.account.no)
            .values(name=organisation.account.id)
        )
    return {"organisation_members": members, "organisation_invitations": invitations}
