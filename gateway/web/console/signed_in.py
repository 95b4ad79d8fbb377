"""What the pages of an account share: who is signed in, and how its keys are called."""

from typing import Final

from aiohttp import web

from gateway.platform.accounts import Account
from gateway.platform.assembly import Platform
from gateway.platform.keys.short import PLAYGROUND_NO
from gateway.web.console import i18n
from gateway.web.console.render import language_of
from gateway.web.guard import ACCOUNT

TRIAL_MODEL: Final = "sandbox/lorem"
MOST_KEYS: Final = 500  # listed on one page


def account_of(request: web.Request) -> Account:
    """The signed-in account. Raises HTTPForbidden."""
    account = request[ACCOUNT]
    if account is None:
        raise web.HTTPForbidden
    return account


async def key_names(platform: Platform, account: Account, request: web.Request) -> dict[int, str]:
    """Names of the account's keys by number; the playground's own among them."""
    rows = await platform.keys.listing(account, MOST_KEYS)
    with i18n.speaking(language_of(request)):
        return {PLAYGROUND_NO: i18n.gettext("Playground")} | {row.no: row.name for row in rows}


def trial_model(platform: Platform) -> str:
    """The model of ready-made commands: one that needs no provider, or any there is."""
    models = platform.catalog.snapshot.models
    return TRIAL_MODEL if TRIAL_MODEL in models else next(iter(models), TRIAL_MODEL)
