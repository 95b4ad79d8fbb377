"""Ages and forgetting, on the page of a user: consent, proof of age, the purge of a minor's data.

Who a guardian is, is shown to those who may act on it. A purge is asked first, by typing the
address that it deletes.
"""

from typing import Any, Final

from aiohttp import web

from gateway.base.money import format_usd
from gateway.platform.accounts import Account
from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.web.console.admin.frame import (
    day_us,
    holders,
    other_of,
    person_of,
    who,
)
from gateway.web.console.forms import read_form
from gateway.web.console.render import Pages
from gateway.web.console.sure import Fact, Matter, unsure
from gateway.web.guard import Guard, redirect
from gateway.web.spoken import spoken

USERS: Final = "/admin/users"
AGE, ERASE = "accounts.age", "accounts.erase"
GROUND: Final = "minor"


class AgeAdminPages:
    """The handlers over one platform; a form that is refused comes back on a page of its own."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(USERS + "/{id}/age", AGE, self.page),
            guard.post(USERS + "/{id}/age", AGE, self.ask),
            guard.post(USERS + "/{id}/age/lift", AGE, self.lift),
            *guard.asked(USERS + "/{id}/purge", ERASE, self.purge),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """What is known of an account's age, and the forms to act on it."""
        return await self._page(request, person_of(self._platform, request))

    async def ask(self, request: web.Request) -> web.Response:
        """Ask for a proof of age until a day."""
        account, form = other_of(self._platform, request), await read_form(request)
        try:
            due_us = day_us(form.text("due"))
            if due_us is None:
                raise Refusal("a date is written YEAR-MONTH-DAY")
            await self._platform.people.proofs.request(
                who(request), account, form.text("reason"), due_us
            )
        except Refusal as refusal:
            return await self._page(request, account, str(refusal))
        await self._platform.organisations.follow(account)
        return redirect(f"{USERS}/{account.id}/age")

    async def lift(self, request: web.Request) -> web.Response:
        """Nothing is owed any more."""
        account, form = other_of(self._platform, request), await read_form(request)
        try:
            await self._platform.people.proofs.lift(who(request), account, form.text("given"))
        except Refusal as refusal:
            return await self._page(request, account, str(refusal))
        await self._platform.organisations.follow(account)
        return redirect(f"{USERS}/{account.id}/age")

    async def purge(self, request: web.Request) -> web.Response:
        """Forget a minor, after the address was typed."""
        account, erasure = other_of(self._platform, request), self._platform.erasure
        back = f"{USERS}/{account.id}"
        try:
            parting = erasure.check(who(request), account)
            closed = [each.name for each in parting.closed]
            facts = [
                Fact(
                    spoken("Purchased credit that stays owed"),
                    f"${format_usd(self._owed(account))}",
                )
            ]
            if closed:
                facts.append(Fact(spoken("Organisations that are closed, too"), ", ".join(closed)))
            matter = Matter(account.email, back, facts=tuple(facts))
            first = await unsure(self._pages, request, "account.purge", matter)
            if first is not None:
                return first
            await erasure.purge(who(request), account, GROUND)
        except Refusal as refusal:
            return await self._page(request, account, str(refusal))
        return redirect(back)

    def _owed(self, account: Account) -> int:
        return self._platform.erasure.owed(account)

    async def _page(
        self, request: web.Request, account: Account, refused: str = ""
    ) -> web.Response:
        proofs = await self._platform.people.proofs.listing(account)
        ids = {each.requested_by for each in proofs}
        ids |= {each.lifted_by for each in proofs if each.lifted_by}
        return self._pages.render(
            request,
            "admin/age.html",
            status=422 if refused else 200,
            user=account,
            own=account is who(request),
            proofs=proofs,
            people=holders(self._platform, ids),
            consent=await self._platform.people.guardians.of(account),
            attested=await self._platform.people.sign_up.age_of(account),
            now_us=self._platform.clock.now_us(),
            refused=refused,
        )


async def age_values(platform: Platform, account: Account) -> dict[str, Any]:
    """What the page of a user says in short."""
    return {
        "consent": await platform.people.guardians.of(account),
        "proof": await platform.people.proofs.open_of(account),
        "owed_microusd": platform.erasure.owed(account) if account.state == "closed" else 0,
    }
