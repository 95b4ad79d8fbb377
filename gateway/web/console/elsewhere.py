"""Signing in with an account of another site: the way out, the way back, and a first welcome.

The errand is kept in the browser's own session, so an answer is taken only where the question was
asked. The way out is a page with a link and not a redirect: the policy of our pages lets no form
lead to another site.
"""

from aiohttp import web

from gateway.base.clock import Clock
from gateway.base.config import Settings
from gateway.platform.accounts.entrance import Entry
from gateway.platform.accounts.identities import Person, address_of
from gateway.platform.accounts.roles import OWN_WRITE
from gateway.platform.accounts.sessions import Session
from gateway.platform.people import People
from gateway.platform.refusals import Problem
from gateway.web.console.ages import said_of
from gateway.web.console.forms import read_form
from gateway.web.console.render import Pages
from gateway.web.console.sure import Matter, ask, unsure
from gateway.web.guard import (
    ACCOUNT,
    COOKIE,
    PUBLIC,
    SESSION,
    Guard,
    redirect,
    visit_of,
    with_token,
)
from gateway.web.oauth import Errand, Provider, configured, send_off, title_of, welcome_back
from gateway.web.security import is_https

AWAY, WELCOME = "step.elsewhere", "step.welcome"


class ElsewherePages:
    """The handlers over the people's rooms."""

    def __init__(self, people: People, settings: Settings, clock: Clock, pages: Pages) -> None:
        self._people = people
        self._public_url: str = settings.server_public_url
        self._clock = clock
        self._pages = pages
        self.providers = configured(settings)

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.post("/sign-in/with/{provider}", PUBLIC, self.leave),
            guard.get("/sign-in/with/{provider}/callback", AWAY, self.come_back),
            guard.get("/sign-in/welcome", WELCOME, self.welcome),
            guard.post("/sign-in/welcome", WELCOME, self.accept),
            *guard.asked("/settings/identities/{provider}/remove", OWN_WRITE, self.unlink),
        ]

    async def leave(self, request: web.Request) -> web.Response:
        """Send somebody to another site; who is signed in links that account to theirs."""
        provider = self._provider(request)
        url, errand = send_off(provider, self._callback(request, provider))
        visit = visit_of(request)
        token = await self._people.sessions.open(
            request[ACCOUNT],
            stage="elsewhere",
            agent=visit.agent,
            previous=visit.token,
            context=errand._asdict(),
        )
        page = self._pages.render(request, "leave.html", provider=provider, url=url)
        return with_token(request, page, token, self._people.sessions.lifetime_us)

    async def come_back(self, request: web.Request) -> web.Response:
        """Take the answer: sign in, link, or ask a newcomer to accept the terms."""
        provider, session = self._provider(request), _session(request)
        errand = Errand(**session.context)
        if errand.provider != provider.name:
            raise web.HTTPNotFound
        visit = visit_of(request)
        try:
            person = await welcome_back(
                provider, errand, request.query_string, self._clock.now_us() // 1_000_000
            )
            account = session.account
            if account is not None:  # signed in before leaving: this one is theirs too
                await self._link(session, person)
                entry = await self._people.entrance.enter(account, visit, trusted=True)
                return self._let_in(request, entry)
            account = await self._people.identities.find(person)
        except Problem as problem:
            await self._people.sessions.close(visit.token)
            return self._pages.render(request, "elsewhere.html", status=403, problem=problem)
        if account is not None:
            return self._let_in(request, await self._people.entrance.enter(account, visit))
        token = await self._people.sessions.open(
            None,
            stage="welcome",
            agent=visit.agent,
            previous=visit.token,
            context=person._asdict(),
        )
        lifetime_us = self._people.sessions.lifetime_us
        return with_token(request, redirect("/sign-in/welcome"), token, lifetime_us)

    async def welcome(self, request: web.Request) -> web.Response:
        """Ask a newcomer for the terms and their age."""
        return self._welcome(request)

    async def accept(self, request: web.Request) -> web.Response:
        """Make the newcomer's account."""
        form, visit = await read_form(request), visit_of(request)
        person = Person(**_session(request).context)
        people = self._people
        try:
            attested = people.sign_up.attested(
                form.ticked("terms"), said_of(form), address_of(person)
            )
            account = await people.identities.create(person, attested, visit.locale)
        except Problem as problem:
            if problem.code != "too_young":
                return self._welcome(request, problem)
            await people.sessions.close(visit.token)  # nothing is kept of who is too young
            page = self._pages.render(request, "elsewhere.html", status=403, problem=problem)
            page.del_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
            return page
        return self._let_in(request, await people.entrance.enter(account, visit))

    async def unlink(self, request: web.Request) -> web.Response:
        """Forget an account elsewhere; never the only way in. Raises HTTPNotFound."""
        account, session = request[ACCOUNT], _session(request)
        if account is None:
            raise web.HTTPForbidden
        name, people = request.match_info["provider"], self._people
        if name not in await people.identities.providers(account):
            raise web.HTTPNotFound
        if not await people.entrance.has_password(account):
            problem = Problem("elsewhere", "only_way")
            return self._pages.render(request, "elsewhere.html", status=403, problem=problem)
        matter = Matter(title_of(name), "/settings/security", password=True)
        first = await unsure(self._pages, request, "identity.remove", matter)
        if first is not None:
            return first
        form = await read_form(request)
        try:
            await people.entrance.confirm_owner(session, form.text("password"), visit_of(request))
        except Problem as problem:
            return ask(self._pages, request, "identity.remove", matter, problem)
        await people.identities.unlink(account, name)
        return redirect("/settings/security")

    async def _link(self, session: Session, person: Person) -> None:
        account = session.account
        if account is not None and person.provider not in await self._people.identities.providers(
            account
        ):
            await self._people.identities.link(account, person)

    def _provider(self, request: web.Request) -> Provider:
        provider = self.providers.get(request.match_info["provider"])
        if provider is None:
            raise web.HTTPNotFound
        return provider

    def _callback(self, request: web.Request, provider: Provider) -> str:
        scheme = "https" if is_https(request) else "http"
        base = self._public_url.rstrip("/") or f"{scheme}://{request.host}"
        return f"{base}/sign-in/with/{provider.name}/callback"

    def _welcome(self, request: web.Request, problem: Problem | None = None) -> web.Response:
        return self._pages.render(
            request,
            "welcome.html",
            status=200 if problem is None else 422,
            policy=self._people.sign_up.policy,
            email=_session(request).context.get("email", ""),
            problem=problem,
        )

    def _let_in(self, request: web.Request, entry: Entry) -> web.Response:
        response = redirect("/sign-in/code" if entry.owes_factor else "/console")
        return with_token(request, response, entry.token, self._people.sessions.lifetime_us)


def _session(request: web.Request) -> Session:
    session = request[SESSION]
    if session is None:
        raise web.HTTPForbidden
    return session
