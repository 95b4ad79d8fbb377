"""Credit given and taken back by the forms of a person's page and of an organisation's.

It is an adjustment: a reason, one pair in the ledger, an audit row, and a second person above the
setting's amount. The same form sent twice does its work once.
"""

import re
from typing import Any, Final, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from gateway.base.money import format_usd, parse_usd
from gateway.platform.accounts import Account
from gateway.platform.adjustments import Adjustment, Kind, checked_reason
from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.statement import Cursor, Line, statement, with_balances
from gateway.web.console.forms import Form
from gateway.web.console.sure import Fact
from gateway.web.spoken import spoken

SOURCES: Final = ("adjustment", "promotion", "cash:manual")
TAKINGS: Final[tuple[Kind, ...]] = ("revoke", "forfeit")
WHAT_FOR: Final[dict[Kind, str]] = {
    "grant": spoken("Give credit"),
    "revoke": spoken("It was given by mistake"),
    "forfeit": spoken("Forfeited for a breach of the terms: always two people"),
}
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


class Taken(NamedTuple):
    """A form that takes credit back, as far as it can be checked before it is done."""

    kind: Kind
    amount_microusd: int
    reason: str
    once: str
    corrects: str | None
    carried: dict[str, str]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What the page that asks says of it."""
        return facts_of(self.kind, self.amount_microusd, self.reason)


def read_taking(form: Form) -> Taken:
    """What a form would take back. Raises Refusal, MoneyError."""
    kind: Kind | None = next((each for each in TAKINGS if each == form.text("kind")), None)
    if kind is None:
        raise Refusal("there is no such way to take credit back")
    amount_microusd = parse_usd(form.text("usd"))
    reason = checked_reason(amount_microusd, form.text("reason"))
    corrects = form.text("corrects").strip()[:MAX_TRANSACTION] or None
    carried = {name: form.text(name) for name in ("once", "usd", "kind", "corrects", "reason")}
    return Taken(kind, amount_microusd, reason, _once(form), corrects, carried)


async def take_back(platform: Platform, by: Account, account: Account, form: Form) -> Adjustment:
    """Take credit back, or ask for it. Raises Refusal, MoneyError."""
    wanted = read_taking(form)
    return await platform.adjustments.request(
        by,
        account,
        wanted.amount_microusd,
        "",
        wanted.reason,
        id=wanted.once,
        kind=wanted.kind,
        corrects=wanted.corrects,
    )


def facts_of(kind: Kind, amount_microusd: int, reason: str) -> tuple[Fact, ...]:
    """The lines about an adjustment on the page that asks for it."""
    return (
        Fact(spoken("Amount in US dollars"), format_usd(amount_microusd)),
        Fact(spoken("What for"), WHAT_FOR[kind], ours=True),
        Fact(spoken("Reason"), reason),
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
