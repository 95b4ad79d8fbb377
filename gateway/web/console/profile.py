"""The profile's page, and the page that a changed address confirms.

Every word is in the templates; a handler passes codes.
"""

from aiohttp import web

from gateway.platform.accounts import Account
from gateway.platform.accounts.profiles import LANGUAGES, LIMITS, Profile
from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.people import People
from gateway.platform.refusals import Problem, Refusal
from gateway.web.console.forms import read_form
from gateway.web.console.lifetimes import LIFETIMES
from gateway.web.console.public import keep
from gateway.web.console.render import Pages
from gateway.web.guard import ACCOUNT, PUBLIC, SESSION, Guard, profile_of, redirect, visit_of

PAGE = "/settings/profile"
SAVED = f"{PAGE}?saved=1"


class ProfilePages:
    """The handlers over the people's rooms."""

    def __init__(self, people: People, pages: Pages) -> None:
        self._people = people
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, OWN_READ, self.page),
            guard.post(PAGE, OWN_WRITE, self.change),
            guard.post("/settings/address", OWN_WRITE, self.ask_address),
            guard.get("/settings/address/{token}", PUBLIC, self.new_address),
            guard.post("/settings/address/{token}", PUBLIC, self.set_address),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """Everything somebody may say, as it was said."""
        return await self._page(request, profile_of(request))

    async def change(self, request: web.Request) -> web.Response:
        """Keep what was filled in."""
        account, form, before = _account(request), await read_form(request), profile_of(request)
        wanted = Profile(
            **{name: form.text(name) for name in LIMITS},
            notify_balance=form.ticked("notify_balance"),
            notify_news=before.notify_news,
        )
        try:
            await self._people.profiles.change(account, wanted)
        except Problem as problem:
            return await self._page(request, wanted, problem)
        response = redirect(SAVED)
        # What was chosen in this browser is the stronger; a language chosen now takes its place.
        if "locale" in request.cookies and before.language != wanted.language:
            if wanted.language:
                keep(request, response, "locale", wanted.language)
            else:
                response.del_cookie("locale", path="/")
        return response

    async def ask_address(self, request: web.Request) -> web.Response:
        """Send a letter to a new address. Raises HTTPForbidden."""
        account, session, form = _account(request), request[SESSION], await read_form(request)
        if session is None:
            raise web.HTTPForbidden
        visit = visit_of(request)
        try:
            await self._people.entrance.confirm_owner(session, form.text("password"), visit)
            await self._people.addresses.ask(account, form.text("email"), visit)
        except Problem as problem:
            return await self._page(request, profile_of(request), problem)
        return self._pages.render(
            request, "letter_sent.html", reason="address", lifetimes=LIFETIMES
        )

    async def new_address(self, request: web.Request) -> web.Response:
        """The button that uses a link up; says nothing of whether the link is good."""
        return self._pages.render(request, "new_address.html", problem=None)

    async def set_address(self, request: web.Request) -> web.Response:
        """Use the link up."""
        try:
            await self._people.addresses.confirm(
                request.match_info["token"], visit_of(request).locale
            )
        except Refusal:
            problem = Problem("link", "bad")
            return self._pages.render(request, "new_address.html", status=403, problem=problem)
        return redirect("/console")

    async def _page(
        self, request: web.Request, profile: Profile, problem: Problem | None = None
    ) -> web.Response:
        return self._pages.render(
            request,
            "profile.html",
            status=200 if problem is None else 422,
            profile=profile,
            limits=LIMITS,
            languages=LANGUAGES,
            has_password=await self._people.entrance.has_password(_account(request)),
            problem=problem,
            saved=problem is None and "saved" in request.query,
        )


def _account(request: web.Request) -> Account:
    account = request[ACCOUNT]
    if account is None:
        raise web.HTTPForbidden
    return account
