"""The overview: balance and how long it lasts, today beside yesterday, thirty days, failures.

A new account sees three steps instead, which tick themselves while it takes them.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from gateway.platform.accounts.roles import OWN_READ
from gateway.platform.assembly import Platform
from gateway.platform.request_log.query import LoggedRequest
from gateway.platform.request_log.search import Wanted, newest_seq, search
from gateway.platform.request_log.series import Cut, Point, last_failed_hour, series
from gateway.web.console import i18n
from gateway.web.console.figures import Row, figure
from gateway.web.console.ranges import HOURS_A_DAY, Range, preset
from gateway.web.console.render import Pages
from gateway.web.console.signed_in import desk, key_rows, trial_model
from gateway.web.guard import Guard, language_of

FAILURES: Final = 5
PACE_DAYS: Final = 7  # days left are told from the spending of these


class Usage(NamedTuple):
    """What the overview reads of the log, in one go."""

    points: list[Point]
    days: tuple[Row, Row]  # today and yesterday
    failures: list[LoggedRequest]
    newest_seq: int


class OverviewPage:
    """The handler over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [guard.get("/console", OWN_READ, self.overview)]

    async def overview(self, request: web.Request) -> web.Response:
        """Everything of the signed-in account at a glance."""
        at, platform = desk(request), self._platform
        account, span = at.account, preset("30d", platform.clock.now_us())
        usage = await platform.database.read(lambda c: read_usage(c, account.no, span, at.key_nos))
        with i18n.speaking(language_of(request)):
            other, none = i18n.gettext("Other"), i18n.gettext("no model")
        wallet = platform.bank.wallets.get(account.no)
        balance_microusd = platform.ledger.balance(account.no)
        return self._pages.render(
            request,
            "console/overview.html",
            balance_microusd=balance_microusd,
            held_microusd=wallet.held_microusd if wallet is not None else 0,
            # A member sees a part of the spending, which tells nothing of the whole balance.
            days_left=days_left(usage.points, span, balance_microusd)
            if at.key_nos is None
            else None,
            today=usage.days[0],
            yesterday=usage.days[1],
            figure=figure(usage.points, span, "cost", lambda name: name or none, other),
            failures=[entry.row for entry in usage.failures],
            keys=await key_rows(platform, at, 1),
            newest_seq=usage.newest_seq,
            trial_model=trial_model(platform),
        )


def read_usage(
    connection: Connection,
    account_no: int,
    span: Range,
    key_nos: frozenset[int] | None = None,
) -> Usage:
    """Thirty days by model, the last two of them, and the newest failures."""
    cut = Cut(account_no, span.from_hour, span.until_hour, key_nos=key_nos)
    points = series(connection, cut, group="model")
    newest = newest_seq(connection, account_no) if key_nos is None else len(points)
    failures: list[LoggedRequest] = []
    hour = last_failed_hour(connection, cut) if newest else None
    if hour is not None:
        until_us = span.start_us(0) + (hour + 1) * 3_600_000_000
        wanted = Wanted(failed=True, until_us=until_us, key_nos=key_nos)
        failures = search(connection, account_no, wanted, limit=FAILURES).rows
    today = (span.until_hour - 1) // HOURS_A_DAY
    return Usage(points, (_of_day(points, today), _of_day(points, today - 1)), failures, newest)


def _of_day(points: Sequence[Point], day: int) -> Row:
    sums: Any = [point[2:] for point in points if point.bucket == day] or [(0,) * 5]
    return Row(day, *map(sum, zip(*sums, strict=True)))


def days_left(points: Sequence[Point], span: Range, balance_microusd: int) -> int | None:
    """Whole days that the balance lasts at the pace of the last days; None when none was spent."""
    today = (span.until_hour - 1) // HOURS_A_DAY
    spent = sum(p.cost_microusd for p in points if today - PACE_DAYS < p.bucket <= today)
    if not spent:
        return None
    return balance_microusd * PACE_DAYS // spent
