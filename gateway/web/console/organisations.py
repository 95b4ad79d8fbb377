"""Organisations: founded, joined and led; whose console is open.

Somebody who has no part in an organisation is told that there is none. What a part allows is
decided by the room; a handler passes codes, and every word is in the templates.
"""

from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from gateway.base.errors import TooManyAttempts
from gateway.base.money import MoneyError, parse_usd
from gateway.platform.accounts import Account
from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.assembly import Platform
from gateway.platform.organisations import PARTS, Invitation, Organisation, Part
from gateway.platform.organisations.parts import TABLE, check_part, check_reach, part_may
from gateway.platform.refusals import Problem, Refusal
from gateway.web.console.forms import Form, read_form
from gateway.web.console.lifetimes import LIFETIMES
from gateway.web.console.render import Pages
from gateway.web.console.signed_in import account_of
from gateway.web.console.sure import Fact, Matter, unsure
from gateway.web.guard import PUBLIC, SESSION, Guard, redirect, visit_of
from gateway.web.spoken import spoken

PAGE: Final = "/console/organisations"
ONE: Final = PAGE + "/{id}"
INVITATION: Final = "/console/invitations/{id}"


class OrganisationPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages
        self._room = platform.organisations
        self._invitations = platform.invitations

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, OWN_READ, self.listing),
            guard.post(PAGE, OWN_WRITE, self.found),
            guard.get(ONE, OWN_READ, self.page),
            guard.post(ONE, OWN_WRITE, self.rename),
            guard.post(ONE + "/invitations", OWN_WRITE, self.invite),
            *guard.asked(ONE + "/invitations/{invitation}/withdraw", OWN_WRITE, self.withdraw),
            guard.post(ONE + "/members/{member}", OWN_WRITE, self.change),
            *guard.asked(ONE + "/members/{member}/remove", OWN_WRITE, self.remove),
            *guard.asked(ONE + "/transfer", OWN_WRITE, self.transfer),
            *guard.asked(ONE + "/leave", OWN_WRITE, self.leave),
            guard.post("/console/desk", OWN_WRITE, self.sit_down),
            guard.post(INVITATION + "/accept", OWN_WRITE, self.accept),
            *guard.asked(INVITATION + "/decline", OWN_WRITE, self.decline),
            guard.get("/invitations/{token}", PUBLIC, self.invitation),
        ]

    # --- all of somebody's ----------------------------------------------------------------------

    async def listing(self, request: web.Request) -> web.Response:
        """The organisations somebody belongs to, and what they are invited to."""
        return await self._listing(request)

    async def found(self, request: web.Request) -> web.Response:
        """A new organisation, with whoever asks as its owner."""
        account, form = account_of(request), await read_form(request)
        try:
            made = await self._room.found(account, form.text("name"))
        except Refusal as refusal:
            return await self._listing(request, refusal)
        return redirect(f"{PAGE}/{made.id}")

    async def sit_down(self, request: web.Request) -> web.Response:
        """Open an organisation's console in this session, or one's own again."""
        account, session, form = account_of(request), request[SESSION], await read_form(request)
        chosen = form.text("organisation")
        organisation = self._one(account, chosen) if chosen else None
        if session is None:
            raise web.HTTPForbidden
        number = organisation.account.no if organisation is not None else None
        await self._platform.people.sessions.sit_down(session, number)
        self._platform.short_keys.end((session.id,))  # it spends the balance of the desk before
        return redirect("/console")

    # --- invitations as the invited see them ----------------------------------------------------

    async def invitation(self, request: web.Request) -> web.Response:
        """Where a letter leads; a button for the account that it was sent to."""
        try:
            found = await self._invitations.by_token(request.match_info["token"])
        except Refusal:
            found = None
        return self._pages.render(
            request,
            "organisations/join.html",
            status=200 if found is not None else 404,
            invitation=found,
            sign_up_open=self._platform.people.sign_up.policy.is_open,
        )

    async def accept(self, request: web.Request) -> web.Response:
        """Become a member."""
        try:
            joined = await self._invitations.accept(account_of(request), request.match_info["id"])
        except Refusal as refusal:
            return await self._listing(request, refusal)
        return redirect(f"{PAGE}/{joined.id}")

    async def decline(self, request: web.Request) -> web.Response:
        """Do not become one."""
        account, id = account_of(request), request.match_info["id"]
        found = _named(await self._invitations.to(account), id, request)
        if found is not None:
            matter = Matter(found.organisation.name, PAGE)
            first = await unsure(self._pages, request, "invitation.decline", matter)
            if first is not None:
                return first
        try:
            await self._invitations.decline(account, id)
        except Refusal as refusal:
            return await self._listing(request, refusal)
        return redirect(PAGE)

    # --- one organisation -----------------------------------------------------------------------

    async def page(self, request: web.Request) -> web.Response:
        """Its balance, its members and what each may spend, as far as one's part shows them."""
        return await self._page(request, self._asked(request))

    async def rename(self, request: web.Request) -> web.Response:
        """Another name."""
        organisation, form = self._asked(request), await read_form(request)
        renamed = self._room.rename(account_of(request), organisation, form.text("name"))
        return await self._tried(request, organisation, renamed)

    async def invite(self, request: web.Request) -> web.Response:
        """Send a letter."""
        organisation, form = self._asked(request), await read_form(request)
        try:
            await self._invitations.invite(
                account_of(request),
                organisation,
                form.text("email"),
                _part(form),
                _limit(form),
                visit_of(request),
            )
        except (Problem, Refusal) as wrong:
            return await self._page(request, organisation, wrong, form.text("email"))
        except TooManyAttempts as error:
            page = await self._page(request, organisation, Problem("form", "too_many"))
            page.set_status(error.status)
            page.headers["Retry-After"] = str(error.retry_after_s)
            return page
        return redirect(f"{PAGE}/{organisation.id}")

    async def withdraw(self, request: web.Request) -> web.Response:
        """Take an invitation back."""
        organisation, id = self._asked(request), request.match_info["invitation"]
        account = account_of(request)
        may = part_may(organisation.members[account.no].part, "members.invite")
        waiting = await self._invitations.waiting(organisation) if may else []
        found = _named(waiting, id, request)
        if found is not None:
            first = await self._unsure(request, "invitation.withdraw", organisation, found.email)
            if first is not None:
                return first
        withdrawn = self._invitations.withdraw(account, organisation, id)
        return await self._tried(request, organisation, withdrawn)

    async def change(self, request: web.Request) -> web.Response:
        """Another part or monthly limit for a member."""
        organisation, form = self._asked(request), await read_form(request)
        member = self._member(organisation, request.match_info["member"])
        try:
            part, limit = _part(form), _limit(form)
        except (Problem, Refusal) as wrong:
            return await self._page(request, organisation, wrong)
        changed = self._room.put(account_of(request), organisation, member, part, limit)
        return await self._tried(request, organisation, changed)

    async def remove(self, request: web.Request) -> web.Response:
        """Remove a member; their keys end."""
        account, organisation = account_of(request), self._asked(request)
        member = self._member(organisation, request.match_info["member"])
        try:
            check_reach(organisation.part_of(account), organisation.part_of(member), None)
        except Refusal as refusal:
            return await self._page(request, organisation, refusal)
        about = Fact(spoken("Organisation"), organisation.name)
        first = await self._unsure(request, "member.remove", organisation, member.email, about)
        if first is not None:
            return first
        removed = self._room.remove(account, organisation, member)
        return await self._tried(request, organisation, removed)

    async def transfer(self, request: web.Request) -> web.Response:
        """Hand the ownership over, after typing the name."""
        account, organisation = account_of(request), self._asked(request)
        try:
            check_part(organisation.part_of(account), "organisation.transfer")
        except Refusal as refusal:
            return await self._page(request, organisation, refusal)
        id = (await read_form(request)).text("member") or request.query.get("member", "")
        member = self._member(organisation, id)
        about = Fact(spoken("New owner"), member.email)
        first = await self._unsure(
            request, "organisation.transfer", organisation, organisation.name, about, member=id
        )
        if first is not None:
            return first
        handed = self._room.transfer(account, organisation, member)
        return await self._tried(request, organisation, handed)

    async def leave(self, request: web.Request) -> web.Response:
        """Leave; one's own keys in it end."""
        account, organisation = account_of(request), self._asked(request)
        first = await self._unsure(request, "organisation.leave", organisation, organisation.name)
        if first is not None:
            return first
        try:
            await self._room.remove(account, organisation, account)
        except Refusal as refusal:
            return await self._page(request, organisation, refusal)
        return redirect(PAGE)

    # --- what the handlers share ----------------------------------------------------------------

    def _one(self, account: Account, id: str) -> Organisation:
        """An organisation somebody belongs to. Raises HTTPNotFound."""
        for organisation in self._room.of(account):
            if organisation.id == id:
                return organisation
        raise web.HTTPNotFound

    def _asked(self, request: web.Request) -> Organisation:
        return self._one(account_of(request), request.match_info["id"])

    def _member(self, organisation: Organisation, id: str) -> Account:
        for member in organisation.members.values():
            if member.account.id == id:
                return member.account
        raise web.HTTPNotFound

    async def _unsure(
        self,
        request: web.Request,
        act: str,
        organisation: Organisation,
        name: str,
        *facts: Fact,
        **carried: str,
    ) -> web.Response | None:
        matter = Matter(name, f"{PAGE}/{organisation.id}", carried, facts)
        return await unsure(self._pages, request, act, matter)

    async def _tried(
        self, request: web.Request, organisation: Organisation, act: Awaitable[None]
    ) -> web.Response:
        try:
            await act
        except Refusal as refusal:
            return await self._page(request, organisation, refusal)
        return redirect(f"{PAGE}/{organisation.id}")

    async def _listing(self, request: web.Request, refusal: Refusal | None = None) -> web.Response:
        account, balance = account_of(request), self._platform.ledger.balance
        mine = self._room.of(account)
        return self._pages.render(
            request,
            "organisations/list.html",
            status=200 if refusal is None else 422,
            refused=str(refusal or ""),
            mine=mine,
            balances={each.id: balance(each.account.no) for each in mine},
            invitations=await self._invitations.to(account),
        )

    async def _page(
        self,
        request: web.Request,
        organisation: Organisation,
        wrong: Problem | Refusal | None = None,
        typed: str = "",
    ) -> web.Response:
        account = account_of(request)
        mine = organisation.members[account.no]
        may = TABLE[mine.part]
        invitations = []
        if "members.invite" in may:
            invitations = await self._invitations.waiting(organisation)
        return self._pages.render(
            request,
            "organisations/organisation.html",
            status=200 if wrong is None else 422,
            problem=wrong if isinstance(wrong, Problem) else None,
            refused=str(wrong) if isinstance(wrong, Refusal) else "",
            typed=typed,
            organisation=organisation,
            mine=mine,
            may=may,
            members=tuple(organisation.members.values()),
            parts=PARTS,
            balance_microusd=self._platform.ledger.balance(organisation.account.no),
            spent_by=await self._room.spent_this_month(organisation),
            invitations=invitations,
            invitation_days=LIFETIMES.invitation_days,
        )


def _named(found: list[Invitation], id: str, request: web.Request) -> Invitation | None:
    """The invitation of an id, or None. A page that asks is of one: raises HTTPNotFound."""
    for each in found:
        if each.id == id:
            return each
    if request.method != "POST":
        raise web.HTTPNotFound
    return None


def _part(form: Form) -> Part:
    found: Part | None = next((each for each in PARTS if each == form.text("part")), None)
    if found is None:
        raise Refusal("there is no such part in an organisation")
    return found


def _limit(form: Form) -> int | None:
    """The monthly limit that was typed. Raises Problem."""
    text = form.text("limit").strip()
    if not text:
        return None
    try:
        limit_microusd = parse_usd(text)
    except MoneyError:
        raise Problem("limit", "bad") from None
    if limit_microusd < 0:
        raise Problem("limit", "bad")
    return limit_microusd
