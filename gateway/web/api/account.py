"""Operations on the account itself: who it is, its profile, its balance and what changed it."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from gateway.base.errors import InvalidRequest
from gateway.platform.accounts.profiles import Profile
from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.ledger.balances import lots_of
from gateway.platform.request_log.statement import Cursor, Line, statement
from gateway.web.api.door import Call, Operation
from gateway.web.api.shapes import Limit, Money, money, written

_Cursor = Annotated[str, msgspec.Meta(max_length=60, description="`next` of the page before.")]
_Text = Annotated[str, msgspec.Meta(max_length=1_000)]


class AccountAnswer(msgspec.Struct):
    """An account and what its owner said of themselves."""

    id: str
    email: str
    role: str
    created: str
    profile: Profile


class ProfileChange(msgspec.Struct, forbid_unknown_fields=True):
    """Fields of the profile to change; those left out stay, an empty text removes."""

    display_name: _Text | UnsetType = UNSET
    username: _Text | UnsetType = UNSET
    phone: _Text | UnsetType = UNSET
    company: _Text | UnsetType = UNSET
    billing_address: _Text | UnsetType = UNSET
    tax_id: _Text | UnsetType = UNSET
    language: _Text | UnsetType = UNSET
    time_zone: _Text | UnsetType = UNSET
    avatar: _Text | UnsetType = UNSET
    bio: _Text | UnsetType = UNSET
    default_model: _Text | UnsetType = UNSET
    notify_balance: bool | UnsetType = UNSET
    notify_news: bool | UnsetType = UNSET


class Lot(msgspec.Struct):
    """Credit as it was given, and what is left of it; the oldest is spent first."""

    kind: str
    granted: Money
    remaining: Money
    created: str


class Balance(msgspec.Struct):
    """What can be spent. `held` is reserved by requests that run; `available` is the rest."""

    balance: Money
    held: Money
    available: Money
    lots: list[Lot]


class LedgerQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which page of the ledger."""

    limit: Limit = 50
    before: _Cursor | None = None


class LedgerLine(msgspec.Struct):
    """One movement: above zero it raised the balance, below it lowered it."""

    at: str
    kind: str
    amount: Money
    request_id: str | None


class LedgerPage(msgspec.Struct):
    """Movements, newest first; `next` is null on the last page."""

    entries: list[LedgerLine]
    next: str | None


async def read_account(call: Call) -> AccountAnswer:
    """The account as it stands."""
    account = call.account
    profile = await call.platform.people.profiles.of(account)
    return AccountAnswer(
        account.id, account.email, account.role, written(account.created_us), profile
    )


async def change_account(call: Call) -> AccountAnswer:
    """Change the profile. Raises Problem."""
    profiles = call.platform.people.profiles
    given: dict[str, Any] = {
        name: value
        for name in ProfileChange.__struct_fields__
        if (value := getattr(call.body, name)) is not UNSET
    }
    before = await profiles.of(call.account)
    await profiles.change(call.account, msgspec.structs.replace(before, **given))
    return await read_account(call)


async def read_balance(call: Call) -> Balance:
    """Balance, holds and lots. An API key sees no lots: they tell of payments."""
    platform, no = call.platform, call.account.no
    wallet = platform.bank.wallets.get(no)
    balance_microusd = platform.ledger.balance(no)
    held_microusd = wallet.held_microusd if wallet is not None else 0
    lots = []
    if call.key is None:
        lots = await platform.database.read(lambda connection: lots_of(connection, no))
    return Balance(
        money(balance_microusd),
        money(held_microusd),
        money(balance_microusd - held_microusd),
        [
            Lot(
                lot.kind,
                money(lot.granted_microusd),
                money(lot.remaining_microusd),
                written(lot.at_us),
            )
            for lot in lots
        ],
    )


async def read_ledger(call: Call) -> LedgerPage:
    """What raised and lowered the balance, newest first."""
    limit, cursor = call.query.limit, None
    if call.query.before is not None:
        cursor = Cursor.parse(call.query.before)
        if cursor is None:
            raise InvalidRequest("That is no page of this ledger.", param="before")

    def read(connection: Connection) -> tuple[list[Line], Cursor | None]:
        return statement(connection, call.account.no, before=cursor, limit=limit)

    lines, following = await call.platform.database.read(read)
    return LedgerPage([_line(line) for line in lines], str(following) if following else None)


def _line(line: Line) -> LedgerLine:
    return LedgerLine(
        written(line.at_us),
        line.kind,
        money(line.amount_microusd),
        line.request_id,
    )


OPERATIONS = (
    Operation(
        *("getAccount", "GET", "/account", OWN_READ, "The account and its profile"),
        *(read_account, AccountAnswer),
    ),
    Operation(
        *("changeAccount", "PATCH", "/account", OWN_WRITE, "Change the profile"),
        *(change_account, AccountAnswer),
        body=ProfileChange,
    ),
    Operation(
        *("getBalance", "GET", "/balance", OWN_READ, "What can be spent"),
        *(read_balance, Balance),
        key_may=True,
    ),
    Operation(
        *("listLedger", "GET", "/ledger", OWN_READ, "What raised and lowered the balance"),
        *(read_ledger, LedgerPage),
        query=LedgerQuery,
    ),
)
