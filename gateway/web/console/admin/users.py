"""Accounts as the administration sees them: found, suspended, given credit, given a role.

Search compares plain text in memory, within bounds: no pattern of a database is offered, so none
can be made slow. An organisation's account is no user: its page is another.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from gateway.base.money import MoneyError
from gateway.platform.accounts import Account
from gateway.platform.accounts.accounts import Role
from gateway.platform.accounts.roles import ROLES
from gateway.platform.adjustments import Adjustment
from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.web.console.admin import credit
from gateway.web.console.admin.activity import activity_values
from gateway.web.console.admin.ages import age_values
from gateway.web.console.admin.frame import (
    PAGE_ROWS,
    account_of,
    allowed,
    holder,
    holders,
    number,
    other_of,
    person_of,
    who,
)
from gateway.web.console.forms import Form, read_form
from gateway.web.console.render import Pages
from gateway.web.console.sure import Fact, Matter, unsure
from gateway.web.guard import Guard, redirect
from gateway.web.spoken import spoken

PAGE: Final = "/admin/users"
MAX_SEARCH: Final = 100
Move = Callable[[Platform, Account, Account, Form], Awaitable[Adjustment]]


class UserPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, "accounts.read", self.listing),
            guard.post(PAGE, "accounts.create", self.create),
            guard.get(PAGE + "/{id}", "accounts.read", self.page),
            *guard.asked(PAGE + "/{id}/suspend", "accounts.suspend", self.suspend),
            guard.post(PAGE + "/{id}/activate", "accounts.suspend", self.activate),
            guard.post(PAGE + "/{id}/role", "accounts.role", self.give_role),
            *guard.asked(PAGE + "/{id}/sessions", "sessions.revoke", self.end_sessions),
            guard.post(PAGE + "/{id}/credit", "credits.request", self.give_credit),
            guard.post(PAGE + "/{id}/credit/back", "credits.request", self.take_back),
            guard.get("/admin/adjustments", "credits.read", self.adjustments),
            guard.post("/admin/adjustments/{id}", "credits.decide", self.decide),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        """Accounts, newest first, those whose address or id holds what is looked for."""
        return self._listing(request)

    def _listing(self, request: web.Request, refused: str = "") -> web.Response:
        sought = request.query.get("q", "").strip()[:MAX_SEARCH].lower()
        before = number(request, "before")
        found = search(self._platform, sought, before, PAGE_ROWS + 1)
        shown = found[:PAGE_ROWS]
        balance = self._platform.ledger.balance
        return self._pages.render(
            request,
            "admin/users.html",
            status=422 if refused else 200,
            may=allowed(request),
            sought=sought,
            rows=[(account, balance(account.no)) for account in shown],
            following=shown[-1].no if len(found) > PAGE_ROWS else None,
            total=len(self._platform.accounts) - len(self._platform.organisations),
            refused=refused,
        )

    async def create(self, request: web.Request) -> web.Response:
        """A new account, without a password: its owner asks for a letter."""
        form = await read_form(request)
        try:
            account = await self._platform.accounts.create(form.text("email"))
        except Refusal as refusal:
            return self._listing(request, str(refusal))
        return redirect(f"{PAGE}/{account.id}")

    async def page(self, request: web.Request) -> web.Response:
        """One account: its state, its balance and what moved it, its keys."""
        account = account_of(self._platform, request.match_info["id"])
        if not account.is_person:
            return redirect(holder(self._platform, account).href)
        return await self._page(request, account)

    async def _page(
        self, request: web.Request, account: Account, refused: str = ""
    ) -> web.Response:
        platform, may = self._platform, allowed(request)
        return self._pages.render(
            request,
            "admin/user.html",
            status=422 if refused else 200,
            may=may,
            user=account,
            own=account is who(request),
            tier=platform.tiers.tier_of(account),
            limits=platform.tiers.effective(account),
            organisations=platform.organisations.of(account),
            roles=ROLES,
            refused=refused,
            **await age_values(platform, account),
            **await activity_values(platform, request, account),
            **await credit.money_values(platform, account, request, shown="credits.read" in may),
        )

    async def suspend(self, request: web.Request) -> web.Response:
        """Refuse everything of an account from now on."""
        account = other_of(self._platform, request)
        first = await self._unsure(request, "account.suspend", account)
        if first is not None:
            return first
        try:
            await self._platform.accounts.set_state(account, "suspended")
        except Refusal as refusal:
            return await self._page(request, account, str(refusal))
        await self._platform.organisations.follow(account)
        await self._platform.people.sessions.revoke_all(account)
        return redirect(f"{PAGE}/{account.id}")

    async def activate(self, request: web.Request) -> web.Response:
        """Take a suspension back."""
        account = other_of(self._platform, request)
        try:
            await self._platform.accounts.set_state(account, "active")
        except Refusal as refusal:
            return await self._page(request, account, str(refusal))
        await self._platform.organisations.follow(account)
        return redirect(f"{PAGE}/{account.id}")

    async def give_role(self, request: web.Request) -> web.Response:
        """Another role; the account signs in anew."""
        account = other_of(self._platform, request)
        wanted = (await read_form(request)).text("role")
        role: Role | None = next((each for each in ROLES if each == wanted), None)
        if role is None:
            raise web.HTTPUnprocessableEntity(text=spoken("There is no such role."))
        about = Fact(spoken("Role"), role, ours=True)
        first = await self._unsure(request, "account.role", account, about, role=role)
        if first is not None:
            return first
        try:
            await self._platform.accounts.set_role(account, role)
        except Refusal as refusal:
            return await self._page(request, account, str(refusal))
        await self._platform.people.sessions.revoke_all(account)
        return redirect(f"{PAGE}/{account.id}")

    async def end_sessions(self, request: web.Request) -> web.Response:
        """Sign an account out everywhere."""
        account = person_of(self._platform, request)
        first = await self._unsure(request, "account.sessions", account)
        if first is not None:
            return first
        await self._platform.people.sessions.revoke_all(account)
        return redirect(f"{PAGE}/{account.id}")

    async def give_credit(self, request: web.Request) -> web.Response:
        """Give credit, or ask for it; the same form sent twice gives once."""
        return await self._moved(request, credit.give)

    async def take_back(self, request: web.Request) -> web.Response:
        """Take credit back, or ask for it; the same form sent twice takes once."""
        return await self._moved(request, credit.take_back)

    async def _moved(self, request: web.Request, move: Move) -> web.Response:
        account, form = person_of(self._platform, request), await read_form(request)
        try:
            if move is credit.take_back:
                taking = credit.read_taking(form)
                first = await self._unsure(
                    request, "credit.back", account, *taking.facts, **taking.carried
                )
                if first is not None:
                    return first
            made = await move(self._platform, who(request), account, form)
        except (Refusal, MoneyError) as refusal:
            return await self._page(request, account, str(refusal))
        return redirect(credit.after(f"{PAGE}/{account.id}", made))

    async def adjustments(self, request: web.Request) -> web.Response:
        """What waits for a second person."""
        return await self._adjustments(request)

    async def _adjustments(self, request: web.Request, refused: str = "") -> web.Response:
        may, waiting = allowed(request), await self._platform.adjustments.waiting()
        named = {wish.account.id for wish in waiting} | {wish.requested_by for wish in waiting}
        return self._pages.render(
            request,
            "admin/adjustments.html",
            status=422 if refused else 200,
            may=may,
            waiting=waiting,
            own_id=who(request).id,
            holders=holders(self._platform, named) if "accounts.read" in may else {},
            refused=refused,
        )

    async def decide(self, request: web.Request) -> web.Response:
        """Agree or refuse, as somebody else than the one who asked."""
        form = await read_form(request)
        choice = form.text("choice")
        if choice not in ("approve", "refuse"):
            raise web.HTTPUnprocessableEntity(text=spoken("Approve or refuse."))
        id = request.match_info["id"]
        first = await self._undecided(request, id, choice)
        if first is not None:
            return first
        try:
            await self._platform.adjustments.decide(who(request), id, approve=choice == "approve")
        except (Refusal, MoneyError) as refusal:
            return await self._adjustments(request, str(refusal))
        return redirect("/admin/adjustments")

    async def _undecided(self, request: web.Request, id: str, choice: str) -> web.Response | None:
        """The page that asks before a decision; None for what does not wait for this account."""
        wish = await self._platform.adjustments.waiting_one(id)
        if wish is None or wish.requested_by == who(request).id:
            return None
        taking = choice == "approve" and wish.kind != "grant"
        name = holder(self._platform, wish.account).name
        facts = credit.facts_of(wish.kind, wish.amount_microusd, wish.reason)
        matter = Matter(name, "/admin/adjustments", {"choice": choice}, facts)
        act = "adjustment.take" if taking else f"adjustment.{choice}"
        return await unsure(self._pages, request, act, matter)

    async def _unsure(
        self, request: web.Request, act: str, account: Account, *facts: Fact, **carried: str
    ) -> web.Response | None:
        matter = Matter(account.email, f"{PAGE}/{account.id}", carried, facts)
        return await unsure(self._pages, request, act, matter)


def search(platform: Platform, sought: str, before: int | None, limit: int) -> list[Account]:
    """People whose address or id holds a text, newest first, those numbered below `before`."""
    found: list[Account] = []
    for account in reversed(list(platform.accounts)):
        if not account.is_person or (before is not None and account.no >= before):
            continue
        if not sought or sought in account.email or sought in account.id:
            found.append(account)
            if len(found) == limit:
                break
    return found
