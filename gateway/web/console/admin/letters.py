"""Letters that did not reach anybody, with their links, for who may hand those over by hand.

Without a mail server, or where it refuses, nothing is lost: the letter stands here until it is
old. A link of one signs in, resets or joins, so only the role that may show mail sees the page,
and each look is an audit row.
"""

from typing import Final

from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.web.console.letters import Letters
from gateway.web.console.render import Pages
from gateway.web.guard import Guard
from gateway.web.hosts import base_url

PAGE: Final = "/admin/letters"


class LetterPages:
    """The handler over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [guard.get(PAGE, "mail.show", self.listing)]

    async def listing(self, request: web.Request) -> web.Response:
        """Letters that wait, failed, or could only be shown; newest first."""
        settings = self._platform.settings
        url = settings.server_public_url or base_url(settings.server_host, settings.server_port)
        letters = Letters(url)
        shown = await self._platform.people.mail.undelivered()
        return self._pages.render(
            request,
            "admin/letters.html",
            rows=[(each, letters.write(each.letter).link) for each in shown],
            configured=bool(settings.mail_smtp_host),
        )
