"""Accounts as the administration sees them: found, suspended, given credit, given a role.

Search compares plain text in memory, within bounds: no pattern of a database is offered, so none
can be made slow. Credit given here is an adjustment: a reason, one pair in the ledger, an audit
row, and a second person above the setting's amount.
"""

import re
from typing import Final

from aiohttp import web
from sqlalchemy import Connection

from gateway.base.money import MoneyError, parse_usd
from gateway.platform.accounts import Account
from gateway.platform.accounts.accounts import Role
from gateway.platform.accounts.roles import ROLES
from gateway.platform.adjustments import Kind
from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.statement import Line, statement, with_balances
from gateway.web.console.admin.frame import PAGE_ROWS, account_of, allowed, number, who
from gateway.web.console.forms import read_form
from gateway.web.console.render import Pages
from gateway.web.guard import Guard, redirect

PAGE: Final = "/admin/users"
SOURCES: Final = ("adjustment", "promotion", "cash:manual")
TAKINGS: Final[tuple[Kind, ...]] = ("revoke", "forfeit")
MAX_SEARCH: Final = 100
_ADJUSTMENT = re.compile(r"adj_[0-9a-f]{28}")


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
            guard.post(PAGE + "/{id}/suspend", "accounts.suspend", self.suspend),
            guard.post(PAGE + "/{id}/activate", "accounts.suspend", self.activate),
            guard.post(PAGE + "/{id}/role", "accounts.role", self.give_role),
            guard.post(PAGE + "/{id}/sessions", "sessions.revoke", self.end_sessions),
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
            total=len(self._platform.accounts),
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
        return await self._page(request, account_of(self._platform, request.match_info["id"]))

    async def _page(
        self, request: web.Request, account: Account, refused: str = ""
    ) -> web.Response:
        platform, may = self._platform, allowed(request)
        balance_microusd = platform.ledger.balance(account.no)

        def read(connection: Connection) -> list[Line]:
            lines, _ = statement(connection, account.no, limit=20)
            return with_balances(lines, balance_microusd)

        return self._pages.render(
            request,
            "admin/user.html",
            status=422 if refused else 200,
            may=may,
            user=account,
            own=account is who(request),
            balance_microusd=balance_microusd,
            held_microusd=_held(platform, account),
            lines=await platform.database.read(read) if "credits.read" in may else [],
            keys=await platform.keys.listing(account, 50) if "keys.read" in may else [],
            now_us=platform.clock.now_us(),
            roles=ROLES,
            sources=SOURCES,
            once=platform.ids.make("adj"),
            once_back=platform.ids.make("adj"),
            alone_usd=platform.settings.accounts_four_eyes_usd,
            refused=refused,
        )

    async def suspend(self, request: web.Request) -> web.Response:
        """Refuse everything of an account from now on."""
        account = self._other(request)
        await self._platform.accounts.set_state(account, "suspended")
        await self._platform.organisations.follow(account)
        await self._platform.people.sessions.revoke_all(account)
        return redirect(f"{PAGE}/{account.id}")

    async def activate(self, request: web.Request) -> web.Response:
        """Take a suspension back."""
        account = self._other(request)
        await self._platform.accounts.set_state(account, "active")
        await self._platform.organisations.follow(account)
        return redirect(f"{PAGE}/{account.id}")

    async def give_role(self, request: web.Request) -> web.Response:
        """Another role; the account signs in anew."""
        account = self._other(request)
        wanted = (await read_form(request)).text("role")
        role: Role | None = next((each for each in ROLES if each == wanted), None)
        if role is None:
            raise web.HTTPUnprocessableEntity(text="There is no such role.")
        await self._platform.accounts.set_role(account, role)
        await self._platform.people.sessions.revoke_all(account)
        return redirect(f"{PAGE}/{account.id}")

    async def end_sessions(self, request: web.Request) -> web.Response:
        """Sign an account out everywhere."""
        account = account_of(self._platform, request.match_info["id"])
        await self._platform.people.sessions.revoke_all(account)
        return redirect(f"{PAGE}/{account.id}")

    async def give_credit(self, request: web.Request) -> web.Response:
        """Give credit, or ask for it; the same form sent twice gives once."""
        account = account_of(self._platform, request.match_info["id"])
        form = await read_form(request)
        once = form.text("once")
        try:
            if not _ADJUSTMENT.fullmatch(once):
                raise Refusal("the form is not from this page; open it again")
            if form.text("source") not in SOURCES:
                raise Refusal("there is no such source of credit")
            await self._platform.adjustments.request(
                who(request),
                account,
                parse_usd(form.text("usd")),
                form.text("source"),
                form.text("reason"),
                id=once,
            )
        except (Refusal, MoneyError) as refusal:
            return await self._page(request, account, str(refusal))
        return redirect(f"{PAGE}/{account.id}")

    async def take_back(self, request: web.Request) -> web.Response:
        """Take credit back, or ask for it; the same form sent twice takes once."""
        account = account_of(self._platform, request.match_info["id"])
        form = await read_form(request)
        kind: Kind | None = next((each for each in TAKINGS if each == form.text("kind")), None)
        try:
            if kind is None or not _ADJUSTMENT.fullmatch(form.text("once")):
                raise Refusal("the form is not from this page; open it again")
            await self._platform.adjustments.request(
                who(request),
                account,
                parse_usd(form.text("usd")),
                "",
                form.text("reason"),
                id=form.text("once"),
                kind=kind,
                corrects=form.text("corrects").strip()[:MAX_SEARCH] or None,
            )
        except (Refusal, MoneyError) as refusal:
            return await self._page(request, account, str(refusal))
        return redirect(f"{PAGE}/{account.id}")

    async def adjustments(self, request: web.Request) -> web.Response:
        """What waits for a second person."""
        return await self._adjustments(request)

    async def _adjustments(self, request: web.Request, refused: str = "") -> web.Response:
        return self._pages.render(
            request,
            "admin/adjustments.html",
            status=422 if refused else 200,
            may=allowed(request),
            waiting=await self._platform.adjustments.waiting(),
            own_id=who(request).id,
            emails={each.id: each.email for each in self._platform.accounts}
            if "accounts.read" in allowed(request)
            else {},
            refused=refused,
        )

    async def decide(self, request: web.Request) -> web.Response:
        """Agree or refuse, as somebody else than the one who asked."""
        form = await read_form(request)
        choice = form.text("choice")
        if choice not in ("approve", "refuse"):
            raise web.HTTPUnprocessableEntity(text="Approve or refuse.")
        try:
            await self._platform.adjustments.decide(
                who(request), request.match_info["id"], approve=choice == "approve"
            )
        except (Refusal, MoneyError) as refusal:
            return await self._adjustments(request, str(refusal))
        return redirect("/admin/adjustments")

    def _other(self, request: web.Request) -> Account:
        """Another account than one's own: nobody locks themselves out, or raises themselves."""
        account = account_of(self._platform, request.match_info["id"])
        if account is who(request):
            raise web.HTTPForbidden(text="Somebody else must do this to your account.")
        return account


def search(platform: Platform, sought: str, before: int | None, limit: int) -> list[Account]:
    """Accounts whose address or id holds a text, newest first, those numbered below `before`."""
    found: list[Account] = []
    for account in reversed(list(platform.accounts)):
        if before is not None and account.no >= before:
            continue
        if not sought or sought in account.email or sought in account.id:
            found.append(account)
            if len(found) == limit:
                break
    return found


def _held(platform: Platform, account: Account) -> int:
    wallet = platform.bank.wallets.get(account.no)
    return wallet.held_microusd if wallet is not None else 0
