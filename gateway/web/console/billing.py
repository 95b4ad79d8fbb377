"""Billing: the balance, the credit it is made of, and what moved it. Nothing here moves money.

Charges stand in the log, one by one, and here by day, from the same transaction.
"""

from typing import Final

from aiohttp import web
from sqlalchemy import Connection

from gateway.platform.accounts.roles import OWN_READ
from gateway.platform.assembly import Platform
from gateway.platform.ledger.balances import LotRow, Movement, lots_of, movements_of
from gateway.platform.request_log.series import Cut, Point, series
from gateway.web.console.ranges import PRESETS, read_range
from gateway.web.console.render import Pages
from gateway.web.console.signed_in import desk
from gateway.web.guard import Guard

SHOWN_LOTS: Final = 200
SHOWN_MOVEMENTS: Final = 200


class BillingPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [guard.get("/console/billing", OWN_READ, self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """Balance, lots, what filled them, and each day's charges."""
        at, platform = desk(request), self._platform
        account, whole = at.account, at.may("ledger.read")
        span = read_range(request.query, platform.clock.now_us())
        cut = Cut(account.no, span.from_hour, span.until_hour, key_nos=at.key_nos)

        def read(c: Connection) -> tuple[list[LotRow], list[Movement], list[Point]]:
            days = series(c, cut, group=None)
            if not whole:  # where the credit came from is not for every member
                return [], [], days
            return lots_of(c, account.no), movements_of(c, account.no), days

        lots, movements, days = await platform.database.read(read)
        wallet = platform.bank.wallets.get(account.no)
        return self._pages.render(
            request,
            "console/billing.html",
            balance_microusd=platform.ledger.balance(account.no),
            held_microusd=wallet.held_microusd if wallet is not None else 0,
            span=span,
            ranges=tuple(PRESETS),
            lots=[lot for lot in reversed(lots) if lot.remaining_microusd][:SHOWN_LOTS],
            spent_lots=sum(1 for lot in lots if not lot.remaining_microusd),
            movements=movements[:SHOWN_MOVEMENTS],
            days=[day for day in reversed(days) if day.cost_microusd],
            day_us=86_400_000_000,
        )
