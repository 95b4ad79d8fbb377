"""Review cases as staff see them: the open ones first, one with its figures, closed with a finding.

A page shows figures and the key's shown part, and whose it is to those who may know that.
"""

from typing import Final

from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.platform.reviews import Case, Place
from gateway.web.console.admin.frame import PAGE_ROWS, Holder, allowed, holder, holders, who
from gateway.web.console.forms import read_form
from gateway.web.console.render import Pages
from gateway.web.guard import Guard, redirect

PAGE: Final = "/admin/reviews"
ONE: Final = PAGE + "/{id}"
MAX_PLACE: Final = 80


class ReviewPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages
        self._room = platform.reviews

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, "reviews.read", self.listing),
            guard.get(ONE, "reviews.read", self.page),
            guard.post(ONE + "/close", "reviews.write", self.close),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        """Every case, the open ones first."""
        state, id = (request.query.get(name, "")[:MAX_PLACE] for name in ("state", "after"))
        after = Place(state, id) if state and id else None
        found = await self._room.listing(PAGE_ROWS + 1, after)
        shown, platform = found[:PAGE_ROWS], self._platform
        people: dict[int, Holder] | None = None
        if "accounts.read" in allowed(request):
            people = {each.account_no: self._holder(each) for each in shown}
        return self._pages.render(
            request,
            "admin/reviews.html",
            rows=shown,
            keys=await platform.keys.numbered([each.key_no for each in shown]),
            people=people,
            later=after is not None,
            following=Place(shown[-1].state, shown[-1].id) if len(found) > PAGE_ROWS else None,
        )

    async def page(self, request: web.Request) -> web.Response:
        """One case."""
        return await self._page(request, await self._asked(request))

    async def _page(self, request: web.Request, case: Case, refused: str = "") -> web.Response:
        may, platform = allowed(request), self._platform
        keys = await platform.keys.numbered([case.key_no])
        known = "accounts.read" in may
        closer = holders(platform, [case.closed_by]) if known and case.closed_by else {}
        return self._pages.render(
            request,
            "admin/review.html",
            status=422 if refused else 200,
            may=may,
            case=case,
            key=keys.get(case.key_no),
            holder=self._holder(case) if known else None,
            account_id=platform.accounts.by_no(case.account_no).id,
            closer=closer.get(case.closed_by or ""),
            now_us=platform.clock.now_us(),
            refused=refused,
        )

    async def close(self, request: web.Request) -> web.Response:
        """Say what it was."""
        case, form = await self._asked(request), await read_form(request)
        try:
            await self._room.close(who(request), case.id, form.text("finding"), form.text("words"))
        except Refusal as refusal:
            return await self._page(request, await self._asked(request), str(refusal))
        return redirect(f"{PAGE}/{case.id}")

    def _holder(self, case: Case) -> Holder:
        return holder(self._platform, self._platform.accounts.by_no(case.account_no))

    async def _asked(self, request: web.Request) -> Case:
        """The one of the path. Raises HTTPNotFound."""
        try:
            return await self._room.named(request.match_info["id"])
        except Refusal:
            raise web.HTTPNotFound from None
