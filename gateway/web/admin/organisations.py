"""Administrative commands about organisations; another part of the table in `commands`.

An organisation is named by its public id. Its balance is given like anybody's, to the address that
these commands show.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gateway.base.money import format_usd, parse_usd
from gateway.platform.assembly import Platform
from gateway.platform.organisations import PARTS, Organisation, Part
from gateway.platform.refusals import Refusal
from gateway.web.admin.reports import Nothing, shown_time


class NewOrganisation(msgspec.Struct, forbid_unknown_fields=True):
    """The owner's address and a name."""

    email: str
    name: str


class OrganisationId(msgspec.Struct, forbid_unknown_fields=True):
    """Which organisation."""

    id: str


class MemberOf(msgspec.Struct, forbid_unknown_fields=True):
    """A member of an organisation by address."""

    id: str
    email: str


class NewMember(msgspec.Struct, forbid_unknown_fields=True):
    """An account to make a member or to change; without `monthly_usd` it has no limit."""

    id: str
    email: str
    part: str = "member"
    monthly_usd: str | None = None


def _shown(platform: Platform, organisation: Organisation) -> dict[str, Any]:
    owners = [m.account.email for m in organisation.members.values() if m.part == "owner"]
    return {
        "id": organisation.id,
        "name": organisation.name,
        "email": organisation.account.email,
        "state": organisation.account.state,
        "owners": ", ".join(owners),
        "members": len(organisation.members),
        "balance_usd": format_usd(platform.ledger.balance(organisation.account.no)),
        "created": shown_time(organisation.created_us),
    }


async def organisations_list(platform: Platform, _: Nothing) -> Any:
    """Every organisation with its balance."""
    return [_shown(platform, each) for each in platform.organisations]


async def organisations_create(platform: Platform, p: NewOrganisation) -> Any:
    """Found an organisation for an account, which becomes its owner."""
    owner = platform.accounts.named(p.email)
    return _shown(platform, await platform.organisations.found(owner, p.name))


async def organisations_members(platform: Platform, p: OrganisationId) -> Any:
    """Members, what each spent this month and may spend."""
    organisation = platform.organisations.named(p.id)
    spent = await platform.organisations.spent_this_month(organisation)
    return [
        {
            "email": member.account.email,
            "part": member.part,
            "spent_usd": format_usd(spent.get(member.account.no, 0)),
            "monthly_usd": None
            if member.monthly_limit_microusd is None
            else format_usd(member.monthly_limit_microusd),
            "joined": shown_time(member.joined_us),
        }
        for member in organisation.members.values()
    ]


async def organisations_put(platform: Platform, p: NewMember) -> Any:
    """Make an account a member, or change one."""
    organisation, account = platform.organisations.named(p.id), platform.accounts.named(p.email)
    part: Part | None = next((each for each in PARTS if each == p.part), None)
    if part is None:
        raise Refusal(f"a part is one of {', '.join(PARTS)}, not {p.part[:40]!r}")
    limit = None if p.monthly_usd is None else parse_usd(p.monthly_usd)
    await platform.organisations.put(None, organisation, account, part, limit)
    return {"id": organisation.id, "email": account.email, "part": part}


async def organisations_remove(platform: Platform, p: MemberOf) -> Any:
    """Remove a member and revoke their keys in the organisation."""
    organisation, account = platform.organisations.named(p.id), platform.accounts.named(p.email)
    await platform.organisations.remove(None, organisation, account)
    return {"id": organisation.id, "email": account.email}


ORGANISATION_COMMANDS: dict[
    str, tuple[type[msgspec.Struct], Callable[[Platform, Any], Awaitable[Any]]]
] = {
    "organisations.list": (Nothing, organisations_list),
    "organisations.create": (NewOrganisation, organisations_create),
    "organisations.members": (OrganisationId, organisations_members),
    "organisations.put": (NewMember, organisations_put),
    "organisations.remove": (MemberOf, organisations_remove),
}
