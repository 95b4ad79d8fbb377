"""Builds the aiohttp application of everything that is not the inference API.

It wires pages, health and the security middleware together and knows nothing of what they do.
"""

from http import HTTPStatus

from aiohttp import web

from gateway.platform.accounts.sessions import Sessions
from gateway.platform.assembly import Platform
from gateway.proxy.exchange import Plane
from gateway.web.console.pages import Console
from gateway.web.console.render import Pages
from gateway.web.health import Health
from gateway.web.hosts import parse_allowed
from gateway.web.security import security

MAX_FORM_BYTES = 16 * 1024


def build_app(platform: Platform, plane: Plane) -> web.Application:
    """The console and the health pages of one gateway."""
    pages = Pages()

    def error_page(request: web.Request, status: int, words: str) -> web.Response:
        title = HTTPStatus(status).phrase
        return pages.render(request, "error.html", status=status, title=title, words=words)

    allowed = parse_allowed(platform.settings.server_allowed_hosts)
    app = web.Application(
        client_max_size=MAX_FORM_BYTES, middlewares=[security(allowed, error_page)]
    )
    sessions = Sessions(platform.database, platform.accounts, platform.clock)
    app.add_routes(Health(plane).routes())
    app.add_routes(Console(platform, sessions, pages).routes())
    return app
