"""Incidents and maintenance as the administration enters them; what is entered is public at once.

Nothing is deleted: a wrong one is withdrawn and goes on standing here, with the reason.
"""

import re
from collections.abc import Awaitable
from typing import Any, Final

from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.platform.incidents import KINDS, Incident, parse_time
from gateway.platform.refusals import Refusal
from gateway.web.console.admin.frame import PAGE_ROWS, allowed, before, holders, who
from gateway.web.console.forms import read_form
from gateway.web.console.render import Pages
from gateway.web.guard import Guard, redirect

PAGE: Final = "/admin/incidents"
ONE: Final = PAGE + "/{id}"
WRITE: Final = "incidents.write"


class IncidentPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages
        self._room = platform.incidents

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, "incidents.read", self.listing),
            guard.post(PAGE, WRITE, self.enter),
            guard.get(ONE, "incidents.read", self.page),
            guard.post(ONE + "/updates", WRITE, self.add),
            guard.post(ONE + "/end", WRITE, self.end),
            guard.post(ONE + "/withdraw", WRITE, self.withdraw),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        """All there ever were, the newest entry first."""
        return await self._listing(request)

    async def _listing(self, request: web.Request, refused: str = "") -> web.Response:
        found = await self._room.listing(PAGE_ROWS + 1, before(request))
        now_us, shown = self._platform.clock.now_us(), found[:PAGE_ROWS]
        return self._pages.render(
            request,
            "admin/incidents.html",
            status=422 if refused else 200,
            may=allowed(request),
            rows=[(each, each.phase(now_us)) for each in shown],
            following=shown[-1].id if len(found) > PAGE_ROWS else None,
            first=before(request) is None,
            kinds=KINDS,
            refused=refused,
        )

    async def enter(self, request: web.Request) -> web.Response:
        """A new incident, or maintenance."""
        form = await read_form(request)
        try:
            made = await self._room.enter(
                who(request),
                form.text("kind"),
                form.text("title"),
                form.text("words"),
                models=[name for name in re.split(r"[\s,]+", form.text("models")) if name],
                begins_us=parse_time(form.text("begins")),
                ends_us=parse_time(form.text("ends")),
            )
        except Refusal as refusal:
            return await self._listing(request, str(refusal))
        return redirect(f"{PAGE}/{made.id}")

    async def page(self, request: web.Request) -> web.Response:
        """One of them, with its updates, and who entered what."""
        return await self._page(request, await self._asked(request))

    async def _page(
        self, request: web.Request, incident: Incident, refused: str = ""
    ) -> web.Response:
        may = allowed(request)
        people = {incident.entered_by, *(each.entered_by for each in incident.updates)}
        if incident.withdrawn_by is not None:
            people.add(incident.withdrawn_by)
        return self._pages.render(
            request,
            "admin/incident.html",
            status=422 if refused else 200,
            may=may,
            incident=incident,
            phase=incident.phase(self._platform.clock.now_us()),
            people=holders(self._platform, people) if "accounts.read" in may else {},
            refused=refused,
        )

    async def add(self, request: web.Request) -> web.Response:
        """What is known now."""
        incident, form = await self._asked(request), await read_form(request)
        added = self._room.add(who(request), incident.id, form.text("words"))
        return await self._tried(request, incident, added)

    async def end(self, request: web.Request) -> web.Response:
        """It is over; or maintenance ends at another time."""
        incident, form = await self._asked(request), await read_form(request)
        try:
            ends_us = parse_time(form.text("ends"))
        except Refusal as refusal:
            return await self._page(request, incident, str(refusal))
        ended = self._room.end(who(request), incident.id, ends_us)
        return await self._tried(request, incident, ended)

    async def withdraw(self, request: web.Request) -> web.Response:
        """Take it from the public, with a reason."""
        incident, form = await self._asked(request), await read_form(request)
        withdrawn = self._room.withdraw(who(request), incident.id, form.text("reason"))
        return await self._tried(request, incident, withdrawn)

    async def _tried(
        self, request: web.Request, incident: Incident, change: Awaitable[Any]
    ) -> web.Response:
        try:
            await change
        except Refusal as refusal:
            return await self._page(request, incident, str(refusal))
        return redirect(f"{PAGE}/{incident.id}")

    async def _asked(self, request: web.Request) -> Incident:
        """The one of the path. Raises HTTPNotFound."""
        try:
            return await self._room.named(request.match_info["id"])
        except Refusal:
            raise web.HTTPNotFound from None
