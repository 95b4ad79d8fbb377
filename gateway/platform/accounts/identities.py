"""Identities: accounts at other sites that sign in to an account here.

Of the other site only a keyed digest of its number for the person is kept. An address that the
other site has verified may open the account of that address, because an account here exists only
after its address answered. A second factor is owed all the same.
"""

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.base.clock import Clock
from gateway.platform.accounts.accounts import Account, Accounts, normal_email
from gateway.platform.accounts.ages import Attested
from gateway.platform.accounts.guardians import Guardians
from gateway.platform.accounts.profiles import introduce
from gateway.platform.accounts.sign_up import Policy, agree
from gateway.platform.refusals import Problem, Refusal
from gateway.store.database import Database
from gateway.store.schema.sessions import identities
from gateway.store.secrets import Secrets


class Person(NamedTuple):
    """What another site says of somebody; `email` is one that it has verified."""

    provider: str
    subject: str
    email: str
    name: str = ""


class Identities:
    """Finds and links accounts."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        secrets: Secrets,
        clock: Clock,
        guardians: Guardians,
        policy: Policy,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._secrets = secrets
        self._clock = clock
        self._guardians = guardians
        self._policy = policy

    async def find(self, person: Person) -> Account | None:
        """The account of somebody: linked before, or of the same address and linked now."""
        query = select(identities.c.account_no).where(
            identities.c.provider == person.provider,
            identities.c.digest == self._digest(person),
        )
        found = await self._database.read(lambda c: c.scalar(query))
        if found is not None:
            account = self._accounts.by_no(found)
            return account if account.state == "active" else None
        owner = self._accounts.find(address_of(person))
        if owner is None or owner.state != "active":
            return None
        await self.link(owner, person)
        return owner

    async def link(self, account: Account, person: Person) -> None:
        """Let somebody sign in to an account. Raises Problem when they have another one."""
        try:
            await self._database.write(lambda c: self._insert(c, account, person))
        except IntegrityError:
            raise Problem("elsewhere", "taken") from None

    async def unlink(self, account: Account, provider: str) -> None:
        """Forget every identity of an account at a site."""
        query = delete(identities).where(
            identities.c.account_no == account.no, identities.c.provider == provider
        )
        await self._database.write(lambda c: c.execute(query))

    async def providers(self, account: Account) -> list[str]:
        """The sites an account is linked to."""
        query = (
            select(identities.c.provider)
            .where(identities.c.account_no == account.no)
            .distinct()
            .order_by(identities.c.provider)
        )
        return await self._database.read(lambda c: list(c.scalars(query)))

    async def create(self, person: Person, attested: Attested, locale: str = "en") -> Account:
        """A new account for somebody who has accepted the terms and is old enough.

        Raises Problem.
        """
        if not self._policy.is_open:
            raise Problem("form", "closed")
        address = address_of(person)

        def write(connection: Connection) -> Account:
            account = self._accounts.insert(connection, address)
            self._insert(connection, account, person)
            now_us = self._clock.now_us()
            version = self._policy.terms_version
            agree(connection, account, version, attested.age, now_us)
            self._guardians.ask(connection, account, attested.guardian, version, locale)
            introduce(connection, self._secrets, account, locale, now_us)
            return account

        try:
            account = await self._database.write(write)
        except IntegrityError:
            raise Problem("elsewhere", "taken") from None
        self._accounts.keep(account)
        return account

    def _insert(self, connection: Connection, account: Account, person: Person) -> None:
        connection.execute(
            insert(identities).values(
                provider=person.provider,
                digest=self._digest(person),
                account_no=account.no,
                created_us=self._clock.now_us(),
            )
        )

    def _digest(self, person: Person) -> bytes:
        return self._secrets.subject_digest(f"identity {person.provider}", person.subject)


def address_of(person: Person) -> str:
    """Their address in its normal form. Raises Problem."""
    try:
        return normal_email(person.email)
    except Refusal:
        raise Problem("elsewhere", "failed") from None
