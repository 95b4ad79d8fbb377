"""What the administration pages share: who looks, which page of a list, and words for a refusal.

A handler parses, asks one or two rooms and renders; a form that is refused shows its page again
with the reason. Whether somebody may is decided by the guard, before; `allowed` only hides what
would be refused.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from aiohttp import web

from gateway.platform.accounts import Account
from gateway.platform.accounts.roles import TABLE
from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.web.guard import ACCOUNT
from gateway.web.spoken import spoken

PAGE_ROWS = 50
DAY_US = 86_400 * 1_000_000
MAX_NUMBER = 2**62


def who(request: web.Request) -> Account:
    """The account that looks. Raises HTTPForbidden; the guard has seen to it that there is one."""
    account = request[ACCOUNT]
    if account is None:
        raise web.HTTPForbidden
    return account


def allowed(request: web.Request) -> frozenset[str]:
    """What the account that looks may do."""
    return TABLE[who(request).role]


def number(request: web.Request, name: str) -> int | None:
    """A whole number of the query, or None where there is none or it is nonsense."""
    text = request.query.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    return min(int(text), MAX_NUMBER)


def before(request: web.Request) -> str | None:
    """The id that ended the page before, or None on the first."""
    return request.query.get("before", "")[:80] or None


def account_of(platform: Platform, id: str) -> Account:
    """The account of an id. Raises HTTPNotFound."""
    found = next((each for each in platform.accounts if each.id == id), None)
    if found is None:
        raise web.HTTPNotFound
    return found


def person_of(platform: Platform, request: web.Request) -> Account:
    """The account of the path, if somebody's. Raises HTTPNotFound."""
    account = account_of(platform, request.match_info["id"])
    if not account.is_person:
        raise web.HTTPNotFound
    return account


def other_of(platform: Platform, request: web.Request) -> Account:
    """Another's than one's own: nobody locks themselves out, or raises themselves.

    Raises HTTPNotFound, HTTPForbidden.
    """
    account = person_of(platform, request)
    if account is who(request):
        raise web.HTTPForbidden(text=spoken("Somebody else must do this to your account."))
    return account


class Holder(NamedTuple):
    """How a page names whoever holds an account, and where that is looked at."""

    name: str
    href: str


def holder(platform: Platform, account: Account) -> Holder:
    """A person by address, an organisation by name: its account's address means nothing."""
    organisation = platform.organisations.by_no(account.no)
    if organisation is None:
        return Holder(account.email, f"/admin/users/{account.id}")
    return Holder(organisation.name, f"/admin/organisations/{account.id}")


def holders(platform: Platform, ids: Iterable[str]) -> dict[str, Holder]:
    """Those among some ids that are accounts."""
    wanted = set(ids)
    return {each.id: holder(platform, each) for each in platform.accounts if each.id in wanted}


def segment(text: str) -> str:
    """Text as one part of a path, slashes too."""
    return quote(text, safe="")


def day_us(text: str) -> int | None:
    """The start of a day written 2026-12-31, in epoch microseconds; None for an empty text.

    Raises Refusal for anything else.
    """
    if not text.strip():
        return None
    try:
        day = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal("a date is written YEAR-MONTH-DAY") from None
    return int(day.timestamp()) * 1_000_000
