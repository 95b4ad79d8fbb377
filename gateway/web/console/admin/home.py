"""The first page of administration: money, what is owed, whether the books agree, what waits.

Each number is shown to those whose role may read where it comes from.
"""

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from gateway.platform.accounts.roles import ADMIN_READ
from gateway.platform.assembly import Platform
from gateway.platform.checks import LEDGER
from gateway.platform.ledger import books
from gateway.platform.request_log.status import Day, days_charged
from gateway.web.console.admin.frame import DAY_US, allowed
from gateway.web.console.ranges import HOURS_A_DAY, label
from gateway.web.console.render import Pages
from gateway.web.guard import Guard

CHART_DAYS = 30


class HomePage:
    """The handler over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [guard.get("/admin", ADMIN_READ, self.home)]

    async def home(self, request: web.Request) -> web.Response:
        """Everything that needs somebody's eye today."""
        may = allowed(request)
        platform = self._platform
        values: dict[str, Any] = {"books": None, "usage": None, "month": None}
        today_us = platform.clock.now_us() // DAY_US * DAY_US
        if "ledger.read" in may:
            values["books"] = await platform.database.read(lambda c: _money(c, today_us))
        if "usage.read" in may:
            days = await platform.database.read(lambda c: days_charged(c, today_us, CHART_DAYS))
            values |= {"usage": _today(days, today_us), "month": _month(days, today_us)}
        waiting = await platform.adjustments.waiting() if "credits.decide" in may else []
        letters = await platform.people.mail.undelivered() if "mail.show" in may else []
        values |= await self._registers(may)
        values["reviews"] = await platform.reviews.waiting() if "reviews.read" in may else 0
        return self._pages.render(
            request,
            "admin/home.html",
            may=may,
            checked=platform.checks.last(LEDGER),
            progress=platform.checks.progress(LEDGER),
            failing=failing(platform) if "catalog.read" in may else [],
            warnings=platform.catalog.snapshot.warnings if "catalog.read" in may else (),
            waiting=waiting,
            letters=letters,
            accounts=len(platform.accounts) - len(platform.organisations),
            **values,
        )

    async def _registers(self, may: frozenset[str]) -> dict[str, Any]:
        """What waits in the registers: breaches to tell of, what lacks, what is due again."""
        platform = self._platform
        breaches = await platform.breaches.waiting() if "breaches.read" in may else []
        overdue = await platform.attestations.overdue() if "attestations.read" in may else []
        lacking: list[str] = []
        if platform.settings.catalog_require_agreements and "agreements.read" in may:
            providers = platform.catalog.snapshot.providers
            names = [name for name, each in providers.items() if each.kind != "sandbox"]
            lacking = await platform.database.read(lambda c: platform.agreements.lacking(c, names))
        now_us = platform.clock.now_us()
        late = [each for each in breaches if each.due_us < now_us]
        return {
            "now_us": now_us,
            "breaches": breaches,
            "late": late,
            "overdue": overdue,
            "lacking": lacking,
        }


def failing(platform: Platform) -> list[dict[str, Any]]:
    """Targets whose breaker is not closed, or whose keys are set aside."""
    read = platform.live.get("providers.health")
    rows: list[dict[str, Any]] = read() if read is not None else []
    return [
        row for row in rows if row["state"] != "closed" or any(key != "ok" for key in row["keys"])
    ]


def _money(connection: Connection, today_us: int) -> dict[str, int]:
    given = books.given(connection, today_us)
    return {
        "in": given.get("purchased", 0),
        "granted": given.get("promotional", 0) + given.get("adjustment", 0),
        "liabilities": books.liabilities(connection),
    }


def _today(days: list[Day], today_us: int) -> Day:
    today = today_us // DAY_US
    return next((each for each in days if each.day == today), Day(today, 0, 0, 0))


def _month(days: list[Day], today_us: int) -> dict[str, Any]:
    """What was charged on each of the last days, as a chart (see macros.html)."""
    today, by_day = today_us // DAY_US, {each.day: each for each in days}
    shown = range(today - CHART_DAYS + 1, today + 1)
    values = [by_day[day].cost_microusd if day in by_day else 0 for day in shown]
    return {
        "type": "bar",
        "labels": [label(day * DAY_US, HOURS_A_DAY) for day in shown],
        "unit": "usd",
        "series": [{"label": "", "values": values}],
        "total": sum(values),
    }
