"""Pages for everybody: start, models and prices, documentation, status, legal; language and theme.

A GET never changes anything. Language and theme are kept in two cookies, only when somebody chose.
What the status page asks of the database is kept for a minute, whoever asks.
"""

from contextlib import suppress
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.base.errors import CATALOGUE, StorageUnavailable
from gateway.base.policy import NUMBERS, strict
from gateway.platform.assembly import Platform
from gateway.platform.policy.changes import Changes
from gateway.platform.refusals import Problem
from gateway.platform.request_log.rollup import DAY_US
from gateway.platform.request_log.status import ModelDay, days_served, first_tokens_ms
from gateway.web.console.forms import read_form
from gateway.web.console.guides import NAMES as GUIDES
from gateway.web.console.i18n import LANGUAGES
from gateway.web.console.incidents import marked_days
from gateway.web.console.legal import facts
from gateway.web.console.meanings import MEANINGS
from gateway.web.console.offers import Offer, offer, sources
from gateway.web.console.render import THEMES, Pages, local_path
from gateway.web.guard import ACCOUNT, PROFILE, PUBLIC, Guard, public, redirect
from gateway.web.security import is_https

YEAR_S: Final = 365 * 24 * 3600
CHOICE_S: Final = strict("choice_days") * 24 * 3600
TRIAL_MODEL: Final = "sandbox/lorem"
FOR_EVER: Final = {"Cache-Control": f"public, max-age={YEAR_S}, immutable"}
SHOWN_ON_START: Final = 6
STATUS_DAYS: Final = 90
STATUS_KEPT_S: Final = 60.0
LEGAL: Final = ("privacy", "terms", "cookies")


class PublicPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages
        self._status: tuple[float, list[ModelDay], dict[str, int]] | None = None

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get("/", PUBLIC, self.home),
            guard.get("/models", PUBLIC, self.models),
            guard.get("/docs", PUBLIC, self.docs),
            guard.get("/docs/guides/{name}", PUBLIC, self.guide),
            guard.get("/status", PUBLIC, self.status),
            guard.get("/legal/{name}", PUBLIC, self.legal),
            guard.post("/preferences", PUBLIC, self.prefer),
            public(web.get("/static/{digest}/{name:.+}", self.static)),
        ]

    async def home(self, request: web.Request) -> web.Response:
        """What this is, where it is, what it offers and at what price."""
        offered = self._offers()
        return self._pages.render(
            request,
            "public/home.html",
            offers=offered[:SHOWN_ON_START],
            count=len(offered),
            trial_model=self._trial_model(),
        )

    async def models(self, request: web.Request) -> web.Response:
        """Every model with its prices and abilities, who serves them; how to use one named."""
        words, able = request.query.get("q", "")[:100], request.query.get("can", "")
        named, offered = request.query.get("model", ""), self._offers()
        kinds = sorted({kind for each in offered for kind in each.abilities})
        shown = [
            each
            for each in offered
            if words.lower() in each.name.lower() and (not able or able in each.abilities)
        ]
        if named:
            shown = [each for each in offered if each.name == named]
        return self._pages.render(
            request,
            "public/models.html",
            offers=shown,
            total=len(offered),
            named=named,
            words=words,
            able=able,
            kinds=kinds,
            sources=sources(self._platform.catalog.snapshot.providers.values()),
        )

    async def docs(self, request: web.Request) -> web.Response:
        """How to call the API, with this visitor's own address."""
        rows = [(error, MEANINGS[code]) for code, error in CATALOGUE.items()]
        return self._pages.render(
            request,
            "public/docs.html",
            errors=rows,
            trial_model=self._trial_model(),
            applications=self._platform.settings.log_applications,
        )

    async def guide(self, request: web.Request) -> web.Response:
        """One guide for operators. Raises HTTPNotFound."""
        name = request.match_info["name"]
        if name not in GUIDES:
            raise web.HTTPNotFound
        return self._pages.render(request, "public/guide.html", name=name)

    async def status(self, request: web.Request) -> web.Response:
        """Whether models are served now, and how they were on the last ninety days."""
        days, first_ms = await self._served()
        now_day = self._platform.clock.now_us() // DAY_US
        by_model: dict[str, dict[int, ModelDay]] = {}
        for each in days:
            by_model.setdefault(each.model, {})[each.day] = each
        offered = self._platform.catalog.snapshot.models
        models = [
            {"name": name, "first_ms": first_ms.get(name), **_history(by_model[name], now_day)}
            for name in offered
            if name in by_model
        ]
        board = self._platform.incidents.board()
        return self._pages.render(
            request,
            "public/status.html",
            models=models,
            offered=len(offered),
            asked=any(each["today"] is not None for each in models),
            down=self._down(),
            days_shown=STATUS_DAYS,
            board=board,
            marks=marked_days(board, by_model, now_day, STATUS_DAYS),
        )

    async def legal(self, request: web.Request) -> web.Response:
        """A legal text, filled with the facts of this place. Raises HTTPNotFound."""
        name = request.match_info["name"]
        if name not in LEGAL:
            raise web.HTTPNotFound
        platform, versions = self._platform, self._platform.versions
        coming = versions.coming()
        return self._pages.render(
            request,
            f"public/{name}.html",
            facts=facts(platform.settings, versions.current()),
            sources=sources(platform.catalog.snapshot.providers.values()),
            coming=coming,
            changes=versions.changes_of(coming) if coming is not None else Changes(),
            numbers={number.name: number for number in NUMBERS},
        )

    async def prefer(self, request: web.Request) -> web.Response:
        """Keep a language or a theme and go back; the language also in the profile."""
        form = await read_form(request)
        response = redirect(local_path(form.text("back")))
        locale, theme = form.text("locale"), form.text("theme")
        if locale in LANGUAGES:
            keep(request, response, "locale", locale)
            await self._remember(request, locale)
        if theme in THEMES:
            keep(request, response, "theme", theme)
        elif theme:
            response.del_cookie("theme", path="/")
        return response

    async def _remember(self, request: web.Request, locale: str) -> None:
        account, profile = request[ACCOUNT], request[PROFILE]
        if account is None or profile is None:
            return
        wanted = msgspec.structs.replace(profile, language=locale)
        # The cookie alone does where the profile cannot be written now.
        with suppress(Problem, StorageUnavailable):
            await self._platform.people.profiles.change(account, wanted)

    def _down(self) -> tuple[str, ...]:
        """The models that nobody serves now: each target's breaker is open, and not due to try."""
        report = self._platform.live.get("providers.health")
        resting: dict[str, bool] = {}
        for row in report() if report is not None else ():
            for name in row["used_by"]:
                resting[name] = bool(row["opens_in_s"]) and resting.get(name, True)
        return tuple(name for name, all_rest in resting.items() if all_rest)

    def _offers(self) -> list[Offer]:
        snapshot = self._platform.catalog.snapshot
        return [
            offer(model, snapshot.coming.get(model.name, ()))
            for model in snapshot.models.values()
            if model.price is not None
        ]

    def _trial_model(self) -> str:
        """The model of ready-made commands: one that needs no provider, or any there is."""
        models = self._platform.catalog.snapshot.models
        return TRIAL_MODEL if TRIAL_MODEL in models else next(iter(models), TRIAL_MODEL)

    async def _served(self) -> tuple[list[ModelDay], dict[str, int]]:
        clock, database = self._platform.clock, self._platform.database
        kept = self._status
        if kept is None or clock.monotonic_s() - kept[0] > STATUS_KEPT_S:
            now_us = clock.now_us()
            days = await database.read(lambda c: days_served(c, now_us, STATUS_DAYS))
            first_ms = await database.read(first_tokens_ms)
            kept = self._status = (clock.monotonic_s(), days, first_ms)
        return kept[1], kept[2]

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
    """A cookie of what somebody chose, for as long as the policy says; no script may read it."""
    response.set_cookie(
        name,
        value,
        max_age=CHOICE_S,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=is_https(request),
    )


def _history(days: dict[int, ModelDay], today: int) -> dict[str, Any]:
    """The strip of a model: a day's requests and faults, oldest first, and their sums."""
    strip = [days.get(day) for day in range(today - STATUS_DAYS + 1, today + 1)]
    known = [day for day in strip if day is not None]
    return {
        "days": [
            (day * DAY_US, found.requests, found.faults) if found else (day * DAY_US, 0, 0)
            for day, found in zip(range(today - STATUS_DAYS + 1, today + 1), strip, strict=True)
        ],
        "requests": sum(day.requests for day in known),
        "faults": sum(day.faults for day in known),
        "today": strip[-1],
    }
