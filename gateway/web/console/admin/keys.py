"""Everybody's keys, newest first: for whoever may end a key but not look through accounts.

A key is looked for by what is shown of it, and by no more: a whole key that is pasted is cut, by
the field and here, so that no page repeats it. Whose a key is, only those see who may look at
accounts.
"""

from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.platform.keys.ring import shown_part
from gateway.web.console.admin.frame import PAGE_ROWS, allowed, holders, number
from gateway.web.console.render import Pages
from gateway.web.guard import Guard, redirect

PAGE: Final = "/admin/keys"


class KeyAdminPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [guard.get(PAGE, "keys.read", self.listing)]

    async def listing(self, request: web.Request) -> web.Response:
        """The keys of a page, or those that begin as is asked."""
        platform, may, before = self._platform, allowed(request), number(request, "before")
        asked = request.query.get("q", "").strip()
        sought = shown_part(asked)
        if sought != asked:
            return redirect(f"{PAGE}?{urlencode({'q': sought})}")
        found = await platform.keys.listing(
            limit=PAGE_ROWS + 1, before_no=before, prefix=sought or None
        )
        rows = found[:PAGE_ROWS]
        ids = {each.account.id for each in rows}
        return self._pages.render(
            request,
            "admin/keys.html",
            may=may,
            rows=rows,
            of=holders(platform, ids) if "accounts.read" in may else None,
            following=rows[-1].no if len(found) > PAGE_ROWS else None,
            first=before is None,
            sought=sought,
            now_us=platform.clock.now_us(),
        )
