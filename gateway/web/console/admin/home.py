"""The first page of administration: money, what is owed, whether the books agree, what waits.

Each number is shown to those whose role may read where it comes from.
"""

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from gateway.platform.accounts.roles import ADMIN_READ
from gateway.platform.assembly import Platform
from gateway.platform.ledger import books
from gateway.platform.request_log.query import totals
from gateway.web.admin.ledger_check import last_check
from gateway.web.console.admin.frame import DAY_US, allowed
from gateway.web.console.render import Pages
from gateway.web.guard import Guard

HOUR_US = 3_600 * 1_000_000


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
        values: dict[str, Any] = {"books": None, "usage": None}
        today_us = platform.clock.now_us() // DAY_US * DAY_US
        if "ledger.read" in may:
            values["books"] = await platform.database.read(lambda c: _money(c, today_us))
        if "usage.read" in may:
            values["usage"] = await platform.database.read(lambda c: _used(c, today_us))
        waiting = await platform.adjustments.waiting() if "credits.decide" in may else []
        letters = await platform.people.mail.undelivered() if "mail.show" in may else []
        return self._pages.render(
            request,
            "admin/home.html",
            may=may,
            checked=last_check(platform),
            failing=failing(platform) if "catalog.read" in may else [],
            warnings=platform.catalog.snapshot.warnings if "catalog.read" in may else (),
            waiting=waiting,
            letters=letters,
            accounts=len(platform.accounts),
            **values,
        )


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


def _used(connection: Connection, today_us: int) -> dict[str, int]:
    hour = today_us // HOUR_US
    [row] = totals(connection, from_hour=hour, until_hour=hour + 24)
    return {"requests": row.requests, "failures": row.failures, "cost": row.cost_microusd}
