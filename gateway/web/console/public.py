"""Pages for everybody: the start page, language and theme, static files.

A GET never changes anything. Language and theme are kept in two cookies, only when somebody chose.
"""

from typing import Final, NamedTuple

from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.platform.catalog import Model
from gateway.web.console.forms import read_form
from gateway.web.console.i18n import LANGUAGES
from gateway.web.console.render import THEMES, Pages, local_path
from gateway.web.guard import PUBLIC, Guard, public, redirect
from gateway.web.security import is_https

YEAR_S: Final = 365 * 24 * 3600
TRIAL_MODEL: Final = "sandbox/lorem"
FOR_EVER: Final = {"Cache-Control": f"public, max-age={YEAR_S}, immutable"}


class Offer(NamedTuple):
    """One line of the table of models."""

    name: str
    context_tokens: int
    input_picousd: int
    output_picousd: int


class PublicPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get("/", PUBLIC, self.home),
            guard.post("/preferences", PUBLIC, self.prefer),
            public(web.get("/static/{digest}/{name:.+}", self.static)),
        ]

    async def home(self, request: web.Request) -> web.Response:
        """What this is, where it is, what it offers and at what price."""
        models = self._platform.catalog.snapshot.models
        return self._pages.render(
            request,
            "public/home.html",
            offers=[_offer(model) for model in models.values() if model.price is not None],
            trial_model=TRIAL_MODEL if TRIAL_MODEL in models else next(iter(models), TRIAL_MODEL),
        )

    async def prefer(self, request: web.Request) -> web.Response:
        """Keep a language or a theme and go back."""
        form = await read_form(request)
        response = redirect(local_path(form.text("back")))
        locale, theme = form.text("locale"), form.text("theme")
        if locale in LANGUAGES:
            keep(request, response, "locale", locale)
        if theme in THEMES:
            keep(request, response, "theme", theme)
        elif theme:
            response.del_cookie("theme", path="/")
        return response

    async def static(self, request: web.Request) -> web.Response:
        """A style sheet, script or picture, by the digest of its content."""
        asset = self._pages.assets.get(request.match_info["name"])
        if asset is None or asset.path != request.path:
            raise web.HTTPNotFound
        if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers = {**FOR_EVER, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            return web.Response(body=asset.packed, content_type=asset.content_type, headers=headers)
        return web.Response(body=asset.body, content_type=asset.content_type, headers=FOR_EVER)


def keep(request: web.Request, response: web.Response, name: str, value: str) -> None:
    """A cookie of what somebody chose, for a year; scripts may not read it."""
    response.set_cookie(
        name,
        value,
        max_age=YEAR_S,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=is_https(request),
    )


def _offer(model: Model) -> Offer:
    assert model.price is not None
    price = model.price
    return Offer(model.name, model.context_tokens, price.input, price.output)
