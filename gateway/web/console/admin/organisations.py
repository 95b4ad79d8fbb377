"""Organisations as the administration sees them: found, founded, led, suspended, given credit.

A role of the whole place decides who may, and no part in the organisation: the same as the
command line. Search compares plain text in memory, within bounds.
"""

from collections.abc import Awaitable, Iterable
from typing import Final

from aiohttp import web

from gateway.base.money import MoneyError, parse_usd
from gateway.platform.accounts import Account
from gateway.platform.assembly import Platform
from gateway.platform.organisations import PARTS, Organisation, Part
from gateway.platform.refusals import Refusal
from gateway.web.console.admin import credit
from gateway.web.console.admin.activity import activity_values
from gateway.web.console.admin.frame import PAGE_ROWS, allowed, number, who
from gateway.web.console.admin.users import MAX_SEARCH, Move
from gateway.web.console.forms import Form, read_form
from gateway.web.console.render import Pages
from gateway.web.console.sure import Fact, Matter, unsure
from gateway.web.guard import Guard, redirect
from gateway.web.spoken import spoken

PAGE: Final = "/admin/organisations"
ONE: Final = PAGE + "/{id}"


class OrganisationAdminPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages
        self._room = platform.organisations

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, "accounts.read", self.listing),
            guard.post(PAGE, "organisations.write", self.found),
            guard.get(ONE, "accounts.read", self.page),
            guard.post(ONE, "organisations.write", self.rename),
            *guard.asked(ONE + "/suspend", "accounts.suspend", self.suspend),
            guard.post(ONE + "/activate", "accounts.suspend", self.activate),
            guard.post(ONE + "/credit", "credits.request", self.give_credit),
            guard.post(ONE + "/credit/back", "credits.request", self.take_back),
            guard.post(ONE + "/members", "organisations.write", self.put),
            *guard.asked(ONE + "/members/{member}/remove", "organisations.write", self.remove),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        """Organisations, newest first, whose name, id or members' addresses hold a text."""
        return self._listing(request)

    async def found(self, request: web.Request) -> web.Response:
        """A new organisation with an account as its owner."""
        form = await read_form(request)
        try:
            owner = self._platform.accounts.named(form.text("owner"))
            made = await self._room.found(owner, form.text("name"))
        except Refusal as refusal:
            return self._listing(request, str(refusal))
        return redirect(f"{PAGE}/{made.id}")

    async def page(self, request: web.Request) -> web.Response:
        """One organisation: its balance and what moved it, members, limits, keys, state."""
        return await self._page(request, self._asked(request))

    async def rename(self, request: web.Request) -> web.Response:
        """Another name."""
        organisation, form = self._asked(request), await read_form(request)
        by = who(request)
        renamed = self._room.rename(by, organisation, form.text("name"), staff=True)
        return await self._tried(request, organisation, renamed)

    async def suspend(self, request: web.Request) -> web.Response:
        """Refuse every request with its keys from now on."""
        organisation = self._asked(request)
        first = await self._unsure(request, "organisation.suspend", organisation, organisation.name)
        if first is not None:
            return first
        changed = self._platform.accounts.set_state(organisation.account, "suspended")
        return await self._tried(request, organisation, changed)

    async def activate(self, request: web.Request) -> web.Response:
        """Take a suspension back."""
        organisation = self._asked(request)
        changed = self._platform.accounts.set_state(organisation.account, "active")
        return await self._tried(request, organisation, changed)

    async def give_credit(self, request: web.Request) -> web.Response:
        """Give credit to the shared balance, or ask for it."""
        return await self._moved(request, credit.give)

    async def take_back(self, request: web.Request) -> web.Response:
        """Take credit back from the shared balance, or ask for it."""
        return await self._moved(request, credit.take_back)

    async def put(self, request: web.Request) -> web.Response:
        """Make an account a member, or change a member's part and limit."""
        organisation, form = self._asked(request), await read_form(request)
        try:
            member = self._platform.accounts.named(form.text("email"))
            part, limit = _part(form), _limit_microusd(form)
        except (Refusal, MoneyError) as refusal:
            return await self._page(request, organisation, str(refusal))
        made = self._room.put(who(request), organisation, member, part, limit, staff=True)
        return await self._tried(request, organisation, made)

    async def remove(self, request: web.Request) -> web.Response:
        """Remove a member; their keys in it end."""
        organisation = self._asked(request)
        for member in organisation.members.values():
            if member.account.id == request.match_info["member"]:
                about = Fact(spoken("Organisation"), organisation.name)
                first = await self._unsure(
                    request, "member.remove", organisation, member.account.email, about
                )
                if first is not None:
                    return first
                gone = self._room.remove(who(request), organisation, member.account, staff=True)
                return await self._tried(request, organisation, gone)
        raise web.HTTPNotFound

    # --- what the handlers share ----------------------------------------------------------------

    def _asked(self, request: web.Request) -> Organisation:
        try:
            return self._room.named(request.match_info["id"])
        except Refusal:
            raise web.HTTPNotFound from None

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
            return await self._page(request, organisation, str(refusal))
        return redirect(f"{PAGE}/{organisation.id}")

    async def _moved(self, request: web.Request, move: Move) -> web.Response:
        organisation, form = self._asked(request), await read_form(request)
        try:
            if move is credit.take_back:
                taking, name = credit.read_taking(form), organisation.name
                first = await self._unsure(
                    request, "credit.back", organisation, name, *taking.facts, **taking.carried
                )
                if first is not None:
                    return first
            made = await move(self._platform, who(request), organisation.account, form)
        except (Refusal, MoneyError) as refusal:
            return await self._page(request, organisation, str(refusal))
        return redirect(credit.after(f"{PAGE}/{organisation.id}", made))

    def _listing(self, request: web.Request, refused: str = "") -> web.Response:
        sought = request.query.get("q", "").strip()[:MAX_SEARCH].casefold()
        before = number(request, "before")
        found = search(self._room, sought, before, PAGE_ROWS + 1)
        shown, balance = found[:PAGE_ROWS], self._platform.ledger.balance
        return self._pages.render(
            request,
            "admin/organisations.html",
            status=422 if refused else 200,
            may=allowed(request),
            sought=sought,
            rows=[(each, owners_of(each), balance(each.account.no)) for each in shown],
            following=shown[-1].account.no if len(found) > PAGE_ROWS else None,
            total=len(self._room),
            refused=refused,
        )

    async def _page(
        self, request: web.Request, organisation: Organisation, refused: str = ""
    ) -> web.Response:
        platform, may = self._platform, allowed(request)
        account = organisation.account
        activity = await activity_values(platform, request, account)
        by_no, issued_to = platform.accounts.by_no, organisation.keys
        return self._pages.render(
            request,
            "admin/organisation.html",
            status=422 if refused else 200,
            may=may,
            organisation=organisation,
            members=tuple(organisation.members.values()),
            owners=owners_of(organisation),
            parts=PARTS,
            spent_by=await self._room.spent_this_month(organisation),
            issued_to={
                key.no: by_no(issued_to[key.no]).email
                for key in activity["keys"]
                if key.no in issued_to
            },
            tier=platform.tiers.tier_of(account),
            limits=platform.tiers.effective(account),
            refused=refused,
            **activity,
            **await credit.money_values(platform, account, request, shown="credits.read" in may),
        )


def search(
    organisations: Iterable[Organisation], sought: str, before: int | None, limit: int
) -> list[Organisation]:
    """Those whose name, id or members' addresses hold a text, newest first, below `before`."""
    found: list[Organisation] = []
    for each in sorted(organisations, key=lambda one: -one.account.no):
        if before is not None and each.account.no >= before:
            continue
        if not sought or _holds(each, sought):
            found.append(each)
            if len(found) == limit:
                break
    return found


def owners_of(organisation: Organisation) -> list[Account]:
    """Who owns it, in the order they joined."""
    return [each.account for each in organisation.members.values() if each.part == "owner"]


def _holds(organisation: Organisation, sought: str) -> bool:
    if sought in organisation.name.casefold() or sought in organisation.id:
        return True
    return any(sought in each.account.email for each in organisation.members.values())


def _part(form: Form) -> Part:
    found: Part | None = next((each for each in PARTS if each == form.text("part")), None)
    if found is None:
        raise Refusal("there is no such part in an organisation")
    return found


def _limit_microusd(form: Form) -> int | None:
    """The monthly limit that was typed; None for none. Raises MoneyError."""
    text = form.text("limit").strip()
    return parse_usd(text) if text else None
