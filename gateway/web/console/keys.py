"""Keys: listed with what they spend, made, bound, rotated, revoked, reported as leaked.

A key's text is on one page only: the answer to the form that made it.
"""

from typing import Any, Final, NamedTuple

from aiohttp import web

from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.assembly import Platform
from gateway.platform.keys import IssuedKey, KeyRow
from gateway.platform.limits.budget import PERIODS, period_no, period_start_us
from gateway.platform.limits.terms import Limits
from gateway.platform.organisations import Desk
from gateway.platform.refusals import Problem, Refusal
from gateway.platform.request_log.series import Cut, KeyUse, use_by_key
from gateway.platform.reviews import Case
from gateway.web.console.forms import read_form
from gateway.web.console.key_forms import (
    BUDGETS,
    ENDPOINTS,
    KeyWish,
    read_key_form,
    shown_fields,
    typed_fields,
)
from gateway.web.console.render import Pages
from gateway.web.console.signed_in import MOST_KEYS, desk, key_rows, trial_model
from gateway.web.console.sure import Matter, unsure
from gateway.web.guard import Guard, redirect

PAGE: Final = "/console/keys"
HOUR_US: Final = 3_600 * 10**6
USED_HOURS: Final = 90 * 24  # how far back "last used" looks
GRACES: Final = {"0": 0, "1h": 1, "24h": 24, "7d": 168}  # hours


class Listed(NamedTuple):
    """A key's line: `limit` and `spent` are of the shortest period that has a budget."""

    row: KeyRow
    state: str
    period: str
    spent_microusd: int
    limit_microusd: int | None
    last_used_us: int | None
    is_new: bool  # younger than what "last used" looks back, so unused is never used
    owner: str = ""  # whom an organisation's key was issued to
    case: Case | None = None  # its last review, if there was one


class KeyPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get(PAGE, OWN_READ, self.page),
            guard.post(PAGE, OWN_WRITE, self.make),
            guard.get(PAGE + "/new", OWN_READ, self.new),
            guard.get(PAGE + "/{id}", OWN_READ, self.detail),
            guard.post(PAGE + "/{id}", OWN_WRITE, self.change),
            guard.post(PAGE + "/{id}/rotate", OWN_WRITE, self.rotate),
            *guard.asked(PAGE + "/{id}/revoke", OWN_WRITE, self.revoke),
            *guard.asked(PAGE + "/{id}/leaked", OWN_WRITE, self.leaked),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """The table."""
        at = desk(request)
        rows = await key_rows(self._platform, at)
        listed = await self._listed(at, rows)
        everything = request.query.get("ended", "") == "1"
        living = [each for each in listed if each.state in ("active", "rotated")]
        return self._pages.render(
            request,
            "console/keys.html",
            keys=listed if everything else living,
            ended=len(listed) - len(living),
            everything=everything,
            at_most=MOST_KEYS if len(rows) == MOST_KEYS else 0,
        )

    async def new(self, request: web.Request) -> web.Response:
        """The form of a new key."""
        return self._form(request, shown_fields())

    async def make(self, request: web.Request) -> web.Response:
        """Make the key and show it, once."""
        at, platform, form = desk(request), self._platform, await read_form(request)
        try:
            wish = read_key_form(form, platform.clock.now_us())
        except Problem as problem:
            return self._form(request, typed_fields(form), problem)
        bounds: Any = {"expires_us": wish.expires_us, "scope": wish.scope}
        if at.organisation is not None:
            issued = await platform.organisations.issue_key(
                at.organisation, at.person, wish.name, **bounds
            )
        else:
            issued = await platform.keys.issue(at.account, wish.name, **bounds)
        if any(value is not None for value in wish.limits):
            await self._limit(at, issued.id, wish.limits)
        await self._record(at, "keys.create", issued.id)
        return self._made(request, issued, wish)

    async def detail(self, request: web.Request) -> web.Response:
        """One key, with the form of what can be changed."""
        at, row = await self._asked(request)
        fields = shown_fields(row, self._platform.tiers.of_key(row))
        [listed] = await self._listed(at, [row])
        return self._form(request, fields, listed=listed)

    async def change(self, request: web.Request) -> web.Response:
        """Rename, bind, date and limit a key."""
        at, row = await self._asked(request)
        platform, form = self._platform, await read_form(request)
        try:
            wish = read_key_form(form, platform.clock.now_us(), row.expires_us)
            await platform.keys.change(
                row, name=wish.name, scope=wish.scope, expires_us=wish.expires_us
            )
        except (Problem, Refusal) as error:
            problem = error if isinstance(error, Problem) else Problem("name", "ended")
            [listed] = await self._listed(at, [row])
            return self._form(request, typed_fields(form), problem, listed)
        await self._limit(at, row.id, wish.limits)
        await self._record(at, "keys.change", row.id)
        return redirect(f"{PAGE}/{row.id}")

    async def rotate(self, request: web.Request) -> web.Response:
        """Another key in the place of this one, which works on for a while."""
        at, row = await self._asked(request)
        platform, form = self._platform, await read_form(request)
        hours = GRACES.get(form.text("grace"))
        if hours is None:
            raise web.HTTPUnprocessableEntity
        if hours == 0:
            first = await self._unsure(request, "key.replace", row, grace="0")
            if first is not None:
                return first
        limits = platform.tiers.of_key(row)
        try:
            if at.organisation is not None:
                issued = await platform.organisations.rotate_key(
                    at.organisation, row, hours * HOUR_US
                )
            else:
                issued = await platform.keys.rotate(row, hours * HOUR_US)
        except Refusal as refusal:
            [listed] = await self._listed(at, [row])
            page = self._form(request, shown_fields(row, limits), None, listed, str(refusal))
            page.set_status(web.HTTPConflict.status_code)
            return page
        if any(value is not None for value in limits):
            await self._limit(at, issued.id, limits)
        await self._record(at, "keys.rotate", row.id, f"in its place {issued.id}")
        wish = KeyWish(row.name, row.scope, row.expires_us, limits)
        return self._made(request, issued, wish, grace_h=hours, replaced=row)

    async def revoke(self, request: web.Request) -> web.Response:
        """End a key now."""
        at, row = await self._asked(request)
        first = await self._unsure(request, "key.revoke", row)
        if first is not None:
            return first
        await self._platform.keys.revoke(row.id, at.account)
        await self._record(at, "keys.revoke", row.id)
        return redirect(PAGE)

    async def leaked(self, request: web.Request) -> web.Response:
        """End a key that somebody else may know, and show what was done with it."""
        at, row = await self._asked(request)
        first = await self._unsure(request, "key.leaked", row)
        if first is not None:
            return first
        await self._platform.keys.revoke(row.id, at.account, ended_by="leaked")
        await self._record(at, "keys.leaked", row.id)
        return redirect(f"/console/logs?key={row.no}&range=30d")

    # --- what the handlers share ----------------------------------------------------------------

    async def _asked(self, request: web.Request) -> tuple[Desk, KeyRow]:
        """The key of the path, among those that may be seen. Raises HTTPNotFound."""
        at = desk(request)
        try:
            row = await self._platform.keys.named(request.match_info["id"], at.account)
        except Refusal:
            raise web.HTTPNotFound from None
        if not at.shows(row.no):
            raise web.HTTPNotFound
        return at, row

    async def _unsure(
        self, request: web.Request, act: str, row: KeyRow, **carried: str
    ) -> web.Response | None:
        matter = Matter(row.name, f"{PAGE}/{row.id}", carried)
        return await unsure(self._pages, request, act, matter)

    async def _limit(self, at: Desk, id: str, limits: Limits) -> None:
        row = await self._platform.keys.named(id, at.account)
        await self._platform.tiers.set_key(row, limits._asdict())

    async def _record(self, at: Desk, action: str, id: str, detail: str = "") -> None:
        audit, person = self._platform.people.audit, at.person
        await audit.record(person.id, person.role, action, id, detail)

    async def _listed(self, at: Desk, rows: list[KeyRow]) -> list[Listed]:
        platform, now_us = self._platform, self._platform.clock.now_us()
        hour = now_us // HOUR_US
        since = [period_start_us(p, period_no(p, now_us)) // HOUR_US for p in PERIODS]
        cut = Cut(at.account.no, max(0, min(hour - USED_HOURS, *since)), hour + 1)
        uses: dict[int, KeyUse] = {}
        if rows:
            uses = await platform.database.read(lambda c: use_by_key(c, cut, since))
        cases = await platform.reviews.latest([row.no for row in rows])
        lines = [self._line(row, uses.get(row.no), now_us, at) for row in rows]
        return [line._replace(case=cases.get(line.row.no)) for line in lines]

    def _line(self, row: KeyRow, use: KeyUse | None, now_us: int, at: Desk) -> Listed:
        limits = self._platform.tiers.of_key(row)
        period, spent, limit = PERIODS[-1], use.spent_microusd[-1] if use is not None else 0, None
        for index, name in enumerate(BUDGETS):
            value = getattr(limits, name)
            if value is not None:
                spent = use.spent_microusd[index] if use is not None else 0
                period, limit = PERIODS[index], value
                break
        last_us = use.last_hour * HOUR_US if use is not None else None
        owner = at.organisation.keys.get(row.no) if at.organisation is not None else None
        email = self._platform.accounts.by_no(owner).email if owner is not None else ""
        is_new = row.created_us >= now_us - USED_HOURS * HOUR_US
        return Listed(row, state_of(row, now_us), period, spent, limit, last_us, is_new, email)

    def _form(
        self,
        request: web.Request,
        fields: dict[str, str],
        problem: Problem | None = None,
        listed: Listed | None = None,
        refused: str = "",
    ) -> web.Response:
        models = sorted(self._platform.catalog.snapshot.models)
        return self._pages.render(
            request,
            "console/key_form.html",
            status=200 if problem is None else 422,
            fields=fields,
            problem=problem,
            refused=refused,
            listed=listed,
            endpoints=ENDPOINTS,
            models=models,
            graces=tuple(GRACES),
        )

    def _made(
        self, request: web.Request, issued: IssuedKey, wish: KeyWish, **more: Any
    ) -> web.Response:
        model = trial_model(self._platform)
        if wish.scope is not None and not wish.scope.admits_model(model):
            offered = self._platform.catalog.snapshot.models
            model = next(filter(wish.scope.admits_model, offered), model)
        more = {"grace_h": None, "replaced": None} | more
        return self._pages.render(
            request, "console/key_made.html", issued=issued, trial_model=model, **more
        )


def state_of(row: KeyRow, now_us: int) -> str:
    """active, rotated (works on until its grace ends), leaked, revoked or expired."""
    if row.revoked_us is not None:
        return "leaked" if row.ended_by == "leaked" else "revoked"
    if row.expires_us is not None and row.expires_us <= now_us:
        return "expired"
    return "rotated" if row.ended_by == "rotated" else "active"
