"""The registers in the console: breaches with the time left, agreements, attestations.

A form that is refused comes back with a word at each field. Nothing here changes or removes what
was entered.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.platform.catalog.presets import read_presets
from gateway.platform.refusals import Refusal
from gateway.platform.registers import ACTS, KINDS, Breach, Unfit
from gateway.platform.registers.agreements import PREFIX as AGREEMENT
from gateway.platform.registers.attestations import PREFIX as ATTESTATION
from gateway.platform.registers.breaches import HOUR_US, NOTICE_US, RISKS, UPDATE_PREFIX
from gateway.platform.registers.breaches import PREFIX as BREACH
from gateway.web.console.admin.frame import PAGE_ROWS, Holder, allowed, before, holders, who
from gateway.web.console.forms import read_form
from gateway.web.console.render import Pages
from gateway.web.guard import Guard, redirect

BREACHES: Final = "/admin/breaches"
ONE: Final = BREACHES + "/{id}"
AGREEMENTS: Final = "/admin/agreements"
ATTESTATIONS: Final = "/admin/attestations"
NONE: Final[Mapping[str, str]] = {}


class RegisterPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(BREACHES, "breaches.read", self.breaches),
            guard.post(BREACHES, "breaches.write", self.enter_breach),
            guard.get(ONE, "breaches.read", self.breach),
            guard.post(ONE, "breaches.write", self.update_breach),
            guard.get(AGREEMENTS, "agreements.read", self.agreements),
            guard.post(AGREEMENTS, "agreements.write", self.enter_agreement),
            guard.get(ATTESTATIONS, "attestations.read", self.attestations),
            guard.post(ATTESTATIONS, "attestations.write", self.enter_attestation),
        ]

    # --- breaches -------------------------------------------------------------------------------

    async def breaches(self, request: web.Request) -> web.Response:
        """Every breach with the time left to tell those concerned."""
        return await self._breaches(request)

    async def enter_breach(self, request: web.Request) -> web.Response:
        """A new breach."""
        form = await read_form(request)
        enter = self._platform.breaches.enter
        try:
            made = await enter(who(request), form.kept(), id=form.text("once"))
        except Refusal as refusal:
            return await self._breaches(request, refusal)
        return redirect(f"{BREACHES}/{made}")

    async def _breaches(self, request: web.Request, refusal: Refusal | None = None) -> web.Response:
        found = await self._platform.breaches.listing(PAGE_ROWS + 1, before(request))
        more = {"risks": RISKS, "notice_hours": NOTICE_US // HOUR_US, "page": BREACHES}
        return self._page(request, "breaches", refusal, BREACH, **_turned(found), **more)

    async def breach(self, request: web.Request) -> web.Response:
        """One breach: what is known, who is to be told, what was added, the text of a notice."""
        return await self._breach(request, await self._asked(request))

    async def update_breach(self, request: web.Request) -> web.Response:
        """Add to a breach."""
        breach, form = await self._asked(request), await read_form(request)
        update = self._platform.breaches.update
        try:
            await update(who(request), breach.id, form.kept(), id=form.text("once"))
        except Refusal as refusal:
            return await self._breach(request, breach, refusal)
        return redirect(f"{BREACHES}/{breach.id}")

    async def _breach(
        self, request: web.Request, breach: Breach, refusal: Refusal | None = None
    ) -> web.Response:
        ids = (breach.entered_by, *(each.entered_by for each in breach.updates))
        people = self._people(request, ids)
        return self._page(
            request, "breach", refusal, UPDATE_PREFIX, breach=breach, acts=ACTS, people=people
        )

    async def _asked(self, request: web.Request) -> Breach:
        try:
            return await self._platform.breaches.named(request.match_info["id"])
        except Refusal:
            raise web.HTTPNotFound from None

    # --- agreements and attestations ------------------------------------------------------------

    async def agreements(self, request: web.Request) -> web.Response:
        """Every provider with the agreement that counts, then those before it."""
        return await self._agreements(request)

    async def enter_agreement(self, request: web.Request) -> web.Response:
        """An agreement that counts from now on."""
        form = await read_form(request)
        enter = self._platform.agreements.enter
        try:
            await enter(who(request), form.kept(), id=form.text("once"))
        except Refusal as refusal:
            return await self._agreements(request, refusal)
        return redirect(AGREEMENTS)

    async def _agreements(
        self, request: web.Request, refusal: Refusal | None = None
    ) -> web.Response:
        room = self._platform.agreements
        last = {each.provider: each for each in await room.last()}
        earlier = _turned(await room.replaced(PAGE_ROWS + 1, before(request)))
        providers = self._platform.catalog.snapshot.providers
        present = [name for name, each in providers.items() if each.kind != "sandbox"]
        return self._page(
            request,
            "agreements",
            refusal,
            AGREEMENT,
            rows=[(name, last.get(name)) for name in dict.fromkeys((*present, *last))],
            present=frozenset(present),
            earlier=earlier["rows"],
            following=earlier["following"],
            page=AGREEMENTS,
            names=sorted({*present, *_known_providers()}),
            required=self._platform.settings.catalog_require_agreements,
        )

    async def attestations(self, request: web.Request) -> web.Response:
        """Every attestation, newest first, and what is overdue."""
        return await self._attestations(request)

    async def enter_attestation(self, request: web.Request) -> web.Response:
        """A record of what was done."""
        form = await read_form(request)
        enter = self._platform.attestations.enter
        try:
            await enter(who(request), form.kept(), id=form.text("once"))
        except Refusal as refusal:
            return await self._attestations(request, refusal)
        return redirect(ATTESTATIONS)

    async def _attestations(
        self, request: web.Request, refusal: Refusal | None = None
    ) -> web.Response:
        room = self._platform.attestations
        found = await room.listing(PAGE_ROWS + 1, before(request))
        return self._page(
            request,
            "attestations",
            refusal,
            ATTESTATION,
            **_turned(found),
            kinds=KINDS,
            overdue={each.id for each in await room.overdue()},
            page=ATTESTATIONS,
        )

    # --- what the handlers share ----------------------------------------------------------------

    def _people(self, request: web.Request, ids: Iterable[str]) -> dict[str, Holder]:
        return holders(self._platform, ids) if "accounts.read" in allowed(request) else {}

    def _page(
        self,
        request: web.Request,
        name: str,
        refusal: Refusal | None,
        prefix: str,
        **values: Any,
    ) -> web.Response:
        problems = refusal.problems if isinstance(refusal, Unfit) else NONE
        return self._pages.render(
            request,
            f"admin/{name}.html",
            status=422 if refusal is not None else 200,
            may=allowed(request),
            now_us=self._platform.clock.now_us(),
            first=before(request) is None,
            once=self._platform.ids.make(prefix),
            problems=problems,
            refused=str(refusal) if refusal is not None and not problems else "",
            **values,
        )


def _turned(found: Sequence[Any]) -> dict[str, Any]:
    """A page's rows, of one more that was read, and the id that the next one goes on from."""
    following = found[PAGE_ROWS - 1].id if len(found) > PAGE_ROWS else None
    return {"rows": found[:PAGE_ROWS], "following": following}


def _known_providers() -> list[str]:
    presets = read_presets()
    return [name for name, entry in presets.providers.items() if entry.kind != "sandbox"]
