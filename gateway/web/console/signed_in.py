"""What the pages of an account share: who is signed in, and how its keys are called."""

from typing import Final

from aiohttp import web

from gateway.platform.accounts import Account
from gateway.platform.assembly import Platform
from gateway.platform.keys import KeyRow
from gateway.platform.keys.short import PLAYGROUND_NO
from gateway.platform.organisations import Desk
from gateway.web.console import i18n
from gateway.web.guard import ACCOUNT, DESK, language_of

TRIAL_MODEL: Final = "sandbox/lorem"
MOST_KEYS: Final = 500  # listed on one page


def account_of(request: web.Request) -> Account:
    """The signed-in account. Raises HTTPForbidden."""
    account = request[ACCOUNT]
    if account is None:
        raise web.HTTPForbidden
    return account


def desk(request: web.Request) -> Desk:
    """Whose things are shown. Raises HTTPForbidden."""
    found = request[DESK]
    if found is None:
        raise web.HTTPForbidden
    return found


async def key_rows(platform: Platform, at: Desk, limit: int = MOST_KEYS) -> list[KeyRow]:
    """The keys that a desk shows, newest first."""
    rows = await platform.keys.listing(at.account, MOST_KEYS)
    return [row for row in rows if at.shows(row.no)][:limit]


async def key_names(platform: Platform, at: Desk, request: web.Request) -> dict[int, str]:
    """Names of a desk's keys by number; the playground's own among them."""
    rows = await key_rows(platform, at)
    names = {row.no: row.name for row in rows}
    if at.organisation is not None:
        owners, by_no = at.organisation.keys, platform.accounts.by_no
        return {
            # One that the command line made has no owner.
            no: f"{name} · {by_no(owners[no]).email}" if no in owners else name
            for no, name in names.items()
        }
    with i18n.speaking(language_of(request)):
        return {PLAYGROUND_NO: i18n.gettext("Playground")} | names


def trial_model(platform: Platform) -> str:
    """The model of ready-made commands: one that needs no provider, or any there is."""
    models = platform.catalog.snapshot.models
    return TRIAL_MODEL if TRIAL_MODEL in models else next(iter(models), TRIAL_MODEL)
