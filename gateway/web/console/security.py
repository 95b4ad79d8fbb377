"""Security settings, and the page that asks for a second factor while signing in.

Whatever takes trust away or adds a way in asks for the password again. Every word is in the
templates; a handler passes codes.
"""

from urllib.parse import urlsplit

from aiohttp import web

from gateway.base.config import Settings
from gateway.base.errors import TooManyAttempts
from gateway.platform.accounts import Account
from gateway.platform.accounts import totp as one_time
from gateway.platform.accounts.entrance import Entry
from gateway.platform.accounts.passkeys import NAME, Site
from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.accounts.sessions import Session
from gateway.platform.people import People
from gateway.platform.refusals import Problem
from gateway.web.console import i18n
from gateway.web.console.forms import Form, read_form
from gateway.web.console.qr import qr_code
from gateway.web.console.render import Pages
from gateway.web.console.sure import Matter, ask, unsure
from gateway.web.guard import (
    ACCOUNT,
    SESSION,
    Guard,
    language_of,
    redirect,
    visit_of,
    with_token,
)
from gateway.web.oauth import title_of
from gateway.web.security import is_https

PAGE = "/settings/security"
STEP = "step.second"


class SecurityPages:
    """The handlers over the people's rooms."""

    def __init__(self, people: People, settings: Settings, pages: Pages) -> None:
        self._people = people
        self._public_url: str = settings.server_public_url
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, OWN_READ, self.page),
            guard.post("/settings/password", OWN_WRITE, self.change_password),
            *guard.asked("/settings/sessions/{id}/revoke", OWN_WRITE, self.revoke),
            *guard.asked("/settings/sessions/revoke", OWN_WRITE, self.revoke_all),
            guard.post("/settings/totp", OWN_WRITE, self.begin_totp),
            guard.post("/settings/totp/confirm", OWN_WRITE, self.finish_totp),
            guard.post("/settings/passkeys", OWN_WRITE, self.add_passkey),
            *guard.asked("/settings/factors/{id}/remove", OWN_WRITE, self.remove_factor),
            *guard.asked("/settings/recovery-codes", OWN_WRITE, self.renew_codes),
            guard.get("/sign-in/code", STEP, self.ask_code),
            guard.post("/sign-in/code", STEP, self.by_code),
            guard.post("/sign-in/passkey", STEP, self.by_passkey),
        ]

    # --- the settings ---------------------------------------------------------------------------

    async def page(self, request: web.Request) -> web.Response:
        """Password, second factors, accounts of other sites, sessions."""
        return await self._page(request)

    async def change_password(self, request: web.Request) -> web.Response:
        """Another password: every other session ends."""
        session, _, form = await self._asked(request)
        try:
            await self._confirm(request, session, form)
            visit = visit_of(request)
            token = await self._people.entrance.change_password(
                session, form.text("new_password"), visit
            )
        except Problem as problem:
            return await self._page(request, problem)
        lifetime_us = self._people.sessions.lifetime_us
        return with_token(request, redirect(PAGE), token, lifetime_us)

    async def revoke(self, request: web.Request) -> web.Response:
        """End one session. Raises HTTPNotFound."""
        _, account, _ = await self._asked(request)
        id = request.match_info["id"]
        sessions = await self._people.sessions.listing(account)
        found = next((each for each in sessions if each.id == id), None)
        if found is None:
            raise web.HTTPNotFound
        matter = Matter(found.agent, PAGE, is_agent=True)
        first = await unsure(self._pages, request, "session.end", matter)
        if first is not None:
            return first
        if not await self._people.sessions.revoke(account, id):
            raise web.HTTPNotFound
        return redirect(PAGE)

    async def revoke_all(self, request: web.Request) -> web.Response:
        """End every session, this one too, and forget every device."""
        _, account, _ = await self._asked(request)
        matter = Matter(account.email, PAGE)
        first = await unsure(self._pages, request, "session.all", matter)
        if first is not None:
            return first
        await self._people.sessions.revoke_all(account)
        return redirect("/sign-in")

    async def begin_totp(self, request: web.Request) -> web.Response:
        """Show a secret for an authenticator app."""
        session, account, form = await self._asked(request)
        try:
            await self._confirm(request, session, form)
        except Problem as problem:
            return await self._page(request, problem)
        secret = await self._people.factors.begin_totp(session)
        return self._totp(request, account, secret)

    async def finish_totp(self, request: web.Request) -> web.Response:
        """Take the first code of the app."""
        session, account, form = await self._asked(request)
        try:
            locale = visit_of(request).locale
            codes = await self._people.factors.finish_totp(
                session, account, form.text("code"), locale
            )
        except Problem as problem:
            secret = str(session.context.get("totp", ""))
            if not secret:
                return redirect(PAGE)
            return self._totp(request, account, secret, problem)
        return self._codes(request, codes)

    async def add_passkey(self, request: web.Request) -> web.Response:
        """Take what the browser's authenticator made."""
        session, account, form = await self._asked(request)
        try:
            await self._confirm(request, session, form)
            codes = await self._people.factors.add_passkey(
                session,
                account,
                self._site(request),
                form.text("answer"),
                form.text("name"),
                visit_of(request).locale,
            )
        except Problem as problem:
            return await self._page(request, problem)
        return self._codes(request, codes)

    async def remove_factor(self, request: web.Request) -> web.Response:
        """Remove a second factor. Raises HTTPNotFound."""
        _, account, _ = await self._asked(request)
        id, locale = request.match_info["id"], visit_of(request).locale
        factors = await self._people.factors.listing(account)
        found = next((each for each in factors if each.id == id), None)
        if found is None:
            raise web.HTTPNotFound
        with i18n.speaking(language_of(request)):
            app = i18n.gettext("Authenticator app")
        name = app if found.kind == "totp" else found.name
        first = await self._unsure(request, "factor.remove", name)
        if first is not None:
            return first
        if not await self._people.factors.remove(account, id, locale):
            raise web.HTTPNotFound
        return redirect(PAGE)

    async def renew_codes(self, request: web.Request) -> web.Response:
        """New recovery codes."""
        _, account, _ = await self._asked(request)
        first = await self._unsure(request, "codes.renew", account.email)
        if first is not None:
            return first
        locale = visit_of(request).locale
        return self._codes(request, await self._people.factors.renew_codes(account, locale))

    # --- while signing in -----------------------------------------------------------------------

    async def ask_code(self, request: web.Request) -> web.Response:
        """Ask for a code or a passkey."""
        return await self._step(request)

    async def by_code(self, request: web.Request) -> web.Response:
        """A one-time or a recovery code."""
        form = await read_form(request)
        visit = visit_of(request)
        try:
            entry = await self._people.factors.by_code(_session(request), form.text("code"), visit)
        except Problem as problem:
            return await self._step(request, problem)
        except TooManyAttempts as error:
            return await self._step(request, Problem("form", "too_many"), error.status)
        return self._let_in(request, entry)

    async def by_passkey(self, request: web.Request) -> web.Response:
        """A passkey's signature."""
        form = await read_form(request)
        site, visit = self._site(request), visit_of(request)
        try:
            entry = await self._people.factors.by_passkey(
                _session(request), site, form.text("answer"), visit
            )
        except Problem as problem:
            return await self._step(request, problem)
        except TooManyAttempts as error:
            return await self._step(request, Problem("form", "too_many"), error.status)
        return self._let_in(request, entry)

    # --- what they share ------------------------------------------------------------------------

    async def _asked(self, request: web.Request) -> tuple[Session, Account, Form]:
        account = request[ACCOUNT]
        if account is None:
            raise web.HTTPForbidden
        return _session(request), account, await read_form(request)

    async def _confirm(self, request: web.Request, session: Session, form: Form) -> None:
        await self._people.entrance.confirm_owner(session, form.text("password"), visit_of(request))

    async def _unsure(self, request: web.Request, act: str, name: str) -> web.Response | None:
        """The page that asks for an act and for the password; None once both were given."""
        session, account, form = await self._asked(request)
        has_password = await self._people.entrance.has_password(account)
        matter = Matter(name, PAGE, password=has_password)
        first = await unsure(self._pages, request, act, matter)
        if first is not None:
            return first
        try:
            await self._confirm(request, session, form)
        except Problem as problem:
            return ask(self._pages, request, act, matter, problem)
        return None

    def _let_in(self, request: web.Request, entry: Entry) -> web.Response:
        lifetime_us = self._people.sessions.lifetime_us
        return with_token(request, redirect("/console"), entry.token, lifetime_us)

    def _site(self, request: web.Request) -> Site:
        scheme = "https" if is_https(request) else "http"
        parts = urlsplit(self._public_url or f"{scheme}://{request.host}")
        return Site(parts.hostname or "", f"{parts.scheme}://{parts.netloc}")

    def _codes(self, request: web.Request, codes: list[str]) -> web.Response:
        if not codes:
            return redirect(PAGE)
        return self._pages.render(request, "recovery_codes.html", codes=codes)

    def _totp(
        self, request: web.Request, account: Account, secret: str, problem: Problem | None = None
    ) -> web.Response:
        uri = one_time.uri(secret, account.email, NAME)
        with i18n.speaking(language_of(request)):
            picture = qr_code(uri, i18n.gettext("QR code of the key for an authenticator app"))
        return self._pages.render(
            request,
            "totp.html",
            status=200 if problem is None else 422,
            secret=secret,
            uri=uri,
            picture=picture,
            problem=problem,
        )

    async def _page(self, request: web.Request, problem: Problem | None = None) -> web.Response:
        session, people = _session(request), self._people
        account = request[ACCOUNT]
        if account is None:
            raise web.HTTPForbidden
        existing = await people.factors.credentials(account)
        return self._pages.render(
            request,
            "security.html",
            status=200 if problem is None else 422,
            problem=problem,
            here=session.id,
            sessions=await people.sessions.listing(account),
            factors=await people.factors.listing(account),
            codes_left=await people.factors.codes_left(account),
            has_password=await people.entrance.has_password(account),
            elsewhere=[
                (name, title_of(name)) for name in await people.identities.providers(account)
            ],
            passkey_options=people.factors.passkey_options(
                session, account, self._site(request), existing
            ),
        )

    async def _step(
        self, request: web.Request, problem: Problem | None = None, status: int = 403
    ) -> web.Response:
        options = await self._people.factors.assertion_options(
            _session(request), self._site(request)
        )
        return self._pages.render(
            request,
            "second_factor.html",
            status=200 if problem is None else status,
            problem=problem,
            passkey_options=options,
        )


def _session(request: web.Request) -> Session:
    session = request[SESSION]
    if session is None:
        raise web.HTTPForbidden
    return session
