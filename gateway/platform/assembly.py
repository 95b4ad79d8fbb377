"""The platform: every room of this floor opened over one data folder, in order, and closed again.

The folder's lock comes first and goes last, so no second process ever sees the database. The first
start gives out an administrator, a key with credit and a sign-in link, as values for whoever
prints them; they are stored as digests only. A first start that was cut short before they were
shown is taken up again: each of its steps is idempotent, and a key that nobody saw is revoked.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from gateway.base.clock import Clock, SystemClock
from gateway.base.config import Settings
from gateway.base.ids import IdFactory
from gateway.base.money import MoneyError, parse_usd
from gateway.platform.accounts import Account, Accounts
from gateway.platform.accounts.sign_in import SignInLinks
from gateway.platform.adjustments import Adjustments
from gateway.platform.catalog import Catalog
from gateway.platform.catalog.presets import offered
from gateway.platform.checks import Checks
from gateway.platform.erasure import Erasure
from gateway.platform.incidents import Incidents
from gateway.platform.keys import Keys
from gateway.platform.keys.short import ShortKeys
from gateway.platform.keys.spread import Spread
from gateway.platform.ledger.holds import Bank
from gateway.platform.ledger.ledger import Ledger
from gateway.platform.ledger.reconcile import Report, verify
from gateway.platform.notices import Notices, Payer
from gateway.platform.organisations import Invitations, Organisations
from gateway.platform.people import People, open_people
from gateway.platform.policy.versions import Versions
from gateway.platform.refusals import Refusal
from gateway.platform.registers import Agreements, Attestations, Breaches
from gateway.platform.registers.register import Register
from gateway.platform.reviews import Reviews, Terms
from gateway.platform.settlement import Settlements
from gateway.platform.tiers import Tiers
from gateway.store.database import Database
from gateway.store.lock import DataFolder
from gateway.store.outbox import Outbox
from gateway.store.schema.accounts import installation
from gateway.store.secrets import KEY_FILE, Secrets, SecretsError

DATABASE_FILE = "tallygate.db"
ADMIN_SOCKET = "admin.sock"
FIRST_ADMIN = "admin@localhost"
FIRST_KEY = "first key"
HOUR_US = 3_600 * 1_000_000


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What only the first start can show. `repr` hides the secrets."""

    email: str
    credit_microusd: int
    key: str = field(repr=False)
    sign_in_token: str = field(repr=False)
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Platform:
    """The open rooms. `first_start` is set only by the start that made the installation.

    `live` holds what only a serving process knows, by the name of the command that tells it.
    """

    settings: Settings
    clock: Clock
    ids: IdFactory
    folder: DataFolder
    database: Database
    secrets: Secrets
    accounts: Accounts
    people: People
    sign_in: SignInLinks
    keys: Keys
    short_keys: ShortKeys
    spread: Spread
    tiers: Tiers
    catalog: Catalog
    bank: Bank
    ledger: Ledger
    settlements: Settlements
    adjustments: Adjustments
    organisations: Organisations
    invitations: Invitations
    breaches: Breaches
    agreements: Agreements
    attestations: Attestations
    notices: Notices
    incidents: Incidents
    erasure: Erasure
    checks: Checks
    versions: Versions
    reviews: Reviews
    first_start: FirstStart | None = None
    live: dict[str, Callable[[], Any]] = field(default_factory=dict)

    async def first_start_shown(self) -> None:
        """Note that a person has seen the secrets of the first start; there is no other.

        Until this is called every start is a first start: one that fails before it can print them
        (a port that is taken) must not take the only key with it.
        """
        now_us = self.clock.now_us()

        def finish(connection: Connection) -> None:
            connection.execute(update(installation).values(started_us=now_us))

        if self.first_start is not None:
            await self.database.write(finish)

    async def close(self) -> None:
        """Write what is queued, close the database, give the folder up."""
        self.people.close()
        await self.checks.close()
        try:
            await self.database.close()
        finally:
            self.folder.release()


async def open_platform(
    settings: Settings,
    data_dir: Path,
    clock: Clock | None = None,
    *,
    first_start: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> Platform:
    """Open every room over a data folder, making what is missing.

    With `first_start` False (a command without a server) an installation that was never served
    stays without its first administrator until it is. Raises DataFolderError, DatabaseError,
    SecretsError, LedgerDamaged or Refusal: one line each.
    """
    clock = clock or SystemClock()
    folder = DataFolder(data_dir)
    database: Database | None = None
    try:
        path = folder.file(DATABASE_FILE)
        url = settings.store_url
        # A database whose key file is gone must not silently get another key. One elsewhere says
        # when it is opened which key is its own.
        secrets = Secrets.open(folder.path, environ, create=bool(url) or not path.exists())
        database = await asyncio.to_thread(Database.open, url or path, clock=clock, secrets=secrets)
        opened = await _open_rooms(settings, clock, folder, database, secrets, environ)
        if not first_start:
            return opened
        return await _complete_first_start(opened, environ)
    except BaseException:
        if database is not None:
            await database.close()
        folder.release()
        raise


async def verify_ledger(settings: Settings, data_dir: Path, clock: Clock | None = None) -> Report:
    """Verify the books without opening the rooms: a damaged ledger opens none of them.

    Raises DataFolderError or DatabaseError.
    """
    with DataFolder(data_dir) as folder:
        where = settings.store_url or folder.file(DATABASE_FILE)
        database = await asyncio.to_thread(Database.open, where, clock=clock or SystemClock())
        try:
            return await database.read(verify)
        finally:
            await database.close()


async def _open_rooms(
    settings: Settings,
    clock: Clock,
    folder: DataFolder,
    database: Database,
    secrets: Secrets,
    environ: Mapping[str, str],
) -> Platform:
    await database.write(lambda connection: _claim(connection, secrets, clock.now_us()))
    ids = IdFactory(clock)
    accounts = Accounts(database, secrets, clock, ids)
    await accounts.load()
    keys = Keys(database, accounts, secrets, clock, ids)
    await keys.load()
    tiers = Tiers(database, accounts, clock)
    people = open_people(settings, database, secrets, clock, ids, accounts)
    await people.load()
    register = Register(database, people.audit, clock, ids)
    agreements = Agreements(register)
    catalog = _catalog(settings, database, secrets, clock, environ, agreements)
    await catalog.load()
    bank = Bank()
    ledger = Ledger(database, bank)
    await database.read(ledger.load)
    shared = Organisations(database, accounts, keys, tiers, people.audit, clock, ids)
    await tiers.load(await shared.load())
    alone_microusd = _amount(settings, "accounts.four_eyes_usd")
    low_microusd = _amount(settings, "accounts.low_balance_usd")
    short_keys = ShortKeys(keys.ring, secrets, clock)
    keys.on_end = short_keys.end_number
    incidents = Incidents(database, catalog, people.audit, clock, ids)
    await incidents.load()
    versions = _versions(register, people, Outbox(secrets, clock, ids))
    await versions.load()
    spread, terms = _watch(settings)
    return Platform(
        settings=settings,
        clock=clock,
        ids=ids,
        folder=folder,
        database=database,
        secrets=secrets,
        accounts=accounts,
        people=people,
        sign_in=SignInLinks(database, accounts, secrets, clock),
        keys=keys,
        short_keys=short_keys,
        spread=spread,
        tiers=tiers,
        catalog=catalog,
        bank=bank,
        ledger=ledger,
        settlements=_settlements(settings, database, bank),
        adjustments=Adjustments(
            database, accounts, ledger, people.audit, clock, ids, alone_microusd
        ),
        organisations=shared,
        invitations=Invitations(database, people, shared, secrets, clock, ids),
        breaches=Breaches(register),
        agreements=agreements,
        attestations=Attestations(register),
        notices=_notices(database, people, shared, Outbox(secrets, clock, ids), low_microusd),
        incidents=incidents,
        erasure=Erasure(database, people, keys, short_keys, shared, ledger, bank, secrets, clock),
        checks=Checks(database, clock),
        versions=versions,
        reviews=Reviews(database, keys, shared, people.mail, people.audit, clock, ids, terms),
    )


def _settlements(settings: Settings, database: Database, bank: Bank) -> Settlements:
    delay_us = settings.ledger_commit_delay_us
    return Settlements(database, bank, settings.ledger_max_pending, commit_delay_us=delay_us)


def _watch(settings: Settings) -> tuple[Spread, Terms]:
    """What counts the networks of keys, and when that opens a case."""
    most, hours = settings.keys_spread_networks, settings.keys_spread_window_hours
    spread = Spread(most, hours * HOUR_US, secret=os.urandom(32))
    return spread, Terms(most, hours, settings.keys_spread_again_days * 24 * HOUR_US)


def _notices(
    database: Database,
    people: People,
    organisations: Organisations,
    outbox: Outbox,
    low_microusd: int,
) -> Notices:
    return Notices(
        database,
        people.accounts,
        people.profiles,
        people.mail,
        outbox,
        partial(_payer, organisations),
        low_microusd,
    )


def _versions(register: Register, people: People, outbox: Outbox) -> Versions:
    def hold(name: str) -> None:
        people.sign_up.policy.terms_version = name

    return Versions(register, people.accounts, people.mail, outbox, hold)


def _catalog(
    settings: Settings,
    database: Database,
    secrets: Secrets,
    clock: Clock,
    environ: Mapping[str, str],
    agreements: Agreements,
) -> Catalog:
    return Catalog(
        database,
        secrets,
        clock,
        sandbox=settings.sandbox_enabled,
        environ=environ,
        agreements=agreements if settings.catalog_require_agreements else None,
    )


def _payer(organisations: Organisations, account: Account) -> Payer:
    """Who is written to about an account's balance: its owners where it is an organisation's."""
    organisation = organisations.by_no(account.no)
    if organisation is None:
        return Payer((account,) if account.is_person else ())
    members = organisation.members.values()
    owners = tuple(each.account for each in members if each.part == "owner")
    return Payer(owners, organisation.name)


def _amount(settings: Settings, name: str) -> int:
    """A setting of dollars in microusd. Raises Refusal."""
    try:
        return parse_usd(settings.get(name))
    except MoneyError as error:
        raise Refusal(f"setting {name}: {error}") from None


def _claim(connection: Connection, secrets: Secrets, now_us: int) -> None:
    """Tie a new database to its master key; refuse a key that is not the database's own."""
    key_id = connection.execute(select(installation.c.key_id)).scalar()
    if key_id is None:
        connection.execute(
            insert(installation).values(no=1, key_id=secrets.key_id, created_us=now_us)
        )
    elif key_id != secrets.key_id:
        raise SecretsError(
            f"this database belongs to master key {key_id}, but {KEY_FILE} holds key "
            f"{secrets.key_id}; restore the {KEY_FILE} that was backed up with it"
        )


async def _complete_first_start(opened: Platform, environ: Mapping[str, str]) -> Platform:
    """Unless it was done before: the presets, an administrator, credit, a key and a link."""
    started = await opened.database.read(
        lambda connection: connection.execute(select(installation.c.started_us)).scalar()
    )
    if started is not None:
        return opened
    presets = offered(environ, sandbox=opened.settings.sandbox_enabled)
    presets = await opened.catalog.permitted(presets)
    await opened.catalog.apply_document(presets, only_new=True)
    account = opened.accounts.find(FIRST_ADMIN)
    if account is None:
        account = await opened.accounts.create(FIRST_ADMIN, "administrator")
    credit_microusd = await _welcome(opened, account)
    for row in await opened.keys.listing(account):
        if row.name == FIRST_KEY:
            await opened.keys.revoke(row.id)  # made by a start that never showed it
    issued = await opened.keys.issue(account, FIRST_KEY)
    token = await opened.sign_in.create(account)
    shown = FirstStart(
        email=account.email,
        credit_microusd=credit_microusd,
        key=issued.text,
        sign_in_token=token,
        providers=tuple(presets.providers),
    )
    return replace(opened, first_start=shown)


async def _welcome(opened: Platform, account: Account) -> int:
    """Grant the welcome credit once, whatever the setting says the second time."""
    amount_microusd = _amount(opened.settings, "sandbox.welcome_credit_usd")
    if opened.ledger.balance(account.no) == 0 and amount_microusd > 0:
        await opened.ledger.grant(
            account.no,
            amount_microusd,
            source="promotion",
            reason="welcome credit",
            transaction_id=f"grant:welcome:{account.id}",
        )
    return opened.ledger.balance(account.no)
