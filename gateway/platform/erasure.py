"""Erasure: a person is forgotten, whatever the ground, and the money's books stay whole.

One transaction closes the account, ends every key and session, and deletes or replaces all that
names the person, in every room; from then on requests and pages meet a closed account. Then the
request log is stripped, credit that was given for nothing goes back where it came from, and the
database overwrites what was deleted. Purchased credit stays in the ledger as owed. A purge that is
cut short can be asked for again: each step finds what is left of it.
"""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from sqlalchemy import Connection

from gateway.base.clock import Clock
from gateway.base.money import MoneyError
from gateway.platform.accounts import Account, Accounts
from gateway.platform.accounts.erasure import OWNED, Erased, erase_person
from gateway.platform.adjustments import forget_waiting
from gateway.platform.audit import LOCAL
from gateway.platform.keys import Keys
from gateway.platform.keys.erasure import Ended, erase_keys
from gateway.platform.keys.short import ShortKeys
from gateway.platform.ledger.holds import RANK, Bank
from gateway.platform.ledger.ledger import Ledger
from gateway.platform.organisations import Organisations
from gateway.platform.organisations.erasure import Parting, erase_memberships, parting
from gateway.platform.people import People
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.erasure import strip
from gateway.store.database import Database
from gateway.store.secrets import Secrets

ACTION: Final = "accounts.erase"
GROUNDS: Final = ("minor",)  # a word of ours each: the audit log keeps it for ever
REASON: Final = "the account was closed"
SCRUBBED: Final = (  # tables that held something, for a database that cleans them one by one
    *(table.name for table in OWNED),
    *("accounts", "sign_ups", "outbox", "api_keys", "adjustments"),
    *("organisations", "organisation_members", "organisation_invitations"),
)


class Receipt(NamedTuple):
    """What was done: rows by table; `owed_microusd` is paid for and was not used.

    `is_scrubbed`: nothing of it is left in the database's files; else it goes a little later.
    """

    account: Account
    rows: dict[str, int]
    owed_microusd: int
    is_scrubbed: bool


class _Gone(NamedTuple):
    erased: Erased
    keys: list[Ended]
    rows: dict[str, int]


class Erasure:
    """Forgets people."""

    def __init__(
        self,
        database: Database,
        people: People,
        keys: Keys,
        short_keys: ShortKeys,
        organisations: Organisations,
        ledger: Ledger,
        bank: Bank,
        secrets: Secrets,
        clock: Clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._people = people
        self._accounts: Accounts = people.accounts
        self._keys = keys
        self._short_keys = short_keys
        self._organisations = organisations
        self._ledger = ledger
        self._bank = bank
        self._secrets = secrets
        self._clock = clock
        self._random = random
        self._running: set[asyncio.Task[Receipt]] = set()
        self._closed = {each.no: each for each in self._accounts if each.state == "closed"}

    def check(self, by: Account | None, account: Account) -> Parting:
        """Whether an account can be purged, and what becomes of its organisations.

        Raises Refusal.
        """
        if not account.is_person:
            raise Refusal("an organisation's account is nobody's to purge")
        if account is by:
            raise Refusal("somebody else must do this to your account")
        if account.role != "member":
            raise Refusal("the account has a role here; make it a member first")
        return parting(account, self._organisations.of(account))

    async def purge(self, by: Account | None, account: Account, ground: str) -> Receipt:
        """Forget a person; `by` None is the operator. Again for one that is closed: finish it.

        Raises Refusal, StorageUnavailable.
        """
        if ground not in GROUNDS:
            raise Refusal(f"a ground is one of {', '.join(GROUNDS)}, not {ground[:40]!r}")
        task = asyncio.ensure_future(self._purge(by, account, ground))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # A caller that goes away must not part what is durable from what requests meet.
        return await asyncio.shield(task)

    async def _purge(self, by: Account | None, account: Account, ground: str) -> Receipt:
        email = account.email
        async with self._organisations.changing:
            parting = self.check(by, account)
            gone = await self._database.write(
                lambda c: self._erase(c, by, account, email, parting, ground)
            )
            self._forget(account, parting, gone)
        # What was on its way when the account closed found it open: nothing does any more.
        late = await self._database.write(lambda c: self._sweep(c, account, email, parting))
        self._end(late)
        for each in (account, *(each.account for each in parting.closed)):
            await self._strip(each)
        await self.settle()
        scrubbed = await self._database.scrub(*SCRUBBED)
        return Receipt(account, gone.rows, self.owed(account), scrubbed)

    def owed(self, account: Account) -> int:
        """What a closed account paid for and did not use, in microusd; a liability."""
        wallet = self._bank.wallets.get(account.no)
        lots = wallet.lots if wallet is not None else []
        return sum(lot.remaining_microusd for lot in lots if lot.rank == RANK["purchased"])

    async def settle(self) -> int:
        """Post the free credit of closed accounts back to where it came from; returns of how many.

        What running requests still hold is taken when they have ended, by the next call.
        """
        taken = 0
        for account in list(self._closed.values()):
            wallet = self._bank.wallets.get(account.no)
            if wallet is None:
                continue
            free = sum(
                lot.remaining_microusd for lot in wallet.lots if lot.rank < RANK["purchased"]
            )
            amount = min(free, wallet.available_microusd)
            if amount <= 0:
                continue
            try:
                await self._ledger.take(
                    account.no,
                    amount,
                    taking="revocation",
                    reason=REASON,
                    transaction_id=f"closure:{account.id}:{free}:{amount}",
                )
            except MoneyError:  # a request took hold of it meanwhile, before it was refused
                continue
            taken += 1
        return taken

    def _erase(
        self,
        connection: Connection,
        by: Account | None,
        account: Account,
        email: str,
        parting: Parting,
        ground: str,
    ) -> _Gone:
        gone = self._sweep(connection, account, email, parting)
        actor, role = (by.id, by.role) if by is not None else (LOCAL, LOCAL)
        detail = ", ".join(f"{name} {count}" for name, count in gone.rows.items() if count)
        audit = self._people.audit
        audit.append(connection, actor, role, ACTION, account.id, f"{ground}: {detail}")
        return gone

    def _sweep(
        self, connection: Connection, account: Account, email: str, parting: Parting
    ) -> _Gone:
        """Inside a transaction: everything that goes, in every room."""
        digest = self._secrets.address_digest(email.encode())
        closed = [each.account for each in parting.closed]
        nos = [account.no, *(each.no for each in closed)]
        now_us = self._clock.now_us()
        keys = erase_keys(connection, nos, parting.key_nos(account), now_us, self._random)
        rows = {"api_keys": len(keys)}
        rows |= erase_memberships(connection, account, digest, parting)
        rows["adjustments"] = forget_waiting(connection, nos)
        rows["outbox"] = self._people.mail.forget(connection, account.id, email)
        for each in closed:
            self._accounts.close(connection, each)
        erased = erase_person(connection, self._accounts, self._secrets, account, email)
        return _Gone(erased, keys, rows | erased.rows)

    def _forget(self, account: Account, parting: Parting, gone: _Gone) -> None:
        """Show it: the next request of any of the keys meets the new state."""
        self._accounts.closed(account, gone.erased.address)
        for organisation in (*parting.left, *parting.closed):
            self._organisations.part(organisation, account)
        for organisation in parting.closed:
            self._accounts.closed(organisation.account, organisation.account.email)
            organisation.name = organisation.account.id
        self._end(gone)
        for each in (account, *(one.account for one in parting.closed)):
            self._closed[each.no] = each

    def _end(self, gone: _Gone) -> None:
        for key in gone.keys:
            self._keys.ring.remove(key.digest)
            self._keys.on_end(key.no)
        self._short_keys.end(gone.erased.session_ids)

    async def _strip(self, account: Account) -> None:
        after: int | None = 0
        while after is not None:
            after = await self._database.write(partial(strip, account_no=account.no, after=after))
