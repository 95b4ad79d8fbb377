"""Keys and requests as the staff sees them: a key is revoked, a request is looked at.

Of a key there is its prefix, of a request its row of the log. Each list is read only where the
role of who looks holds that action, and reading it is an audit row of its own, besides that of the
page it stands on.
"""

import re
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from gateway.platform.accounts import Account
from gateway.platform.assembly import Platform
from gateway.platform.keys import KeyRow
from gateway.platform.keys.short import PLAYGROUND_NO
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.query import find, newest
from gateway.web.console import i18n
from gateway.web.console.admin.frame import (
    PAGE_ROWS,
    account_of,
    allowed,
    holder,
    number,
    who,
)
from gateway.web.console.logs import Whole, read_whole
from gateway.web.console.meanings import MEANINGS
from gateway.web.console.render import Pages
from gateway.web.console.sure import Matter, unsure
from gateway.web.guard import Guard, language_of, redirect

PAGE, KEYS = "/admin/requests", "/admin/keys"
MOST_KEYS: Final = 50
NAMED_KEYS: Final = 500  # of an account, looked through for the names of its requests' keys
LATEST: Final = 10
_REQUEST_ID = re.compile(r"req_[0-9a-f]{1,64}")


class ActivityPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, "requests.read", self.listing),
            guard.get(PAGE + "/{id}", "requests.read", self.detail),
            *guard.asked("/admin/keys/{id}/revoke", "keys.revoke", self.revoke),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        """Everybody's requests, or one account's, newest first. An id leads to its request."""
        platform, may = self._platform, allowed(request)
        sought = request.query.get("id", "").strip()
        if _REQUEST_ID.fullmatch(sought):
            return redirect(f"{PAGE}/{sought}")
        account, id = None, request.query.get("account", "")
        if id:
            account = account_of(platform, id)
            await _seen(platform, request, "requests.read", account.id)
        account_no, before = None if account is None else account.no, number(request, "before")

        def read(c: Connection) -> list[Any]:
            return newest(c, account_no=account_no, before_seq=before, limit=PAGE_ROWS + 1)

        found = await platform.database.read(read)
        keys: list[KeyRow] = []
        if account is not None and "keys.read" in may:
            keys = await platform.keys.listing(account, NAMED_KEYS)
        return self._pages.render(
            request,
            "admin/requests.html",
            rows=[each.row for each in found[:PAGE_ROWS]],
            following=found[PAGE_ROWS - 1].seq if len(found) > PAGE_ROWS else None,
            key_names=_names(request, keys),
            asked=id,
            of=None if account is None else _holder(platform, request, account),
        )

    async def detail(self, request: web.Request) -> web.Response:
        """One request of anybody. Raises HTTPNotFound."""
        platform, may, id = self._platform, allowed(request), request.match_info["id"]

        def read(c: Connection) -> Whole | None:
            found = find(c, id)
            return None if found is None else read_whole(c, found.row.account_no, id)

        whole = await platform.database.read(read)
        if whole is None:
            raise web.HTTPNotFound
        row, account = whole.row, platform.accounts.by_no(whole.row.account_no)
        keys: list[KeyRow] = []
        if "keys.read" in may:
            keys = await platform.keys.listing(account, NAMED_KEYS)
        if "credits.read" not in may:
            whole = whole._replace(entries=[])
        return self._pages.render(
            request,
            "admin/request.html",
            id=id,
            whole=whole,
            live=None,
            may=may,
            of=_holder(platform, request, account),
            key=next((each for each in keys if each.no == row.key_no), None),
            key_names=_names(request, keys),
            now_us=platform.clock.now_us(),
            meaning=MEANINGS.get(row.error_code or "", ""),
        )

    async def revoke(self, request: web.Request) -> web.Response:
        """End a key of anybody, now and for good. Raises HTTPNotFound."""
        platform, id = self._platform, request.match_info["id"]
        try:
            row = await platform.keys.named(id)
        except Refusal:
            raise web.HTTPNotFound from None
        if row.id != id:  # a prefix names a key as well, but no page of ours writes one here
            raise web.HTTPNotFound
        of = _holder(platform, request, row.account)
        back = KEYS if of is None else f"{of.href}#keys"
        first = await unsure(self._pages, request, "key.revoke", Matter(row.name, back))
        if first is not None:
            return first
        await platform.keys.revoke(row.id)
        return redirect(back)


async def activity_values(
    platform: Platform, request: web.Request, account: Account
) -> dict[str, Any]:
    """What the page of an account shows of its keys and requests, as far as the looker may."""
    may, keys, rows = allowed(request), [], []
    if "keys.read" in may:
        await _seen(platform, request, "keys.read", account.id)
        keys = await platform.keys.listing(account, MOST_KEYS)
    if "requests.read" in may:
        await _seen(platform, request, "requests.read", account.id)
        rows = await platform.database.read(
            lambda c: newest(c, account_no=account.no, limit=LATEST)
        )
    return {
        "keys": keys,
        "rows": [each.row for each in rows],
        "key_names": _names(request, keys),
        "now_us": platform.clock.now_us(),
    }


async def _seen(platform: Platform, request: web.Request, action: str, target: str) -> None:
    """Write the audit row first: what cannot be recorded is not shown."""
    by, resource = who(request), request.match_info.route.resource
    where = resource.canonical if resource is not None else ""
    await platform.people.audit.record(by.id, by.role, action, target, f"GET {where}")


def _holder(platform: Platform, request: web.Request, account: Account) -> Any:
    """Whose it is, for those who may know; None for the others."""
    return holder(platform, account) if "accounts.read" in allowed(request) else None


def _names(request: web.Request, keys: list[KeyRow]) -> dict[int, str]:
    with i18n.speaking(language_of(request)):
        playground = i18n.gettext("Playground")
    return {PLAYGROUND_NO: playground} | {each.no: each.name for each in keys}
