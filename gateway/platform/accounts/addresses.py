"""Changing an account's address: the new one answers first, and the old one is told.

The letter to an address that has an account is never sent, and nobody can tell that it was not.
"""

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from gateway.base.clock import Clock
from gateway.platform.accounts.accounts import Account, Accounts, normal_email
from gateway.platform.accounts.guesses import Guesses, Visit
from gateway.platform.accounts.sessions import MAX_TOKEN, Sessions, token_digest
from gateway.platform.audit import Audit
from gateway.platform.mail import Letter, Mail
from gateway.platform.refusals import Problem, Refusal
from gateway.store.database import Database
from gateway.store.schema.accounts import mail_links
from gateway.store.secrets import Secrets

LIFETIME_US = 86_400 * 1_000_000
ACTION = "address.change"


class Addresses:
    """Moves accounts from one address to another."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        sessions: Sessions,
        secrets: Secrets,
        guesses: Guesses,
        mail: Mail,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._sessions = sessions
        self._secrets = secrets
        self._guesses = guesses
        self._mail = mail
        self._audit = audit
        self._clock = clock

    async def ask(self, account: Account, email: str, visit: Visit) -> None:
        """Queue a letter to a new address; the caller has confirmed the owner before.

        Raises Problem for what is no address, TooManyAttempts.
        """
        try:
            address = normal_email(email)
        except Refusal:
            raise Problem("email", "malformed") from None
        await self._guesses.take("address", account.id, account, visit)
        token = self._sessions.new_token()
        digest = token_digest(token)
        taken = self._accounts.find(address) is not None

        def write(connection: Connection) -> None:
            now_us = self._clock.now_us()
            connection.execute(delete(mail_links).where(mail_links.c.expires_us <= now_us))
            connection.execute(
                insert(mail_links).values(
                    digest=digest,
                    kind="address",
                    account_no=account.no,
                    sealed=self._secrets.seal(address, table="mail_links", row=digest.hex()),
                    created_us=now_us,
                    expires_us=now_us + LIFETIME_US,
                )
            )
            letter = Letter("address", address, account.id, visit.locale, token)
            self._mail.queue(connection, letter, void=taken)

        await self._database.write(write)

    async def confirm(self, token: str, locale: str = "en") -> Account:
        """Use a link up: the account moves. Raises Refusal for a link that is no good."""
        refused = Refusal("the link is unknown, expired or already used; ask for a new one")
        if not token or len(token) > MAX_TOKEN:
            raise refused
        digest = token_digest(token)
        now_us = self._clock.now_us()
        usable = (
            (mail_links.c.digest == digest)
            & (mail_links.c.kind == "address")
            & mail_links.c.used_us.is_(None)
            & (mail_links.c.expires_us > now_us)
        )
        row = await self._database.read(
            lambda c: c.execute(select(mail_links).where(usable)).first()
        )
        if row is None:
            raise refused
        account = self._accounts.by_no(row.account_no)
        address = self._secrets.unseal(row.sealed, table="mail_links", row=digest.hex())

        def use(connection: Connection) -> bool:
            used = connection.execute(update(mail_links).where(usable).values(used_us=now_us))
            if used.rowcount != 1 or account.state != "active":
                return False
            self._accounts.change_address(connection, account, address)
            letter = Letter("address_changed", account.email, account.id, locale)
            self._mail.queue(connection, letter)
            self._audit.append(connection, account.id, account.role, ACTION, account.id)
            return True

        try:
            done = await self._database.write(use)
        except IntegrityError:  # somebody else has the address by now
            raise refused from None
        if not done:
            raise refused
        self._accounts.moved(account, address)
        return account
