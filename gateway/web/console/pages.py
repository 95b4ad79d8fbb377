"""The pages: what the gateway offers, signing in and out, and an account's overview.

Each handler parses, asks one or two rooms and renders. A GET never changes anything: a sign-in
link is used up by the POST of its confirm button, so that a scanner which follows links in mail
does no harm. The cookie holds a random token and nothing else.
"""

from typing import NamedTuple
from urllib.parse import parse_qs

from aiohttp import web

from gateway.platform.accounts import Account
from gateway.platform.accounts.sessions import SESSION_LIFETIME_US, Sessions
from gateway.platform.assembly import Platform
from gateway.platform.catalog import Model
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.query import newest
from gateway.web.console.render import Pages
from gateway.web.security import is_https

COOKIE = "token"
SHOWN_REQUESTS = 20
SHOWN_KEYS = 50
TRIAL_MODEL = "sandbox/lorem"


class Offer(NamedTuple):
    """One line of the table of models."""

    name: str
    context_tokens: int
    input_picousd: int
    output_picousd: int


class Console:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, sessions: Sessions, pages: Pages) -> None:
        self._platform = platform
        self._sessions = sessions
        self._pages = pages

    def routes(self) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            web.get("/", self.home),
            web.get("/sign-in", self.sign_in),
            web.post("/sign-in", self.paste),
            web.get("/sign-in/{token}", self.confirm),
            web.post("/sign-in/{token}", self.redeem),
            web.post("/sign-out", self.sign_out),
            web.get("/console", self.overview),
            web.get("/static/{digest}/{name}", self.static),
        ]

    # --- for everybody --------------------------------------------------------------------------

    async def home(self, request: web.Request) -> web.Response:
        """What this is, where it is, what it offers and at what price."""
        models = self._platform.catalog.snapshot.models
        return self._pages.render(
            request,
            "home.html",
            account=await self._account(request),
            offers=[_offer(model) for model in models.values() if model.price is not None],
            trial_model=self._trial_model(),
        )

    async def static(self, request: web.Request) -> web.Response:
        """A style sheet, script or picture, by the digest of its content."""
        asset = self._pages.assets.get(request.match_info["name"])
        if asset is None or asset.path != request.path:
            raise web.HTTPNotFound
        return web.Response(
            body=asset.body,
            content_type=asset.content_type,
            headers={"Cache-Control": "public, max-age=31536000, immutable"},
        )

    # --- signing in and out ---------------------------------------------------------------------

    async def sign_in(self, request: web.Request) -> web.Response:
        """A field to paste a sign-in link into."""
        if await self._account(request) is not None:
            return _redirect("/console")
        return self._pages.render(request, "sign_in.html", problem="")

    async def paste(self, request: web.Request) -> web.Response:
        """A pasted link, or only its last part."""
        fields = parse_qs((await request.read()).decode("utf-8", "replace"))
        pasted = fields.get("link", [""])[0].strip()
        path = pasted.partition("?")[0].partition("#")[0]
        return await self._redeem(request, path.rsplit("/", 1)[-1])

    async def confirm(self, request: web.Request) -> web.Response:
        """The button that uses a link up; says nothing of whether the link is good."""
        return self._pages.render(request, "sign_in_confirm.html")

    async def redeem(self, request: web.Request) -> web.Response:
        """Use the link and open a session."""
        return await self._redeem(request, request.match_info["token"])

    async def _redeem(self, request: web.Request, token: str) -> web.Response:
        try:
            account = await self._platform.sign_in.redeem(token)
        except Refusal as refusal:
            text = str(refusal)
            problem = f"{text[:1].upper()}{text[1:]}."
            return self._pages.render(request, "sign_in.html", status=403, problem=problem)
        response = _redirect("/console")
        response.set_cookie(
            COOKIE,
            await self._sessions.open(account),
            max_age=SESSION_LIFETIME_US // 1_000_000,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=is_https(request),
        )
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session here and forget the cookie there."""
        await self._sessions.close(request.cookies.get(COOKIE, ""))
        response = _redirect("/")
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
        return response

    # --- for the account ------------------------------------------------------------------------

    async def overview(self, request: web.Request) -> web.Response:
        """Balance, keys and the newest requests of the signed-in account."""
        account = await self._account(request)
        if account is None:
            return _redirect("/sign-in")
        platform = self._platform
        wallet = platform.bank.wallets.get(account.no)
        logged = await platform.database.read(
            lambda connection: newest(connection, account_no=account.no, limit=SHOWN_REQUESTS)
        )
        return self._pages.render(
            request,
            "console.html",
            account=account,
            balance_microusd=platform.ledger.balance(account.no),
            held_microusd=wallet.held_microusd if wallet is not None else 0,
            keys=await platform.keys.listing(account, SHOWN_KEYS),
            now_us=platform.clock.now_us(),
            requests=[entry.row for entry in logged],
            trial_model=self._trial_model(),
        )

    async def _account(self, request: web.Request) -> Account | None:
        return await self._sessions.find(request.cookies.get(COOKIE, ""))

    def _trial_model(self) -> str:
        """The model of the ready-made command: one that needs no provider, or any there is."""
        models = self._platform.catalog.snapshot.models
        return TRIAL_MODEL if TRIAL_MODEL in models else next(iter(models), TRIAL_MODEL)


def _offer(model: Model) -> Offer:
    assert model.price is not None
    price = model.price
    return Offer(model.name, model.context_tokens, price.input, price.output)


def _redirect(path: str) -> web.Response:
    """See Other: the browser goes on with a GET."""
    return web.Response(status=303, headers={"Location": path})
