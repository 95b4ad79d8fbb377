"""Models and prices: what is offered, what it will cost from when on, how it compares.

A model is written as the catalog writes it, so every field of it can be changed; its prices cannot
be changed there, for a price that rises has to be announced. Prices have forms of their own.
"""

import json
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from gateway.base.money import MoneyError
from gateway.platform.assembly import Platform
from gateway.platform.catalog.comparison import compare_prices, known_prices
from gateway.platform.catalog.document import Document, ModelEntry, parse
from gateway.platform.catalog.render import render
from gateway.platform.catalog.schedule import NOTICE_DAYS, pending
from gateway.platform.pricing import prices
from gateway.platform.pricing.prices import TOKEN_FIELDS, Price
from gateway.platform.pricing.reference import Reference, source_version
from gateway.platform.pricing.units import render_units
from gateway.platform.refusals import Refusal
from gateway.web.console.admin.frame import DAY_US, allowed, day_us, segment
from gateway.web.console.forms import Form, read_form
from gateway.web.console.render import Pages
from gateway.web.console.sure import Matter, unsure
from gateway.web.guard import Guard, redirect

PAGE: Final = "/admin/models"
ONE: Final = PAGE + "/{name}"
PRICED: Final = (*TOKEN_FIELDS, "request")


class ModelPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, "catalog.read", self.listing),
            guard.post(PAGE, "catalog.write", self.add),
            guard.get("/admin/prices", "catalog.read", self.comparison),
            guard.get(ONE, "catalog.read", self.page),
            guard.post(ONE, "catalog.write", self.change),
            guard.post(ONE + "/price", "catalog.write", self.set_price),
            *guard.asked(ONE + "/price/keep", "catalog.write", self.keep_price),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        """Every model with its present price and where it is served."""
        return self._listing(request)

    def _listing(self, request: web.Request, refused: str = "") -> web.Response:
        snapshot = self._platform.catalog.snapshot
        return self._pages.render(
            request,
            "admin/models.html",
            status=422 if refused else 200,
            may=allowed(request),
            rows=[(model, segment(model.name)) for model in snapshot.models.values()],
            providers=list(snapshot.providers),
            refused=refused,
        )

    async def add(self, request: web.Request) -> web.Response:
        """A model with one target and, where one was given, a price."""
        form = await read_form(request)
        try:
            document = parse(_new_model(form), "the form")
            [name] = document.models
            if name in (await self._platform.catalog.stored()).models:
                raise Refusal(f"there is a model {name!r} already")
            await self._platform.catalog.apply_document(document, only_new=True)
        except Refusal as refusal:
            return self._listing(request, str(refusal))
        return redirect(f"{PAGE}/{segment(name)}")

    async def comparison(self, request: web.Request) -> web.Response:
        """Our prices beside what providers are known to charge."""
        now_us = self._platform.clock.now_us()
        rows = compare_prices(self._platform.catalog.snapshot, now_us)
        return self._pages.render(
            request,
            "admin/prices.html",
            rows=[(row, segment(row.model), _proposal(row.theirs)) for row in rows],
            may=allowed(request),
            source=source_version(),
        )

    async def page(self, request: web.Request) -> web.Response:
        """One model: its entry, its prices past and to come."""
        return await self._page(request, await self._entry(request))

    async def _page(
        self, request: web.Request, entry: ModelEntry, refused: str = "", text: str = ""
    ) -> web.Response:
        platform = self._platform
        now_us = platform.clock.now_us()
        versions = await platform.catalog.price_versions(entry.name)
        bare = replace(
            entry, price=None, targets=tuple(replace(each, price=None) for each in entry.targets)
        )
        return self._pages.render(
            request,
            "admin/model.html",
            status=422 if refused else 200,
            may=allowed(request),
            entry=entry,
            name_in_path=segment(entry.name),
            model=platform.catalog.snapshot.models.get(entry.name),
            text=text or render(Document({}, {entry.name: bare})),
            priced=PRICED,
            shown=_shown(entry.price, request),
            priceless=entry.price is None,
            versions=[(each, _words(each.price)) for each in versions[:50]],
            waiting=[(each, _words(each.price)) for each in pending(versions, now_us)],
            earliest_us=(now_us // DAY_US + NOTICE_DAYS + 1) * DAY_US,
            notice_days=NOTICE_DAYS,
            refused=refused,
        )

    async def change(self, request: web.Request) -> web.Response:
        """Everything of a model but its prices."""
        entry, text = await self._entry(request), (await read_form(request)).text("entry")
        try:
            document = parse(text, "the form")
            if document.providers or list(document.models) != [entry.name]:
                raise Refusal(f"write one [[models]] table, that of {entry.name}")
            wanted = document.models[entry.name]
            before = {(each.provider, each.model): each.price for each in entry.targets}
            kept = tuple(
                replace(each, price=before.get((each.provider, each.model)))
                for each in wanted.targets
            )
            wanted = replace(wanted, price=entry.price, targets=kept)
            await self._platform.catalog.apply_document(Document({}, {entry.name: wanted}))
        except Refusal as refusal:
            return await self._page(request, entry, str(refusal), text)
        return redirect(f"{PAGE}/{segment(entry.name)}")

    async def set_price(self, request: web.Request) -> web.Response:
        """A price from a day on, or from now on."""
        entry, form = await self._entry(request), await read_form(request)
        try:
            await self._platform.catalog.schedule_price(
                entry.name, _price(form, entry.price), day_us(form.text("begins"))
            )
        except (Refusal, MoneyError) as refusal:
            return await self._page(request, entry, str(refusal))
        return redirect(f"{PAGE}/{segment(entry.name)}")

    async def keep_price(self, request: web.Request) -> web.Response:
        """Take back what is scheduled."""
        entry = await self._entry(request)
        matter = Matter(entry.name, f"{PAGE}/{segment(entry.name)}")
        first = await unsure(self._pages, request, "price.keep", matter)
        if first is not None:
            return first
        try:
            await self._platform.catalog.keep_price(entry.name)
        except Refusal as refusal:
            return await self._page(request, entry, str(refusal))
        return redirect(f"{PAGE}/{segment(entry.name)}")

    async def _entry(self, request: web.Request) -> ModelEntry:
        stored = await self._platform.catalog.stored()
        entry = stored.models.get(request.match_info["name"])
        if entry is None:
            raise web.HTTPNotFound
        return entry


def _new_model(form: Form) -> str:
    """The form as a catalog's text; what is wrong in it is said by whoever reads that."""
    name = form.text("name").strip()
    lines = ["[[models]]", f"name = {json.dumps(name)}"]
    for field in ("context_tokens", "max_output_tokens"):
        value = form.text(field).strip()
        if not value.isascii() or not value.isdigit():
            raise Refusal(f"{field} is a whole number")
        lines.append(f"{field} = {int(value)}")
    target = form.text("target").strip() or name
    lines += ["[[models.targets]]", f"provider = {json.dumps(form.text('provider'))}"]
    lines.append(f"model = {json.dumps(target)}")
    given = _filled(form)
    if given:
        lines.append("[models.price]")
        lines += [f"{field} = {json.dumps(value)}" for field, value in given.items()]
    return "\n".join(lines)


def _filled(form: Form) -> dict[str, str]:
    return {name: value for name in PRICED if (value := form.text(name).strip())}


def _price(form: Form, present: Price | None) -> Price:
    """The price of a form; units that it does not speak of stay. Raises MoneyError."""
    units = render_units(present.units) if present is not None else {}
    return prices.parse(_filled(form) | units)


def _shown(price: Price | None, request: web.Request) -> dict[str, str]:
    """What the price's form begins with: the present price, or what the address proposes."""
    proposed = {name: request.query[name][:20] for name in PRICED if name in request.query}
    return (prices.render(price) if price is not None else {}) | proposed


def _proposal(theirs: Reference | None) -> str:
    """Known prices as the query of a model's page; empty where they are not enough for a price."""
    return urlencode(known_prices(theirs))


def _words(price: Price | None) -> str:
    if price is None:
        return "–"
    return ", ".join(f"{name} {value}" for name, value in prices.render(price).items())
