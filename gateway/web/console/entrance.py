"""The entrance's pages: signing up, in and out, resetting a password, one-time links.

A GET never changes anything: a link is used up by the POST of its page's button, so that a scanner
which follows links in mail does no harm. Every word is in the templates; a handler passes codes.
"""

from collections.abc import Collection

from aiohttp import web

from gateway.base.errors import TooManyAttempts
from gateway.platform.accounts.entrance import Entry
from gateway.platform.accounts.sign_in import SignInLinks
from gateway.platform.accounts.sign_up import Wish
from gateway.platform.people import People
from gateway.platform.refusals import Problem, Refusal
from gateway.web.console.ages import said_of
from gateway.web.console.forms import read_form
from gateway.web.console.lifetimes import DAY_US, LIFETIMES
from gateway.web.console.render import Pages
from gateway.web.guard import (
    ACCOUNT,
    COOKIE,
    PUBLIC,
    Guard,
    redirect,
    visit_of,
    with_token,
)
from gateway.web.oauth import Provider

HOME = "/console"


class EntrancePages:
    """The handlers over the people's rooms."""

    def __init__(
        self, people: People, links: SignInLinks, pages: Pages, providers: Collection[Provider] = ()
    ) -> None:
        self._people = people
        self._providers = providers
        self._links = links
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get("/sign-up", PUBLIC, self.sign_up),
            guard.post("/sign-up", PUBLIC, self.ask),
            guard.get("/confirm/{token}", PUBLIC, self.confirm),
            guard.post("/confirm/{token}", PUBLIC, self.confirmed),
            guard.get("/sign-in", PUBLIC, self.sign_in),
            guard.post("/sign-in", PUBLIC, self.by_password),
            guard.post("/sign-in/link", PUBLIC, self.paste),
            guard.get("/sign-in/{token}", PUBLIC, self.link),
            guard.post("/sign-in/{token}", PUBLIC, self.redeem),
            guard.get("/reset", PUBLIC, self.reset),
            guard.post("/reset", PUBLIC, self.ask_reset),
            guard.get("/reset/{token}", PUBLIC, self.new_password),
            guard.post("/reset/{token}", PUBLIC, self.set_password),
            guard.post("/sign-out", PUBLIC, self.sign_out),
        ]

    # --- signing up -----------------------------------------------------------------------------

    async def sign_up(self, request: web.Request) -> web.Response:
        """The form."""
        if request[ACCOUNT] is not None:
            return redirect(HOME)
        return self._sign_up(request)

    async def ask(self, request: web.Request) -> web.Response:
        """Take the form; the answer is the same for an address that has an account."""
        form = await read_form(request)
        wish = Wish(
            form.text("email"),
            form.text("password"),
            form.ticked("terms"),
            said_of(form),
            visit_of(request).locale,
        )
        try:
            await self._people.sign_up.ask(wish, visit_of(request))
        except Problem as problem:
            return self._sign_up(request, problem, wish.email)
        return self._letter_sent(request, "sign_up")

    def _sign_up(
        self, request: web.Request, problem: Problem | None = None, email: str = ""
    ) -> web.Response:
        return self._pages.render(
            request,
            "sign_up.html",
            status=200 if problem is None else 422,
            policy=self._people.sign_up.policy,
            problem=problem,
            email=email,
        )

    async def confirm(self, request: web.Request) -> web.Response:
        """The page a sign-up's letter leads to; says nothing of whether the link is good."""
        return self._pages.render(request, "confirm.html", problem=None)

    async def confirmed(self, request: web.Request) -> web.Response:
        """Make the account and sign its owner in."""
        form = await read_form(request)
        visit = visit_of(request)
        token = request.match_info["token"]
        try:
            account = await self._people.sign_up.confirm(token, form.text("password"), visit)
        except Problem as problem:
            return self._pages.render(request, "confirm.html", status=422, problem=problem)
        except Refusal:
            return self._bad_link(request)
        return self._let_in(request, await self._people.entrance.enter(account, visit))

    # --- signing in and out ---------------------------------------------------------------------

    async def sign_in(self, request: web.Request) -> web.Response:
        """The form, and a field to paste a sign-in link into."""
        if request[ACCOUNT] is not None:
            return redirect(HOME)
        return self._sign_in(request)

    async def by_password(self, request: web.Request) -> web.Response:
        """Sign in with address and password."""
        form = await read_form(request)
        email = form.text("email")
        try:
            entry = await self._people.entrance.by_password(
                email, form.text("password"), visit_of(request)
            )
        except Problem as problem:
            return self._sign_in(request, problem, email, 403)
        except TooManyAttempts as error:
            page = self._sign_in(request, Problem("form", "too_many"), email, error.status)
            page.headers["Retry-After"] = str(error.retry_after_s)
            return page
        return self._let_in(request, entry)

    async def paste(self, request: web.Request) -> web.Response:
        """A pasted link, or only its last part."""
        pasted = (await read_form(request)).text("link").strip()
        path = pasted.partition("?")[0].partition("#")[0]
        return await self._redeem(request, path.rsplit("/", 1)[-1])

    async def link(self, request: web.Request) -> web.Response:
        """The button that uses a link up; says nothing of whether the link is good."""
        days = self._people.sessions.lifetime_us // DAY_US
        return self._pages.render(request, "sign_in_confirm.html", session_days=days)

    async def redeem(self, request: web.Request) -> web.Response:
        """Use the link and open a session."""
        return await self._redeem(request, request.match_info["token"])

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session here and forget the cookie there."""
        await self._people.sessions.close(request.cookies.get(COOKIE, ""))
        response = redirect("/")
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
        return response

    # --- a forgotten password -------------------------------------------------------------------

    async def reset(self, request: web.Request) -> web.Response:
        """The form that asks for a letter."""
        return self._pages.render(request, "reset.html")

    async def ask_reset(self, request: web.Request) -> web.Response:
        """Queue the letter; the answer is the same for an address without an account."""
        form = await read_form(request)
        visit = visit_of(request)
        await self._people.entrance.ask_reset(form.text("email"), visit, visit.locale)
        return self._letter_sent(request, "reset")

    async def new_password(self, request: web.Request) -> web.Response:
        """The page a reset's letter leads to; says nothing of whether the link is good."""
        return self._pages.render(request, "new_password.html", problem=None)

    async def set_password(self, request: web.Request) -> web.Response:
        """Use the link up; the owner signs in with the new password."""
        form = await read_form(request)
        try:
            token, locale = request.match_info["token"], visit_of(request).locale
            await self._people.entrance.reset(token, form.text("password"), locale)
        except Problem as problem:
            return self._pages.render(request, "new_password.html", status=422, problem=problem)
        except Refusal:
            return self._bad_link(request)
        response = redirect("/sign-in")
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
        return response

    # --- what they share ------------------------------------------------------------------------

    async def _redeem(self, request: web.Request, token: str) -> web.Response:
        try:
            account = await self._links.redeem(token)
        except Refusal:
            return self._bad_link(request)
        # An operator made this link, perhaps because a second factor was lost.
        entry = await self._people.entrance.enter(account, visit_of(request), trusted=True)
        return self._let_in(request, entry)

    def _letter_sent(self, request: web.Request, reason: str) -> web.Response:
        return self._pages.render(request, "letter_sent.html", reason=reason, lifetimes=LIFETIMES)

    def _let_in(self, request: web.Request, entry: Entry) -> web.Response:
        response = redirect("/sign-in/code" if entry.owes_factor else HOME)
        return with_token(request, response, entry.token, self._people.sessions.lifetime_us)

    def _sign_in(
        self,
        request: web.Request,
        problem: Problem | None = None,
        email: str = "",
        status: int = 200,
    ) -> web.Response:
        return self._pages.render(
            request,
            "sign_in.html",
            status=status,
            problem=problem,
            email=email,
            providers=[(provider.name, provider.title) for provider in self._providers],
            sign_up_open=self._people.sign_up.policy.is_open,
        )

    def _bad_link(self, request: web.Request) -> web.Response:
        return self._sign_in(request, Problem("link", "bad"), status=403)
