"""Accounts in memory and in the database: created by an operator, found by e-mail, suspended.

The records are shared: a key holds its account's record, so a suspension reaches the next request
without a lookup. What keeps an account from spending while its owner still signs in (`holds`) is
put there by the rooms that know of it. A closed account is for good, and is nobody's. E-mail
addresses are compared in one normal form, and stored sealed beside a keyed digest. This file knows
nothing of money, keys or sign-in.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, cast

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.limits import Terms
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.accounts import accounts
from gateway.store.secrets import Secrets

Role = Literal["member", "support", "finance", "operator", "administrator", "auditor"]
State = Literal["active", "suspended", "closed"]
# Why nothing may be spent for now: a minor's guardian has not consented, an age is to be proven.
Held = Literal["guardian", "proof"]
ORGANISATION_DOMAIN = "organisation.invalid"  # RFC 2606: no mail can ever go there
CLOSED_DOMAIN = "closed.invalid"  # what the address of somebody who was forgotten ends with
MAX_EMAIL = 254  # RFC 5321 4.5.3.1.3: a path is at most 256 octets, its brackets included
_EMAIL = re.compile(
    r"[^\s@\x00-\x1f\x7f<>(),;:\\\"\[\]]{1,64}@[^\s@\x00-\x1f\x7f<>(),;:\\\"]{1,253}"
)


class Account:
    """One account's record. `email`, `role`, `state`, `holds` and `limits` change in place.

    `limits` is None where neither the account nor any of its keys is limited.
    """

    __slots__ = ("created_us", "email", "holds", "id", "limits", "no", "role", "state")

    def __init__(
        self, no: int, id: str, email: str, role: Role, state: State, created_us: int
    ) -> None:
        self.no = no
        self.id = id
        self.email = email
        self.role = role
        self.state = state
        self.created_us = created_us
        self.holds: frozenset[Held] = frozenset()
        self.limits: Terms | None = None

    @property
    def may_spend(self) -> bool:
        """Whether requests are served for it."""
        return self.state == "active" and not self.holds

    def hold(self, why: Held, *, on: bool) -> None:
        """Let a durable fact reach the next request: it may not spend for this reason, or may."""
        self.holds = self.holds | {why} if on else self.holds - {why}

    @property
    def is_person(self) -> bool:
        """Whether somebody signs in as this account: as an organisation's, nobody does."""
        return not self.email.endswith(f"@{ORGANISATION_DOMAIN}")

    def __repr__(self) -> str:
        return f"Account({self.id!r}, {self.role!r}, {self.state!r})"


def normal_email(text: str) -> str:
    """An address in the form that is compared and stored: NFC, lower case. Raises Refusal."""
    email = unicodedata.normalize("NFC", text.strip()).lower()
    if len(email.encode(errors="replace")) > MAX_EMAIL or not _EMAIL.fullmatch(email):
        raise Refusal(f"not an e-mail address: {text[:80]!r}")
    return email


def is_reserved(address: str) -> bool:
    """Whether an address is of those that accounts without an owner have."""
    return address.endswith((f"@{ORGANISATION_DOMAIN}", f"@{CLOSED_DOMAIN}"))


def check_open(account: Account) -> None:
    """Raises Refusal for a closed account: it stays as it is."""
    if account.state == "closed":
        raise Refusal("the account is closed for good")


class Accounts:
    """All accounts, loaded once; every change is durable before it is visible here."""

    def __init__(self, database: Database, secrets: Secrets, clock: Clock, ids: IdFactory) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._ids = ids
        self._by_no: dict[int, Account] = {}
        self._by_email: dict[str, Account] = {}
        self.default_limits: Terms | None = None  # of accounts that are made from now on

    def __len__(self) -> int:
        return len(self._by_no)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_no.values())

    async def load(self) -> None:
        """Read every account; call once, before anything else."""
        for no, id, sealed, role, state, created_us in await self._database.read(_read_all):
            email = self._secrets.unseal(sealed, table="accounts", row=id)
            self.keep(Account(no, id, email, cast(Role, role), cast(State, state), created_us))

    def by_no(self, no: int) -> Account:
        """The account of a number that a stored row names. Raises KeyError."""
        return self._by_no[no]

    def find(self, email: str) -> Account | None:
        """The account of an address, or None."""
        return self._by_email.get(normal_email(email))

    def named(self, email: str) -> Account:
        """The account of an address. Raises Refusal when there is none."""
        account = self.find(email)
        if account is None:
            raise Refusal(
                f"no account {normal_email(email)}; create it: tallygate accounts create "
                f"{normal_email(email)}"
            )
        return account

    async def create(self, email: str, role: Role = "member") -> Account:
        """A new, active account. Raises Refusal when the address is taken or malformed."""
        address = normal_email(email)
        if is_reserved(address):
            raise Refusal("such addresses are organisations'; found one: tallygate organisations")
        taken = Refusal(f"the account {address} exists already")
        if address in self._by_email:
            raise taken
        try:
            account = await self._database.write(lambda c: self.insert(c, address, role))
        except IntegrityError:
            raise taken from None
        self.keep(account)
        return account

    def insert(self, connection: Connection, address: str, role: Role = "member") -> Account:
        """Inside a transaction: the row of a new account. `keep` it once that is durable.

        `address` is in its normal form. Raises IntegrityError when it is taken.
        """
        # Numbers are never reused: rows of the ledger and the log refer to them.
        no = (connection.execute(select(func.max(accounts.c.no))).scalar() or 0) + 1
        made = Account(no, self._ids.make("acc"), address, role, "active", self._clock.now_us())
        connection.execute(
            insert(accounts).values(
                no=no,
                id=made.id,
                role=role,
                state=made.state,
                created_us=made.created_us,
                **self._sealed(made.id, address),
            )
        )
        return made

    def keep(self, account: Account) -> None:
        """Show an account whose row is durable."""
        account.limits = self.default_limits
        self._by_no[account.no] = account
        self._by_email[account.email] = account

    def change_address(self, connection: Connection, account: Account, address: str) -> None:
        """Inside a transaction: another address. Raises IntegrityError when it is taken."""
        connection.execute(
            update(accounts)
            .where(accounts.c.no == account.no)
            .values(**self._sealed(account.id, address))
        )

    def moved(self, account: Account, address: str) -> None:
        """Show an address change that is durable."""
        self._by_email.pop(account.email, None)
        account.email = address
        self._by_email[address] = account

    def close(self, connection: Connection, account: Account) -> str:
        """Inside a transaction: the account is closed for good, and its address is nobody's.

        Returns that address, for `closed`.
        """
        address = account.email if not account.is_person else f"{account.id}@{CLOSED_DOMAIN}"
        connection.execute(
            update(accounts)
            .where(accounts.c.no == account.no)
            .values(state="closed", role="member", **self._sealed(account.id, address))
        )
        return address

    def closed(self, account: Account, address: str) -> None:
        """Show a closing that is durable."""
        account.state, account.role, account.holds = "closed", "member", frozenset()
        self.moved(account, address)

    async def set_role(self, account: Account, role: Role) -> None:
        """Give an account another role; its sessions are the caller's to end. Raises Refusal."""
        check_open(account)

        def change(connection: Connection) -> None:
            connection.execute(
                update(accounts).where(accounts.c.no == account.no).values(role=role)
            )

        await self._database.write(change)
        account.role = role

    async def set_state(self, account: Account, state: State) -> None:
        """Suspend or reactivate; the next request of any of its keys meets the new state.

        Raises Refusal for one that is closed.
        """
        check_open(account)

        def change(connection: Connection) -> None:
            connection.execute(
                update(accounts).where(accounts.c.no == account.no).values(state=state)
            )

        await self._database.write(change)
        account.state = state

    def _sealed(self, id: str, address: str) -> dict[str, bytes]:
        return {
            "email_digest": self._secrets.address_digest(address.encode()),
            "email_sealed": self._secrets.seal(address, table="accounts", row=id),
        }


def _read_all(connection: Connection) -> list[tuple[int, str, bytes, str, str, int]]:
    columns = accounts.c
    query = select(
        columns.no,
        columns.id,
        columns.email_sealed,
        columns.role,
        columns.state,
        columns.created_us,
    ).order_by(columns.no)
    return [tuple(row) for row in connection.execute(query)]
