"""The guard: every page names the action it performs, and only those who may reach it do.

A route is made by `get` or `post` with an action of `accounts.roles`, or one of the words below
for those that need no account. `check_declared` refuses an application with a route that names
none, so a forgotten declaration fails at start. The guard finds the session, ends what may not be,
and lets the page read `request[SESSION]` and `request[ACCOUNT]`.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from gateway.platform.accounts import Account
from gateway.platform.accounts.guesses import Visit
from gateway.platform.accounts.profiles import Profile
from gateway.platform.accounts.roles import ACTIONS, is_administrative, may
from gateway.platform.accounts.sessions import Session
from gateway.platform.organisations import Desk, Organisations, desk_of
from gateway.platform.people import People
from gateway.web.client_address import Network, client_address
from gateway.web.console import i18n
from gateway.web.security import is_https
from gateway.web.spoken import spoken

TRUSTED: web.AppKey[Sequence[Network]] = web.AppKey("trusted", Sequence)
COOKIE = "token"
SIGN_IN = "/sign-in"
PUBLIC = "public"
# Steps of signing in: pages for a session of that stage and no other.
STEPS = {"step.second": "second", "step.elsewhere": "elsewhere", "step.welcome": "welcome"}

SESSION: web.RequestKey[Session | None] = web.RequestKey("session", object)  # type: ignore[arg-type]
ACCOUNT: web.RequestKey[Account | None] = web.RequestKey("account", object)  # type: ignore[arg-type]
# What the signed-in account says of itself: its pages' language, time zone, name and badge.
PROFILE: web.RequestKey[Profile | None] = web.RequestKey("profile", object)  # type: ignore[arg-type]
# Whose things the console shows: the account's own, or an organisation's that it belongs to.
DESK: web.RequestKey[Desk | None] = web.RequestKey("desk", object)  # type: ignore[arg-type]
Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Makes routes that are guarded by the table of roles."""

    def __init__(self, people: People, organisations: Organisations) -> None:
        self._people = people
        self._organisations = organisations

    def get(self, path: str, action: str, page: Page) -> web.RouteDef:
        """A page that changes nothing."""
        return web.get(path, self._guarded(page, action))

    def post(self, path: str, action: str, page: Page) -> web.RouteDef:
        """A form."""
        return web.post(path, self._guarded(page, action))

    def asked(self, path: str, action: str, page: Page) -> tuple[web.RouteDef, web.RouteDef]:
        """A page that asks first, and the form on it: one handler for both (`console.sure`)."""
        return self.get(path, action, page), self.post(path, action, page)

    def _guarded(self, page: Page, action: str) -> Any:
        if action not in (PUBLIC, *STEPS, *ACTIONS):
            raise KeyError(action)

        async def guarded(request: web.Request) -> web.StreamResponse:
            session = await self._people.sessions.find(request.cookies.get(COOKIE, ""))
            is_open = session is not None and session.stage == "open"
            request[SESSION] = session
            account = session.account if session is not None and is_open else None
            request[ACCOUNT], request[DESK], request[PROFILE] = account, None, None
            if session is not None and account is not None:
                chosen = self._organisations.by_no(session.desk_no)
                request[DESK] = desk_of(account, chosen, self._organisations.of(account))
                request[PROFILE] = await self._people.profiles.of(account)
            if action != PUBLIC:
                refusal = await self._refuse(request, action)
                if refusal is not None:
                    return refusal
            return await page(request)

        guarded.action = action  # type: ignore[attr-defined]
        return guarded

    async def _refuse(self, request: web.Request, action: str) -> web.Response | None:
        """What to answer instead of the page, or None. Raises HTTPForbidden."""
        session, account = request[SESSION], request[ACCOUNT]
        if action in STEPS:
            at_step = session is not None and session.stage == STEPS[action]
            return None if at_step else redirect(SIGN_IN)
        if account is None:
            return redirect(SIGN_IN)
        allowed = may(account.role, action)
        if is_administrative(action):
            await self._record(request, account, action, allowed)
        if not allowed:
            raise web.HTTPForbidden(text=spoken("Your account has no right to do this."))
        return None

    async def _record(
        self, request: web.Request, account: Account, action: str, allowed: bool
    ) -> None:
        """Write the audit row first: what cannot be recorded is not done."""
        target = next(iter(request.match_info.values()), "")
        resource = request.match_info.route.resource
        where = resource.canonical if resource is not None else ""
        detail = f"{request.method} {where}{'' if allowed else ' refused'}"
        await self._people.audit.record(account.id, account.role, action, target, detail)


def public(route: web.RouteDef) -> web.RouteDef:
    """Declare a route that asks for nobody, such as a health check."""
    handler = route.handler

    async def open_to_all(request: web.Request) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request)
        return answer

    open_to_all.action = PUBLIC  # type: ignore[attr-defined]
    return web.RouteDef(route.method, route.path, open_to_all, route.kwargs)


def check_declared(app: web.Application) -> None:
    """Every route names its action. Raises RuntimeError."""
    for route in app.router.routes():
        if not hasattr(route.handler, "action"):
            raise RuntimeError(f"the route {route.method} {route.resource} declares no action")


def visit_of(request: web.Request) -> Visit:
    """Where a request came from, as far as signing in looks at it."""
    forwarded = request.headers.getall("X-Forwarded-For", [])
    return Visit(
        client_address(request.remote, forwarded, request.app.get(TRUSTED, ())),
        request.headers.get("User-Agent", ""),
        request.cookies.get(COOKIE, ""),
        language_of(request).code,
    )


def language_of(request: web.Request) -> i18n.Language:
    """The language of who asks: chosen in this browser, in the profile, or the browser's wish."""
    profile = request.get(PROFILE)
    wish = profile.language if profile is not None else ""
    return i18n.language_of(request.cookies, request.headers, wish)


def profile_of(request: web.Request) -> Profile:
    """What the account that is signed in says of itself, read once with its session."""
    return request[PROFILE] or Profile()


def redirect(path: str) -> web.Response:
    """See Other: the browser goes on with a GET."""
    return web.Response(status=303, headers={"Location": path})


def with_token(
    request: web.Request, response: web.Response, token: str, lifetime_us: int
) -> web.Response:
    """Give the browser its token."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=lifetime_us // 1_000_000,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=is_https(request),
    )
    return response
