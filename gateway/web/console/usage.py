"""Usage: one range, cut into buckets and groups; a chart, the table of the same numbers, a file.

Range, grouping and what is shown stand in the address.
"""

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from gateway.platform.accounts.roles import OWN_READ
from gateway.platform.assembly import Platform
from gateway.platform.request_log.applications import read_application
from gateway.platform.request_log.series import Cut, Group, Point, rest_of, series
from gateway.web.console import i18n
from gateway.web.console.figures import MEASURES, as_csv, figure
from gateway.web.console.ranges import PRESETS, Range, read_range
from gateway.web.console.render import Pages
from gateway.web.console.signed_in import desk, key_names
from gateway.web.guard import Guard, language_of

BY: Final[dict[str, Group]] = {
    "model": "model",
    "key": "key_no",
    "provider": "provider",
    "application": "application",
}


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
        points = await platform.database.read(lambda c: _points(c, cut, span, BY[by]))
        names = await key_names(platform, at, request) if by == "key" else {}
        with i18n.speaking(language_of(request)):
            none, other = i18n.gettext("none"), i18n.gettext("Other")

        def name_of(group: Any) -> str:
            if by == "key":
                return names.get(group, f"#{group}")
            if by == "application" and group:
                named = read_application(group)
                return named.shown if named is not None and named.shown else other
            return str(group) or none

        return span, by, points, name_of


def _points(connection: Connection, cut: Cut, span: Range, by: Group) -> list[Point]:
    """The points of a range by group. Requests that named no application are a group, too."""
    hours = span.hours_a_bucket
    points = series(connection, cut, group=by, hours_a_bucket=hours)
    if by == "application":
        points += rest_of(series(connection, cut, group=None, hours_a_bucket=hours), points)
        points.sort(key=lambda point: (point.bucket, point.group))
    return points
