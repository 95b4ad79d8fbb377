"""Usage: one range, cut into buckets and groups; a chart, the table of the same numbers, a file.

Range, grouping and what is shown stand in the address.
"""

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from gateway.platform.accounts.roles import OWN_READ
from gateway.platform.assembly import Platform
from gateway.platform.request_log.series import Cut, Group, Point, series
from gateway.web.console import i18n
from gateway.web.console.figures import MEASURES, as_csv, figure
from gateway.web.console.ranges import PRESETS, Range, read_range
from gateway.web.console.render import Pages
from gateway.web.console.signed_in import desk, key_names
from gateway.web.guard import Guard, language_of

BY: Final[dict[str, Group]] = {"model": "model", "key": "key_no", "provider": "provider"}


class UsagePages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get("/console/usage", OWN_READ, self.page),
            guard.get("/console/usage.csv", OWN_READ, self.file),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """The chart and its table."""
        span, by, points, name_of = await self._read(request)
        shown = request.query.get("show", "")
        shown = shown if shown in MEASURES else "cost"
        with i18n.speaking(language_of(request)):
            other = i18n.gettext("Other")
        shown_figure = figure(points, span, shown, name_of, other)
        return self._pages.render(
            request,
            "console/usage.html",
            span=span,
            ranges=tuple(PRESETS),
            by=by,
            groups=tuple(BY),
            shown=shown,
            measures=MEASURES,
            figure=shown_figure,
            names={row.group: name_of(row.group) for row in shown_figure.rows},
        )

    async def file(self, request: web.Request) -> web.Response:
        """The same numbers, bucket by bucket."""
        span, by, points, name_of = await self._read(request)
        return web.Response(
            text=as_csv(points, span, by, name_of),
            content_type="text/csv",
            charset="utf-8",
            headers={"Content-Disposition": f'attachment; filename="usage-by-{by}.csv"'},
        )

    async def _read(
        self, request: web.Request
    ) -> tuple[Range, str, list[Point], Callable[[Any], str]]:
        at, platform = desk(request), self._platform
        span = read_range(request.query, platform.clock.now_us())
        by = request.query.get("by", "")
        by = by if by in BY else "model"
        cut = Cut(at.account.no, span.from_hour, span.until_hour, key_nos=at.key_nos)
        points = await platform.database.read(
            lambda c: series(c, cut, group=BY[by], hours_a_bucket=span.hours_a_bucket)
        )
        names = await key_names(platform, at, request) if by == "key" else {}
        with i18n.speaking(language_of(request)):
            none = i18n.gettext("none")

        def name_of(group: Any) -> str:
            if by == "key":
                return names.get(group, f"#{group}")
            return str(group) or none

        return span, by, points, name_of
