"""The entrance: signing in with a password, resetting it, changing it.

Wrong address, wrong password and an account without a password are one refusal, after the same
work. A right password opens a session, or the step that asks for a second factor. A device that
was not seen before is told to the owner by mail, in the same transaction.
"""

from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, func, insert, select, update

from gateway.base.clock import Clock
from gateway.base.policy import strict
from gateway.platform.accounts.accounts import Account, Accounts, normal_email
from gateway.platform.accounts.guesses import Guesses, Try, Visit
from gateway.platform.accounts.passwords import Passwords, check_new
from gateway.platform.accounts.sessions import (
    MAX_TOKEN,
    Session,
    Sessions,
    end_all,
    token_digest,
)
from gateway.platform.mail import Kind, Letter, Mail
from gateway.platform.refusals import Problem, Refusal
from gateway.store.database import Database
from gateway.store.schema.accounts import credentials, mail_links
from gateway.store.schema.sessions import devices, factors

RESET_LIFETIME_US = strict("reset_minutes") * 60 * 1_000_000
RECENT_US = 15 * 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A token for the browser, and whether a second factor is still owed for it."""

    token: str = field(repr=False)
    owes_factor: bool


class Entrance:
    """Lets owners in."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        sessions: Sessions,
        passwords: Passwords,
        guesses: Guesses,
        mail: Mail,
        clock: Clock,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords
        self._guesses = guesses
        self._mail = mail
        self._clock = clock

    async def by_password(self, email: str, password: str, visit: Visit) -> Entry:
        """Sign in. Raises Problem (`form`, `wrong`), TooManyAttempts, Overloaded."""
        self._passwords.check_room()  # in a flood, before the database is asked
        address, account = self._addressed(email)
        taken = await self._guesses.take("password", address, account, visit)
        stored = await self._stored(account)
        async with self._guesses.making(taken):
            right = await self._passwords.check(password, stored)
        if not right or account is None or account.state != "active":
            raise Problem("form", "wrong")
        if stored is not None and self._passwords.outdated(stored):
            made = await self._passwords.hash(password)
            await self._database.write(
                lambda c: set_password(c, account, made, self._clock.now_us())
            )
        return await self.enter(account, visit, taken)

    async def enter(
        self, account: Account, visit: Visit, taken: Try | None = None, *, trusted: bool = False
    ) -> Entry:
        """Open a session for somebody who has proved to be the owner by one factor.

        With `trusted` (a second factor given, or a link made by an operator) no more is asked.
        """
        token = self._sessions.new_token()

        def write(connection: Connection) -> bool:
            owes = not trusted and has_factor(connection, account.no)
            if taken is not None:
                self._guesses.give_back(connection, taken)
            known = self._is_known(connection, account, visit)
            self._sessions.insert(
                connection,
                token,
                account,
                stage="second" if owes else "open",
                agent=visit.agent,
                previous=visit.token,
            )
            if not owes:
                self._guesses.welcome(connection, account, visit)
                if not known:
                    values = {"agent": visit.agent[:300], "at_us": self._clock.now_us()}
                    self._mail.queue(
                        connection, self._letter("new_device", account, visit.locale, values)
                    )
            return owes

        return Entry(token, await self._database.write(write))

    async def confirm_owner(self, session: Session, password: str, visit: Visit) -> None:
        """Ask again before something grave: the password, or a sign-in of the last minutes for an
        account without one. Raises Problem, TooManyAttempts, Overloaded."""
        account = session.account
        if account is None:
            raise Problem("password", "wrong")
        stored = await self._stored(account)
        if stored is None:
            if self._clock.now_us() - session.created_us > RECENT_US:
                raise Problem("password", "sign_in_again")
            return
        self._passwords.check_room()  # in a flood, before a try is written down
        taken = await self._guesses.take("password", account.email, account, visit)
        async with self._guesses.making(taken):
            right = await self._passwords.check(password, stored)
        if not right:
            raise Problem("password", "wrong")
        await self._database.write(lambda c: self._guesses.give_back(c, taken))

    async def has_password(self, account: Account) -> bool:
        """Whether the account can be signed in to by password."""
        return await self._stored(account) is not None

    async def ask_reset(self, email: str, visit: Visit, locale: str = "en") -> None:
        """Queue a letter with a reset link, if the address has an account; no one can tell.

        Raises TooManyAttempts.
        """
        address, account = self._addressed(email)
        await self._guesses.take("reset", address, None, visit)
        token = self._sessions.new_token()
        good = account is not None and account.state == "active" and account.is_person

        def write(connection: Connection) -> None:
            now_us = self._clock.now_us()
            connection.execute(delete(mail_links).where(mail_links.c.expires_us <= now_us))
            connection.execute(
                insert(mail_links).values(
                    digest=token_digest(token),
                    kind="reset",
                    account_no=account.no if good and account is not None else None,
                    created_us=now_us,
                    expires_us=now_us + RESET_LIFETIME_US,
                )
            )
            id = account.id if account is not None else ""
            letter = Letter("reset", address, id, locale, token)
            self._mail.queue(connection, letter, void=not good)

        await self._database.write(write)

    async def reset(self, token: str, password: str, locale: str = "en") -> Account:
        """Use a reset link up: the password is new and every session ends. Raises Refusal for a
        link that is no good, Problem for the password."""
        refused = Refusal("the link is unknown, expired or already used; ask for a new one")
        if not token or len(token) > MAX_TOKEN:
            raise refused
        digest = token_digest(token)
        now_us = self._clock.now_us()
        usable = (
            (mail_links.c.digest == digest)
            & (mail_links.c.kind == "reset")
            & mail_links.c.used_us.is_(None)
            & mail_links.c.account_no.is_not(None)
            & (mail_links.c.expires_us > now_us)
        )
        query = select(mail_links.c.account_no).where(usable)
        found = await self._database.read(lambda c: c.scalar(query))
        if found is None:
            raise refused
        account = self._accounts.by_no(found)
        check_new(password, account.email)
        made = await self._passwords.hash(password)

        def use(connection: Connection) -> bool:
            used = connection.execute(update(mail_links).where(usable).values(used_us=now_us))
            if used.rowcount != 1 or account.state != "active":
                return False
            set_password(connection, account, made, now_us)
            end_all(connection, account.no, forget_devices=True)
            self._mail.queue(connection, self._letter("password_changed", account, locale))
            return True

        if not await self._database.write(use):
            raise refused
        return account

    async def change_password(self, session: Session, password: str, visit: Visit) -> str:
        """Set a password; every other session ends, and this one gets the token returned.

        The caller has confirmed the owner before. Raises Problem.
        """
        account = session.account
        if account is None:
            raise Problem("password", "wrong")
        check_new(password, account.email)
        made = await self._passwords.hash(password)
        token = self._sessions.new_token()

        def write(connection: Connection) -> None:
            set_password(connection, account, made, self._clock.now_us())
            end_all(connection, account.no, but=session.digest, forget_devices=True)
            self._sessions.insert(
                connection, token, account, agent=visit.agent, previous=visit.token
            )
            self._mail.queue(connection, self._letter("password_changed", account, visit.locale))

        await self._database.write(write)
        return token

    def _addressed(self, email: str) -> tuple[str, Account | None]:
        """An address as guesses at it are counted, and its account; any text is one address."""
        try:
            address = normal_email(email)
        except Refusal:
            return email.strip()[:320], None
        return address, self._accounts.find(address)

    async def _stored(self, account: Account | None) -> str | None:
        no = account.no if account is not None else 0
        query = select(credentials.c.password_hash).where(credentials.c.account_no == no)
        return await self._database.read(lambda connection: connection.scalar(query))

    def _is_known(self, connection: Connection, account: Account, visit: Visit) -> bool:
        """Whether the owner signed in from here before; the very first time counts as known."""
        no = account.no
        if not connection.scalar(select(devices.c.digest).where(devices.c.account_no == no)):
            return True
        return self._guesses.is_known(connection, account, visit)

    def _letter(
        self,
        kind: Kind,
        account: Account,
        locale: str = "en",
        values: dict[str, object] | None = None,
    ) -> Letter:
        return Letter(kind, account.email, account.id, locale, values=values or {})


def set_password(connection: Connection, account: Account, made: str, now_us: int) -> None:
    """Inside a transaction: the account's only password hash."""
    changed = connection.execute(
        update(credentials)
        .where(credentials.c.account_no == account.no)
        .values(password_hash=made, changed_us=now_us)
    )
    if not changed.rowcount:
        connection.execute(
            insert(credentials).values(account_no=account.no, password_hash=made, changed_us=now_us)
        )


def has_factor(connection: Connection, account_no: int) -> bool:
    """Whether the account asks for a second factor."""
    query = select(func.count()).select_from(factors).where(factors.c.account_no == account_no)
    return bool(connection.scalar(query))
