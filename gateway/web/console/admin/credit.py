"""Credit given and taken back by the forms of a person's page and of an organisation's.

It is an adjustment: a reason, one pair in the ledger, an audit row, and a second person above the
setting's amount. The same form sent twice does its work once.
"""

import re
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from gateway.base.money import parse_usd
from gateway.platform.accounts import Account
from gateway.platform.adjustments import Adjustment, Kind
from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.statement import Cursor, Line, statement, with_balances
from gateway.web.console.forms import Form

SOURCES: Final = ("adjustment", "promotion", "cash:manual")
TAKINGS: Final[tuple[Kind, ...]] = ("revoke", "forfeit")
MAX_TRANSACTION: Final = 100
LINES: Final = 20
_ADJUSTMENT = re.compile(r"adj_[0-9a-f]{28}")


async def give(platform: Platform, by: Account, account: Account, form: Form) -> Adjustment:
    """Give credit, or ask for it. Raises Refusal, MoneyError."""
    if form.text("source") not in SOURCES:
        raise Refusal("there is no such source of credit")
    return await platform.adjustments.request(
        by,
        account,
        parse_usd(form.text("usd")),
        form.text("source"),
        form.text("reason"),
        id=_once(form),
    )


async def take_back(platform: Platform, by: Account, account: Account, form: Form) -> Adjustment:
    """Take credit back, or ask for it. Raises Refusal, MoneyError."""
    kind: Kind | None = next((each for each in TAKINGS if each == form.text("kind")), None)
    if kind is None:
        raise Refusal("there is no such way to take credit back")
    return await platform.adjustments.request(
        by,
        account,
        parse_usd(form.text("usd")),
        "",
        form.text("reason"),
        id=_once(form),
        kind=kind,
        corrects=form.text("corrects").strip()[:MAX_TRANSACTION] or None,
    )


def after(page: str, made: Adjustment) -> str:
    """Where somebody goes on: to the page, which says so where a second person must agree."""
    return f"{page}?waits=1" if made.state == "waiting" else page


async def money_values(
    platform: Platform, account: Account, request: web.Request, *, shown: bool
) -> dict[str, Any]:
    """What a page shows of an account's money; `shown`: its movements too, a page of them."""
    balance_microusd = platform.ledger.balance(account.no)
    cursor = Cursor.parse(request.query.get("before", ""))
    wallet = platform.bank.wallets.get(account.no)
    lines: list[Line] = []
    following: Cursor | None = None
    if shown:

        def read(connection: Connection) -> tuple[list[Line], Cursor | None]:
            return statement(connection, account.no, before=cursor, limit=LINES)

        lines, following = await platform.database.read(read)
    return {
        "balance_microusd": balance_microusd,
        "held_microusd": wallet.held_microusd if wallet is not None else 0,
        "lines": with_balances(lines, balance_microusd) if cursor is None else lines,
        "following": following,
        "once": platform.ids.make("adj"),
        "once_back": platform.ids.make("adj"),
        "alone_usd": platform.settings.accounts_four_eyes_usd,
        "waits": request.query.get("waits") == "1",
    }


def _once(form: Form) -> str:
    once = form.text("once")
    if not _ADJUSTMENT.fullmatch(once):
        raise Refusal("the form is not from this page; open it again")
    return once
