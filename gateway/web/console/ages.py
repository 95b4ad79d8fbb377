"""Ages in the console: what a sign-up's form says, a guardian's link, and why nothing is spent.

A guardian needs no account: the link of the letter is the right. A GET never changes anything.
"""

from typing import Final

from aiohttp import web

from gateway.base.errors import TooManyAttempts
from gateway.platform.accounts.ages import Said
from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.web.console.forms import Form, read_form
from gateway.web.console.render import Pages
from gateway.web.console.signed_in import account_of
from gateway.web.guard import PUBLIC, Guard, redirect, visit_of
from gateway.web.spoken import spoken

PAGE: Final = "/console/age"
LINK: Final = "/guardian/{token}"


def said_of(form: Form) -> Said:
    """What somebody says of their age."""
    return Said(
        form.text("born"),
        form.text("age"),
        form.ticked("guardian"),
        form.text("guardian_name"),
        form.text("guardian_email"),
    )


class AgePages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._people = platform.people
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(LINK, PUBLIC, self.guardian),
            guard.post(LINK, PUBLIC, self.decide),
            guard.get(PAGE, OWN_READ, self.page),
            guard.post(PAGE + "/letter", OWN_WRITE, self.write_again),
        ]

    async def guardian(self, request: web.Request) -> web.Response:
        """Where a guardian's letter leads: who asks, and what is consented to."""
        try:
            found = await self._people.guardians.by_token(request.match_info["token"])
        except Refusal:
            found = None
        return self._pages.render(
            request, "guardian.html", status=200 if found else 404, consent=found, decided=""
        )

    async def decide(self, request: web.Request) -> web.Response:
        """Consent, refuse, or take the consent back; the link is used up."""
        choice = (await read_form(request)).text("choice")
        acts = {
            "confirm": self._people.guardians.confirm,
            "withdraw": self._people.guardians.withdraw,
        }
        if choice not in acts:
            raise web.HTTPUnprocessableEntity(text=spoken("Consent or refuse."))
        try:
            consent = await acts[choice](request.match_info["token"])
        except Refusal:
            return self._pages.render(
                request, "guardian.html", status=403, consent=None, decided=""
            )
        await self._platform.organisations.follow(consent.account)
        return self._pages.render(request, "guardian.html", consent=consent, decided=choice)

    async def page(self, request: web.Request) -> web.Response:
        """Why nothing can be spent, and what to do about it."""
        return await self._page(request)

    async def write_again(self, request: web.Request) -> web.Response:
        """Another letter to the guardian."""
        try:
            await self._people.guardians.write_again(account_of(request), visit_of(request))
        except Refusal as refusal:
            return await self._page(request, str(refusal), 422)
        except TooManyAttempts as error:
            page = await self._page(request, status=error.status, too_many=True)
            page.headers["Retry-After"] = str(error.retry_after_s)
            return page
        return redirect(f"{PAGE}?sent=1")

    async def _page(
        self, request: web.Request, refused: str = "", status: int = 200, *, too_many: bool = False
    ) -> web.Response:
        account, people = account_of(request), self._people
        return self._pages.render(
            request,
            "console/age.html",
            status=status,
            proof=await people.proofs.open_of(account),
            consent=await people.guardians.of(account),
            refused=refused,
            too_many=too_many,
            sent="sent" in request.query,
        )
