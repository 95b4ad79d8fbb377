"""All pages of the administration, for the application."""

from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.web.console.admin.activity import ActivityPages
from gateway.web.console.admin.ages import AgeAdminPages
from gateway.web.console.admin.home import HomePage
from gateway.web.console.admin.incidents import IncidentPages
from gateway.web.console.admin.keys import KeyAdminPages
from gateway.web.console.admin.letters import LetterPages
from gateway.web.console.admin.models import ModelPages
from gateway.web.console.admin.organisations import OrganisationAdminPages
from gateway.web.console.admin.providers import ProviderPages
from gateway.web.console.admin.registers import RegisterPages
from gateway.web.console.admin.reports import ReportPages
from gateway.web.console.admin.reviews import ReviewPages
from gateway.web.console.admin.users import UserPages
from gateway.web.console.render import Pages
from gateway.web.guard import Guard


def admin_routes(platform: Platform, pages: Pages, guard: Guard) -> list[web.RouteDef]:
    """The routes of every page under `/admin`."""
    people = (UserPages, AgeAdminPages, OrganisationAdminPages, ActivityPages)
    keys = (KeyAdminPages, LetterPages)
    books = (RegisterPages, IncidentPages, ReviewPages, ReportPages)
    rooms = (HomePage, ProviderPages, ModelPages, *people, *keys, *books)
    return [route for room in rooms for route in room(platform, pages).routes(guard)]
