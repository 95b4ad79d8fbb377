"""Builds the aiohttp application of everything that is not the inference API.

It wires pages, health and the security middleware together and knows nothing of what they do.
"""

from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.proxy.dialects.endpoints import BY_NAME
from gateway.proxy.exchange import Plane
from gateway.web.api.application import Api
from gateway.web.api.door import PREFIX, refused_before
from gateway.web.api.openapi import InferencePath
from gateway.web.client_address import parse_networks
from gateway.web.console.admin.application import admin_routes
from gateway.web.console.ages import AgePages
from gateway.web.console.billing import BillingPages
from gateway.web.console.elsewhere import ElsewherePages
from gateway.web.console.entrance import EntrancePages
from gateway.web.console.keys import KeyPages
from gateway.web.console.live import Live
from gateway.web.console.logs import LogPages
from gateway.web.console.operator import operator_of
from gateway.web.console.organisations import OrganisationPages
from gateway.web.console.overview import OverviewPage
from gateway.web.console.playground import PlaygroundPages
from gateway.web.console.profile import ProfilePages
from gateway.web.console.public import PublicPages
from gateway.web.console.reference import ReferencePage
from gateway.web.console.render import Pages
from gateway.web.console.running import Running
from gateway.web.console.security import SecurityPages
from gateway.web.console.usage import UsagePages
from gateway.web.guard import TRUSTED, Guard, check_declared, public
from gateway.web.health import Health
from gateway.web.hosts import parse_allowed
from gateway.web.realtime import Realtime
from gateway.web.security import name_request, security

MAX_FORM_BYTES = 16 * 1024
_FORMS = frozenset({"image_edits", "transcriptions", "translations"})


def inference_paths() -> list[InferencePath]:
    """What the OpenAPI document lists of the inference door."""
    models = InferencePath("models", "/v1/models", "openai", False, method="get")
    return [models] + [
        InferencePath(
            each.name,
            each.path.replace("{m}", "{model}"),
            each.family,
            each.streams,
            "form" if each.name in _FORMS else "json",
        )
        for each in BY_NAME.values()
        if each.path  # a form that only providers speak has none
    ]


def build_app(platform: Platform, plane: Plane) -> web.Application:
    """The console and the health pages of one gateway."""
    pages = Pages(operator_of(platform.settings))
    pages.announced = platform.incidents.announced
    pages.coming = platform.versions.coming

    def error_page(request: web.Request, status: int, words: str) -> web.Response:
        if request.path.startswith(f"{PREFIX}/"):
            return refused_before(status, words)
        return pages.render(request, "error.html", status=status, words=words)

    allowed = parse_allowed(platform.settings.server_allowed_hosts)
    app = web.Application(
        client_max_size=MAX_FORM_BYTES,
        middlewares=[security(allowed, error_page, lambda: platform.ids.make("req"))],
    )
    app.on_response_prepare.append(name_request)
    try:
        app[TRUSTED] = parse_networks(platform.settings.server_trusted_proxies)
    except ValueError as error:
        raise Refusal(f"setting server.trusted_proxies: {error}") from None
    app.on_cleanup.append(pages.close)
    people = platform.people
    guard = Guard(people, platform.organisations)
    app.add_routes([public(route) for route in Health(plane).routes()])
    app.add_routes([public(route) for route in Realtime(plane).routes()])  # it asks for an API key
    app.add_routes(PublicPages(platform, pages).routes(guard))
    api = Api(platform, inference_paths())
    app.add_routes(api.routes())
    app.add_routes(ReferencePage(api.document, pages).routes(guard))
    running = Running(plane)
    app.add_routes(OverviewPage(platform, pages).routes(guard))
    app.add_routes(KeyPages(platform, pages).routes(guard))
    app.add_routes(UsagePages(platform, pages).routes(guard))
    app.add_routes(LogPages(platform, pages, running).routes(guard))
    app.add_routes(BillingPages(platform, pages).routes(guard))
    app.add_routes(PlaygroundPages(platform, pages).routes(guard))
    app.add_routes(OrganisationPages(platform, pages).routes(guard))
    app.add_routes(Live(platform, running).routes(guard))
    app.add_routes(SecurityPages(people, platform.settings, pages).routes(guard))
    app.add_routes(ProfilePages(people, pages).routes(guard))
    app.add_routes(AgePages(platform, pages).routes(guard))
    elsewhere = ElsewherePages(people, platform.settings, platform.clock, pages)
    app.add_routes(elsewhere.routes(guard))
    sites = elsewhere.providers.values()
    app.add_routes(EntrancePages(people, platform.sign_in, pages, sites).routes(guard))
    app.add_routes(admin_routes(platform, pages, guard))
    check_declared(app)
    pages.paths = {
        route.resource.canonical: getattr(route.handler, "action", "")
        for route in app.router.routes()
        if route.method == "GET" and route.resource is not None
    }
    return app
