"""The pages of an account: its overview.

Each handler parses, asks one or two rooms and renders. A GET never changes anything.
"""

from aiohttp import web

from gateway.platform.accounts.roles import OWN_READ
from gateway.platform.assembly import Platform
from gateway.platform.request_log.query import newest
from gateway.web.console.render import Pages
from gateway.web.guard import ACCOUNT, Guard, redirect

SHOWN_REQUESTS = 20
SHOWN_KEYS = 50
TRIAL_MODEL = "sandbox/lorem"


class Console:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get("/console", OWN_READ, self.overview),
        ]

    async def overview(self, request: web.Request) -> web.Response:
        """Balance, keys and the newest requests of the signed-in account."""
        account = request[ACCOUNT]
        if account is None:
            return redirect("/sign-in")
        platform = self._platform
        wallet = platform.bank.wallets.get(account.no)
        logged = await platform.database.read(
            lambda connection: newest(connection, account_no=account.no, limit=SHOWN_REQUESTS)
        )
        return self._pages.render(
            request,
            "console.html",
            balance_microusd=platform.ledger.balance(account.no),
            held_microusd=wallet.held_microusd if wallet is not None else 0,
            keys=await platform.keys.listing(account, SHOWN_KEYS),
            now_us=platform.clock.now_us(),
            requests=[entry.row for entry in logged],
            trial_model=self._trial_model(),
        )

    def _trial_model(self) -> str:
        """The model of the ready-made command: one that needs no provider, or any there is."""
        models = self._platform.catalog.snapshot.models
        return TRIAL_MODEL if TRIAL_MODEL in models else next(iter(models), TRIAL_MODEL)
