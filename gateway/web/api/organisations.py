"""Operations on organisations: found, invite, join, lead, leave.

An organisation that the caller has no part in is not found. What a part may do is decided by the
room; a plain member is told of themselves alone.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from gateway.base.errors import InvalidRequest, NotFound, PermissionDenied
from gateway.base.money import MoneyError, parse_usd
from gateway.platform.accounts import Account
from gateway.platform.accounts.guesses import Visit
from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.organisations import Invitation, Member, Organisation, Part, part_may
from gateway.platform.refusals import Refusal
from gateway.web.api.door import Call, Operation
from gateway.web.api.shapes import Money, moment, money, written

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
_Usd = Annotated[
    str, msgspec.Meta(max_length=20, description="Dollars a month as exact decimal text.")
]


class OrganisationAnswer(msgspec.Struct):
    """An organisation as its members know it. `part` is the caller's."""

    id: str
    name: str
    part: Part
    balance: Money
    created: str


class OrganisationList(msgspec.Struct):
    """The organisations the caller belongs to, by name."""

    organisations: list[OrganisationAnswer]


class MemberAnswer(msgspec.Struct):
    """A member, what their keys spent this month (UTC), and how much they may; null: no limit."""

    account_id: str
    email: str
    part: Part
    joined: str
    spent_this_month: Money
    monthly_limit: Money | None


class MemberList(msgspec.Struct):
    """Members in the order they joined; to a plain member, the caller alone."""

    members: list[MemberAnswer]


class InvitationAnswer(msgspec.Struct):
    """An invitation that waits. The link itself stands in the letter alone."""

    id: str
    organisation_id: str
    organisation: str
    email: str
    part: Part
    invited_by: str
    monthly_limit: Money | None
    expires: str | None


class InvitationList(msgspec.Struct):
    """Invitations that wait, newest first."""

    invitations: list[InvitationAnswer]


class NewOrganisation(msgspec.Struct, forbid_unknown_fields=True):
    """An organisation to found."""

    name: _Name


class NewInvitation(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to invite, as what, and how much they may spend a month; null: as much as there is."""

    email: _Email
    part: Part = "member"
    monthly_limit_usd: _Usd | None = None


class MemberChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a member; what is left out stays, a null limit lifts it."""

    part: Part | UnsetType = UNSET
    monthly_limit_usd: _Usd | UnsetType | None = UNSET


class Transfer(msgspec.Struct, forbid_unknown_fields=True):
    """The member who becomes the owner, and the organisation's name, to confirm."""

    account_id: Annotated[str, msgspec.Meta(max_length=64)]
    name: _Name


async def list_organisations(call: Call) -> OrganisationList:
    """Where the caller belongs."""
    found = call.platform.organisations.of(call.account)
    return OrganisationList([_answer(call, each) for each in found])


async def found_organisation(call: Call) -> OrganisationAnswer:
    """Found one. Raises Refusal."""
    return _answer(call, await call.platform.organisations.found(call.account, call.body.name))


async def read_organisation(call: Call) -> OrganisationAnswer:
    """One organisation. Raises NotFound."""
    return _answer(call, asked(call))


async def rename_organisation(call: Call) -> OrganisationAnswer:
    """Another name. Raises NotFound, PermissionDenied, Refusal."""
    organisation = asked(call)
    _allowed(call, organisation, "organisation.rename")
    await call.platform.organisations.rename(call.account, organisation, call.body.name)
    return _answer(call, organisation)


async def list_members(call: Call) -> MemberList:
    """Who belongs to it. Raises NotFound."""
    organisation = asked(call)
    mine = organisation.members[call.account.no]
    every = part_may(mine.part, "members.read")
    spent = await call.platform.organisations.spent_this_month(organisation)
    shown = organisation.members.values() if every else (mine,)
    return MemberList([_member(each, spent) for each in shown])


async def change_member(call: Call) -> MemberAnswer:
    """Another part or limit. Raises NotFound, PermissionDenied, Refusal."""
    organisation = asked(call)
    _allowed(call, organisation, "members.limit")
    member, wanted = _named(organisation, call.path["member"]), call.body
    limit = member.monthly_limit_microusd
    if wanted.monthly_limit_usd is not UNSET:
        limit = _microusd(wanted.monthly_limit_usd)
    part = member.part if wanted.part is UNSET else wanted.part
    room = call.platform.organisations
    await room.put(call.account, organisation, member.account, part, limit)
    changed = organisation.members[member.account.no]
    return _member(changed, await room.spent_this_month(organisation))


async def remove_member(call: Call) -> None:
    """Remove a member, or leave. Raises NotFound, PermissionDenied, Refusal."""
    organisation = asked(call)
    if call.path["member"] != call.account.id:
        _allowed(call, organisation, "members.remove")
    member = _named(organisation, call.path["member"])
    await call.platform.organisations.remove(call.account, organisation, member.account)


async def transfer_organisation(call: Call) -> OrganisationAnswer:
    """Hand the ownership over. Raises NotFound, PermissionDenied, Refusal."""
    organisation, wanted = asked(call), call.body
    _allowed(call, organisation, "organisation.transfer")
    if wanted.name != organisation.name:
        raise InvalidRequest("The name is not the organisation's.", param="name")
    heir = _named(organisation, wanted.account_id).account
    await call.platform.organisations.transfer(call.account, organisation, heir)
    return _answer(call, organisation)


async def list_invitations(call: Call) -> InvitationList:
    """Those an organisation gave. Raises NotFound, PermissionDenied."""
    organisation = asked(call)
    _allowed(call, organisation, "members.invite")
    found = await call.platform.invitations.waiting(organisation)
    return InvitationList([_invitation(each) for each in found])


async def invite(call: Call) -> InvitationAnswer:
    """Send a letter. Raises NotFound, PermissionDenied, Problem, Refusal, TooManyAttempts."""
    organisation, wanted = asked(call), call.body
    _allowed(call, organisation, "members.invite")
    made = await call.platform.invitations.invite(
        call.account,
        organisation,
        wanted.email,
        wanted.part,
        _microusd(wanted.monthly_limit_usd),
        Visit(locale=(await call.platform.people.profiles.of(call.account)).language or "en"),
    )
    return _invitation(made)


async def withdraw_invitation(call: Call) -> None:
    """Take an invitation back. Raises NotFound, PermissionDenied."""
    organisation = asked(call)
    _allowed(call, organisation, "members.invite")
    id = call.path["invitation"]
    try:
        await call.platform.invitations.withdraw(call.account, organisation, id)
    except Refusal:
        raise NotFound() from None


async def list_own_invitations(call: Call) -> InvitationList:
    """Those to the caller's address."""
    found = await call.platform.invitations.to(call.account)
    return InvitationList([_invitation(each) for each in found])


async def accept_invitation(call: Call) -> OrganisationAnswer:
    """Become a member. Raises NotFound for one that is over or to another address."""
    try:
        joined = await call.platform.invitations.accept(call.account, call.path["id"])
    except Refusal:
        raise NotFound() from None
    return _answer(call, joined)


async def decline_invitation(call: Call) -> None:
    """Do not become one. Raises NotFound."""
    try:
        await call.platform.invitations.decline(call.account, call.path["id"])
    except Refusal:
        raise NotFound() from None


def asked(call: Call) -> Organisation:
    """The organisation of the path, to somebody who has a part in it. Raises NotFound."""
    for organisation in call.platform.organisations.of(call.account):
        if organisation.id == call.path["id"]:
            return organisation
    raise NotFound()


def _named(organisation: Organisation, id: str) -> Member:
    for member in organisation.members.values():
        if member.account.id == id:
            return member
    raise NotFound()


def _allowed(call: Call, organisation: Organisation, action: str) -> None:
    part = organisation.part_of(call.account)
    if part is None or not part_may(part, action):
        raise PermissionDenied("Your part in the organisation does not allow this.")


def _microusd(usd: str | None) -> int | None:
    """A limit in microusd. Raises InvalidRequest."""
    if usd is None:
        return None
    try:
        amount_microusd = parse_usd(usd)
    except MoneyError as error:
        raise InvalidRequest(str(error), param="monthly_limit_usd") from None
    if amount_microusd < 0:
        raise InvalidRequest("A limit is zero or more.", param="monthly_limit_usd")
    return amount_microusd


def _answer(call: Call, organisation: Organisation) -> OrganisationAnswer:
    part: Any = organisation.part_of(call.account)
    account: Account = organisation.account
    balance = money(call.platform.ledger.balance(account.no))
    created = written(organisation.created_us)
    return OrganisationAnswer(organisation.id, organisation.name, part, balance, created)


def _member(member: Member, spent: dict[int, int]) -> MemberAnswer:
    limit = member.monthly_limit_microusd
    return MemberAnswer(
        member.account.id,
        member.account.email,
        member.part,
        written(member.joined_us),
        money(spent.get(member.account.no, 0)),
        None if limit is None else money(limit),
    )


def _invitation(each: Invitation) -> InvitationAnswer:
    limit = each.monthly_limit_microusd
    return InvitationAnswer(
        each.id,
        each.organisation.id,
        each.organisation.name,
        each.email,
        each.part,
        each.invited_by.email,
        None if limit is None else money(limit),
        moment(each.expires_us),
    )


_ONE = "/organisations/{id}"
_MEMBER = _ONE + "/members/{member}"

OPERATIONS = (
    Operation(
        *("listOrganisations", "GET", "/organisations", OWN_READ),
        *("The organisations you belong to", list_organisations, OrganisationList),
    ),
    Operation(
        *("foundOrganisation", "POST", "/organisations", OWN_WRITE),
        *("Found an organisation", found_organisation, OrganisationAnswer),
        body=NewOrganisation,
        status=201,
    ),
    Operation(
        *("getOrganisation", "GET", _ONE, OWN_READ),
        *("One organisation", read_organisation, OrganisationAnswer),
    ),
    Operation(
        *("renameOrganisation", "PATCH", _ONE, OWN_WRITE),
        *("Rename an organisation", rename_organisation, OrganisationAnswer),
        body=NewOrganisation,
    ),
    Operation(
        *("listMembers", "GET", _ONE + "/members", OWN_READ),
        *("Members, what they spent this month and may spend", list_members, MemberList),
    ),
    Operation(
        *("changeMember", "PATCH", _MEMBER, OWN_WRITE),
        *("Change a member's part or monthly limit", change_member, MemberAnswer),
        body=MemberChange,
    ),
    Operation(
        *("removeMember", "DELETE", _MEMBER, OWN_WRITE),
        *("Remove a member, or leave", remove_member, None),
    ),
    Operation(
        *("transferOrganisation", "POST", _ONE + "/transfer", OWN_WRITE),
        *("Hand the ownership over", transfer_organisation, OrganisationAnswer),
        body=Transfer,
    ),
    Operation(
        *("listInvitations", "GET", _ONE + "/invitations", OWN_READ),
        *("Invitations that wait", list_invitations, InvitationList),
    ),
    Operation(
        *("invite", "POST", _ONE + "/invitations", OWN_WRITE),
        *("Invite somebody by mail", invite, InvitationAnswer),
        body=NewInvitation,
        status=201,
    ),
    Operation(
        *("withdrawInvitation", "DELETE", _ONE + "/invitations/{invitation}", OWN_WRITE),
        *("Take an invitation back", withdraw_invitation, None),
    ),
    Operation(
        *("listOwnInvitations", "GET", "/invitations", OWN_READ),
        *("Invitations to you", list_own_invitations, InvitationList),
    ),
    Operation(
        *("acceptInvitation", "POST", "/invitations/{id}/accept", OWN_WRITE),
        *("Join the organisation that invites you", accept_invitation, OrganisationAnswer),
    ),
    Operation(
        *("declineInvitation", "DELETE", "/invitations/{id}", OWN_WRITE),
        *("Decline an invitation", decline_invitation, None),
    ),
)
