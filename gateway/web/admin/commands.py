"""The table of administrative commands: name, parameters, what it does to a platform.

The Unix socket of a running server and the command line without one run the same functions, so a
command means the same either way. Results are plain values that become JSON; a secret appears only
in the result of the command that makes it. Money is given in exact decimal dollars and in microusd.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from gateway.base.errors import GatewayError, StorageUnavailable
from gateway.base.money import MoneyError, format_usd, parse_usd
from gateway.platform.accounts import Account
from gateway.platform.assembly import Platform
from gateway.platform.audit import LOCAL
from gateway.platform.keys import MAX_NAME
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.query import last_used_hour
from gateway.store.secrets import SecretsError
from gateway.web.admin.erasure import ERASURE_COMMANDS
from gateway.web.admin.incidents import INCIDENT_COMMANDS
from gateway.web.admin.limits import LIMIT_COMMANDS
from gateway.web.admin.organisations import ORGANISATION_COMMANDS
from gateway.web.admin.people import (
    AuditHead,
    AuditPage,
    NewRole,
    accounts_role,
    audit_export,
    audit_verify,
    mail_list,
)
from gateway.web.admin.policy import VERSION_COMMANDS
from gateway.web.admin.presets import NewProvider, providers_add, providers_presets
from gateway.web.admin.prices import PriceImport, prices_compare, prices_import
from gateway.web.admin.registers import REGISTER_COMMANDS
from gateway.web.admin.reports import (
    DAY_US,
    MAX_LISTED,
    CatalogText,
    DriftLimit,
    Nothing,
    RequestListing,
    catalog_apply,
    catalog_export,
    catalog_list,
    ledger_verify,
    providers_health,
    requests_list,
    shown_time,
    usage_drift,
)
from gateway.web.admin.reviews import REVIEW_COMMANDS

# What a command may be refused with; each is one line for the operator.
REFUSALS = (Refusal, MoneyError, SecretsError, GatewayError)
READS = (
    ".list",
    ".members",
    ".export",
    ".verify",
    ".balance",
    ".drift",
    ".presets",
    ".health",
    ".compare",
)
log = logging.getLogger("tallygate.admin")
MAX_EXPIRY_DAYS = 36_500
HOUR_US = 3_600 * 1_000_000
LAST_USED_DAYS = 90
MAX_LAST_USED_ACCOUNTS = 100


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """An address and whether its owner administers the gateway."""

    email: str
    admin: bool = False


class Email(msgspec.Struct, forbid_unknown_fields=True):
    """The address of an existing account."""

    email: str


class Grant(msgspec.Struct, forbid_unknown_fields=True):
    """Credit for an account; with the same `id` a repeated command grants once."""

    email: str
    usd: str
    reason: str
    id: str | None = None
    source: str = "adjustment"


class Revocation(msgspec.Struct, forbid_unknown_fields=True):
    """Credit to take back; with the same `id` a repeated command takes once."""

    email: str
    usd: str
    reason: str
    id: str | None = None
    corrects: str | None = None


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key's owner, its name, and after how many days it stops working."""

    email: str
    name: str
    expires_days: int | None = None


class KeyListing(msgspec.Struct, forbid_unknown_fields=True):
    """Whose keys to list; everybody's when no address is given."""

    email: str | None = None
    limit: int = 1_000


class KeyName(msgspec.Struct, forbid_unknown_fields=True):
    """A key by id or shown prefix, or by name within an account."""

    key: str
    email: str | None = None


def _account(platform: Platform, account: Account) -> dict[str, Any]:
    balance_microusd = platform.ledger.balance(account.no)
    return {
        "id": account.id,
        "email": account.email,
        "role": account.role,
        "state": account.state,
        "created": shown_time(account.created_us),
        "balance_usd": format_usd(balance_microusd),
        "balance_microusd": balance_microusd,
    }


async def accounts_create(platform: Platform, p: NewAccount) -> Any:
    """Make an account."""
    account = await platform.accounts.create(p.email, "administrator" if p.admin else "member")
    return _account(platform, account)


async def accounts_list(platform: Platform, _: Nothing) -> Any:
    """Every account with its balance."""
    return [_account(platform, account) for account in platform.accounts]


async def accounts_suspend(platform: Platform, p: Email) -> Any:
    """Refuse an account's requests from the next one on."""
    account = platform.accounts.named(p.email)
    await platform.accounts.set_state(account, "suspended")
    await platform.organisations.follow(account)
    await platform.people.sessions.revoke_all(account)
    return _account(platform, account)


async def accounts_activate(platform: Platform, p: Email) -> Any:
    """Take a suspension back."""
    account = platform.accounts.named(p.email)
    await platform.accounts.set_state(account, "active")
    await platform.organisations.follow(account)
    return _account(platform, account)


async def accounts_link(platform: Platform, p: Email) -> Any:
    """A one-time sign-in token, valid for 24 hours."""
    account = platform.accounts.named(p.email)
    if account.state != "active":
        raise Refusal(f"the account {account.email} is suspended")
    return {"email": account.email, "token": await platform.sign_in.create(account)}


async def credits_grant(platform: Platform, p: Grant) -> Any:
    """Give credit; the same id again gives nothing more."""
    account = platform.accounts.named(p.email)
    amount_microusd = parse_usd(p.usd)
    if amount_microusd <= 0:
        raise Refusal("the amount to grant must be above zero")
    if not p.reason.strip():
        raise Refusal("a reason is needed; it stands in the ledger")
    transaction_id = f"grant:{p.id or platform.ids.make('grant')}"
    await platform.ledger.grant(
        account.no,
        amount_microusd,
        source=p.source,
        reason=p.reason.strip(),
        transaction_id=transaction_id,
    )
    granted = {"transaction_id": transaction_id, "granted_usd": format_usd(amount_microusd)}
    return granted | _balance(platform, account)


async def credits_revoke(platform: Platform, p: Revocation) -> Any:
    """Take credit back; the same id again takes nothing more."""
    account, amount_microusd = platform.accounts.named(p.email), parse_usd(p.usd)
    if not p.reason.strip():
        raise Refusal("a reason is needed; it stands in the ledger")
    transaction_id = f"revoke:{p.id or platform.ids.make('revoke')}"
    await platform.ledger.take(
        account.no,
        amount_microusd,
        taking="revocation",
        reason=p.reason.strip(),
        transaction_id=transaction_id,
        corrects=p.corrects,
    )
    taken = {"transaction_id": transaction_id, "revoked_usd": format_usd(amount_microusd)}
    return taken | _balance(platform, account)


async def credits_balance(platform: Platform, p: Email) -> Any:
    """An account's balance, and how much of it running requests hold."""
    return _balance(platform, platform.accounts.named(p.email))


def _balance(platform: Platform, account: Account) -> dict[str, Any]:
    wallet = platform.bank.wallets.get(account.no)
    balance_microusd = wallet.balance_microusd if wallet is not None else 0
    held_microusd = wallet.held_microusd if wallet is not None else 0
    return {
        "email": account.email,
        "balance_usd": format_usd(balance_microusd),
        "balance_microusd": balance_microusd,
        "held_usd": format_usd(held_microusd),
        "held_microusd": held_microusd,
    }


async def keys_create(platform: Platform, p: NewKey) -> Any:
    """Issue a key; its text is in this result and nowhere else."""
    account = platform.accounts.named(p.email)
    expires_us = None
    if p.expires_days is not None:
        if not 1 <= p.expires_days <= MAX_EXPIRY_DAYS:
            raise Refusal(f"a key expires after 1 to {MAX_EXPIRY_DAYS} days")
        expires_us = platform.clock.now_us() + p.expires_days * DAY_US
    issued = await platform.keys.issue(account, p.name, expires_us=expires_us)
    return {
        "id": issued.id,
        "key": issued.text,
        "prefix": issued.prefix,
        "name": issued.name,
        "email": account.email,
        "expires": shown_time(expires_us),
    }


async def keys_list(platform: Platform, p: KeyListing) -> Any:
    """Keys, newest first, never their text."""
    account = platform.accounts.named(p.email) if p.email is not None else None
    limit = max(1, min(p.limit, MAX_LISTED))
    rows = await platform.keys.listing(account, limit)
    now_us = platform.clock.now_us()
    used = await _last_used(platform, {row.account.no for row in rows}, now_us)
    return [
        {
            "id": row.id,
            "prefix": row.prefix,
            "name": row.name,
            "email": row.account.email,
            "state": _key_state(row.revoked_us, row.expires_us, now_us),
            "created": shown_time(row.created_us),
            "expires": shown_time(row.expires_us),
            "revoked": shown_time(row.revoked_us),
            "last_used_hour": shown_time(used.get(row.no)),
        }
        for row in rows
    ]


async def _last_used(platform: Platform, account_nos: set[int], now_us: int) -> dict[int, int]:
    """When keys were last used, to the hour, from the request log's rollup: nothing is written
    for it per request. Left out where it would cost a query for each of very many accounts."""
    if len(account_nos) > MAX_LAST_USED_ACCOUNTS:
        return {}
    since_hour = (now_us - LAST_USED_DAYS * DAY_US) // HOUR_US

    def read(connection: Connection) -> dict[int, int]:
        hours: dict[int, int] = {}
        for account_no in account_nos:
            hours.update(last_used_hour(connection, account_no, since_hour))
        return {key_no: hour * HOUR_US for key_no, hour in hours.items()}

    return await platform.database.read(read)


def _key_state(revoked_us: int | None, expires_us: int | None, now_us: int) -> str:
    if revoked_us is not None:
        return "revoked"
    return "expired" if expires_us is not None and expires_us <= now_us else "active"


async def keys_revoke(platform: Platform, p: KeyName) -> Any:
    """Revoke a key; its next request is refused."""
    account = platform.accounts.named(p.email) if p.email is not None else None
    return {"id": await platform.keys.revoke(p.key[:MAX_NAME], account), "state": "revoked"}


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table. `makes` marks the commands that may make a new installation."""

    params: type[msgspec.Struct]
    run: Callable[[Platform, Any], Awaitable[Any]]
    makes: bool = False


COMMANDS: dict[str, Command] = {
    "accounts.create": Command(NewAccount, accounts_create, makes=True),
    "accounts.list": Command(Nothing, accounts_list),
    "accounts.suspend": Command(Email, accounts_suspend),
    "accounts.activate": Command(Email, accounts_activate),
    "accounts.link": Command(Email, accounts_link),
    "accounts.role": Command(NewRole, accounts_role),
    "mail.list": Command(Nothing, mail_list),
    "audit.export": Command(AuditPage, audit_export),
    "audit.verify": Command(AuditHead, audit_verify),
    "credits.grant": Command(Grant, credits_grant),
    "credits.revoke": Command(Revocation, credits_revoke),
    "credits.balance": Command(Email, credits_balance),
    "keys.create": Command(NewKey, keys_create),
    "keys.list": Command(KeyListing, keys_list),
    "keys.revoke": Command(KeyName, keys_revoke),
    **{name: Command(*row) for name, row in LIMIT_COMMANDS.items()},
    **{name: Command(*row) for name, row in ORGANISATION_COMMANDS.items()},
    **{name: Command(*row) for name, row in REGISTER_COMMANDS.items()},
    **{name: Command(*row) for name, row in INCIDENT_COMMANDS.items()},
    **{name: Command(*row) for name, row in ERASURE_COMMANDS.items()},
    **{name: Command(*row) for name, row in VERSION_COMMANDS.items()},
    **{name: Command(*row) for name, row in REVIEW_COMMANDS.items()},
    "catalog.apply": Command(CatalogText, catalog_apply, makes=True),
    "catalog.export": Command(Nothing, catalog_export),
    "catalog.list": Command(Nothing, catalog_list),
    "prices.compare": Command(Nothing, prices_compare),
    "prices.import": Command(PriceImport, prices_import),
    "providers.health": Command(Nothing, providers_health),
    "providers.presets": Command(Nothing, providers_presets),
    "providers.add": Command(NewProvider, providers_add, makes=True),
    "requests.list": Command(RequestListing, requests_list),
    "usage.drift": Command(DriftLimit, usage_drift),
    "ledger.verify": Command(Nothing, ledger_verify),
}


async def run_command(platform: Platform, name: str, params: object) -> Any:
    """Check the parameters, write the audit row and run a command. Raises one of REFUSALS."""
    command = COMMANDS.get(name)
    if command is None:
        raise Refusal(f"unknown command {name[:64]!r}")
    try:
        checked = msgspec.convert(params, command.params)
    except msgspec.ValidationError as error:
        raise Refusal(f"{name}: {error}") from None
    await _audit(platform, name, checked)
    return await command.run(platform, checked)


async def _audit(platform: Platform, name: str, checked: msgspec.Struct) -> None:
    """What cannot be recorded is not done; but a full disk must not hide what there is to see."""
    email = getattr(checked, "email", None)
    key = getattr(checked, "key", None) or ""
    target = key if key.startswith("key_") else ""  # never a key itself, pasted by mistake
    if isinstance(email, str):
        with contextlib.suppress(Refusal):
            account = platform.accounts.find(email)
            target = account.id if account is not None else target
    try:
        await platform.people.audit.record(LOCAL, LOCAL, name, target)
    except StorageUnavailable:
        if not name.endswith(READS):
            raise
        log.error("a read could not be recorded", extra={"f": {"command": name}})
