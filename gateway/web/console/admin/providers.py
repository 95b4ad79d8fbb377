"""Providers: their health, adding one from a preset or by its address, editing, a real test.

A key that was entered is never shown again, not even in part: an empty field keeps it. What a form
asks for becomes a catalog document, so it is checked as a file would be.
"""

import json
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.platform.catalog.document import ENV_PREFIX, KINDS, Document, ProviderEntry, parse
from gateway.platform.catalog.presets import read_presets
from gateway.platform.catalog.render import render, shown_api_key
from gateway.platform.refusals import Refusal
from gateway.web.admin.presets import NewProvider, providers_add
from gateway.web.console.admin.frame import allowed, segment
from gateway.web.console.forms import Form, read_form
from gateway.web.console.meanings import MEANINGS
from gateway.web.console.render import Pages
from gateway.web.guard import Guard, redirect
from gateway.web.spoken import spoken

PAGE: Final = "/admin/providers"
ONE: Final = PAGE + "/{name}"
DISCONNECT: Final = ("abort", "drain")


class ProviderPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, "catalog.read", self.listing),
            guard.post(PAGE, "catalog.write", self.add),
            guard.get(ONE, "catalog.read", self.page),
            guard.post(ONE, "catalog.write", self.change),
            guard.post(ONE + "/test", "catalog.write", self.test),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        """Every provider with what the serving process knows of it."""
        return self._listing(request)

    def _listing(self, request: web.Request, refused: str = "") -> web.Response:
        snapshot = self._platform.catalog.snapshot
        health = _health(self._platform)
        presets = read_presets()
        return self._pages.render(
            request,
            "admin/providers.html",
            status=422 if refused else 200,
            may=allowed(request),
            rows=[
                (provider, segment(provider.name), health.get(provider.name, []))
                for provider in snapshot.providers.values()
            ],
            presets=[
                (name, entry.base_url)
                for name, entry in presets.providers.items()
                if entry.kind != "sandbox" and name not in snapshot.providers
            ],
            kinds=[kind for kind in KINDS if kind != "sandbox"],
            warnings=snapshot.warnings,
            refused=refused,
        )

    async def add(self, request: web.Request) -> web.Response:
        """A provider of a preset with its models, or one by its address."""
        form = await read_form(request)
        try:
            name = await self._add(form)
        except Refusal as refusal:
            return self._listing(request, str(refusal))
        return redirect(f"{PAGE}/{segment(name)}")

    async def _add(self, form: Form) -> str:
        preset, key = form.text("preset"), form.text("api_key").strip()
        if preset:
            wanted = NewProvider(preset=preset, key=key or None)
            if form.text("base_url").strip():
                wanted.base_url = form.text("base_url").strip()
            await providers_add(self._platform, wanted)
            return preset
        fields = {
            "name": form.text("name").strip(),
            "kind": form.text("kind"),
            "base_url": form.text("base_url").strip(),
            "region": form.text("region").strip(),
            "api_key": key,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items() if value]
        if form.ticked("private"):
            lines.append("allow_private_address = true")
        document = parse("[[providers]]\n" + "\n".join(lines), "the form")
        [name] = document.providers
        if name in self._platform.catalog.snapshot.providers:
            raise Refusal(f"there is a provider {name!r} already")
        await self._platform.catalog.apply_document(document, only_new=True)
        return name

    async def page(self, request: web.Request) -> web.Response:
        """One provider, to be edited or tested."""
        return await self._page(request)

    async def _page(
        self, request: web.Request, refused: str = "", tested: Any = None
    ) -> web.Response:
        entry = await self._entry(request)
        return self._pages.render(
            request,
            "admin/provider.html",
            status=422 if refused else 200,
            may=allowed(request),
            entry=entry,
            name_in_path=segment(entry.name),
            key=_key_words(entry),
            health=_health(self._platform).get(entry.name, []),
            disconnect=DISCONNECT,
            tested=tested,
            meaning=MEANINGS.get(tested.code, "") if tested else "",
            refused=refused,
        )

    async def change(self, request: web.Request) -> web.Response:
        """Keep what was filled in; an empty key keeps the present one."""
        entry, form = await self._entry(request), await read_form(request)
        try:
            interval = form.text("health_interval_s").strip()
            if interval and not interval.isdigit():
                raise Refusal("the interval of health checks is a whole number of seconds")
            wanted = replace(
                entry,
                base_url=form.text("base_url").strip(),
                disconnect=form.text("disconnect"),
                allow_private_address=form.ticked("private"),
                health_interval_s=int(interval) if interval else None,
            )
            key = form.text("api_key").strip()
            if key:
                wanted = replace(wanted, api_key=key, api_keys=())
                parse(_with_key(entry.name, key), "the form")  # may such a key be written?
            elif _origin(wanted) != _origin(entry) and _has_own_key(entry):
                raise Refusal("enter the key again: the present one is kept for its own address")
            parse(render(Document({entry.name: wanted}, {})), "the form")
            await self._platform.catalog.apply_document(Document({entry.name: wanted}, {}))
        except Refusal as refusal:
            return await self._page(request, str(refusal))
        return redirect(f"{PAGE}/{segment(entry.name)}")

    async def test(self, request: web.Request) -> web.Response:
        """Send a tiny real request; nobody's account pays for it."""
        entry = await self._entry(request)
        ask = self._platform.live.get("providers.test")
        try:
            if ask is None:
                raise Refusal("providers are tested by a server that runs")
            tested = await ask()(entry.name)
        except Refusal as refusal:
            return await self._page(request, str(refusal))
        return await self._page(request, tested=tested)

    async def _entry(self, request: web.Request) -> ProviderEntry:
        stored = await self._platform.catalog.stored()
        entry = stored.providers.get(request.match_info["name"])
        if entry is None:
            raise web.HTTPNotFound
        return entry


def _health(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    read = platform.live.get("providers.health")
    found: dict[str, list[dict[str, Any]]] = {}
    for row in read() if read is not None else []:
        found.setdefault(row["provider"], []).append(row)
    return found


def _key_words(entry: ProviderEntry) -> str:
    """What may be said of the key: a variable's name, how many there are, or nothing."""
    if entry.api_keys:
        return f"{len(entry.api_keys)} ×"
    if entry.api_key is None:
        return ""
    return (
        shown_api_key(entry.api_key) if entry.api_key.startswith(ENV_PREFIX) else spoken("stored")
    )


def _has_own_key(entry: ProviderEntry) -> bool:
    return entry.api_key is not None or bool(entry.api_keys)


def _origin(entry: ProviderEntry) -> str:
    """Scheme, host and port: a key is never sent to another one without being entered again."""
    scheme, _, rest = entry.base_url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}".lower()


def _with_key(name: str, key: str) -> str:
    return (
        f'[[providers]]\nname = {json.dumps(name)}\nbase_url = "https://a.example"\n'
        f"api_key = {json.dumps(key)}"
    )
