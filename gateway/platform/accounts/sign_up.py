"""Signing up: an account exists once the address has answered, and not before.

What is asked for is an address, a password, the terms and an age; who is too young leaves no row.
A minor, where the operator lets them in, names a guardian, who is written to once there is an
account. The page's answer, its work and the rows written are the same whether or not the
address has an account: only its owner learns, by mail. The link of the mail is completed with the
password that was chosen, so a stranger cannot have an account confirmed for themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.base.clock import Clock
from gateway.base.errors import Overloaded
from gateway.base.policy import strict
from gateway.platform.accounts.accounts import Account, Accounts, is_reserved, normal_email
from gateway.platform.accounts.ages import Attested, Guardian, Said, attest
from gateway.platform.accounts.guardians import Guardians
from gateway.platform.accounts.guesses import Guesses, Visit
from gateway.platform.accounts.passwords import Passwords, check_new
from gateway.platform.accounts.profiles import introduce
from gateway.platform.accounts.sessions import MAX_TOKEN, token_digest
from gateway.platform.mail import Letter, Mail
from gateway.platform.refusals import Problem, Refusal
from gateway.store.database import Database
from gateway.store.schema.accounts import agreements, credentials, sign_ups
from gateway.store.secrets import Secrets

LINK_LIFETIME_US = strict("confirm_hours") * 3600 * 1_000_000
MAX_WAITING = 100_000  # rows of sign-ups that nobody has confirmed yet
RETRY_S = 3600
TERMS = "terms"


@dataclass(frozen=True, slots=True)
class Wish:
    """A filled-in sign-up form."""

    email: str = field(repr=False)
    password: str = field(repr=False)
    accepts_terms: bool
    said: Said
    locale: str = "en"


@dataclass(slots=True)
class Policy:
    """What the operator asks of those who sign up; `minimum_age` in years.

    `terms_version` changes in place when another version of the texts begins.
    """

    is_open: bool
    minimum_age: int
    terms_version: str


class SignUp:
    """Takes wishes and makes accounts of those that are confirmed."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        secrets: Secrets,
        passwords: Passwords,
        guesses: Guesses,
        mail: Mail,
        guardians: Guardians,
        clock: Clock,
        policy: Policy,
        new_token: Callable[[], str],
    ) -> None:
        self.policy = policy
        self.max_waiting = MAX_WAITING
        self._database = database
        self._accounts = accounts
        self._secrets = secrets
        self._passwords = passwords
        self._guesses = guesses
        self._mail = mail
        self._guardians = guardians
        self._clock = clock
        self._new_token = new_token

    async def ask(self, wish: Wish, visit: Visit) -> None:
        """Queue the letter that makes an account, or the one that says there is one already.

        Raises Problem for what was filled in wrong, TooManyAttempts, Overloaded.
        """
        address, attested = self._checked(wish)
        await self._guesses.take("sign-up", address, None, visit)
        password_hash = await self._passwords.hash(wish.password)
        token = self._new_token()
        owner = self._accounts.find(address)

        def add(connection: Connection) -> None:
            now_us = self._clock.now_us()
            connection.execute(delete(sign_ups).where(sign_ups.c.expires_us <= now_us))
            waiting = connection.scalar(select(func.count()).select_from(sign_ups)) or 0
            if waiting >= self.max_waiting:
                raise Overloaded(retry_after_s=RETRY_S)
            digest = token_digest(token)
            connection.execute(
                insert(sign_ups).values(
                    digest=digest,
                    sealed=self._secrets.seal(address, table="sign_ups", row=digest.hex()),
                    guardian_sealed=self._seal_guardian(attested.guardian, digest),
                    password_hash=password_hash,
                    terms_version=self.policy.terms_version,
                    locale=wish.locale,
                    age=attested.age,
                    created_us=now_us,
                    expires_us=now_us + LINK_LIFETIME_US,
                )
            )
            if owner is None:
                letter = Letter("confirm", address, locale=wish.locale, token=token)
            else:  # the token is told to nobody
                letter = Letter("already_registered", address, owner.id, wish.locale)
            self._mail.queue(connection, letter)

        await self._database.write(add)

    async def confirm(self, token: str, password: str, visit: Visit) -> Account:
        """The account of a confirmed sign-up. Raises Refusal for a link that is no good, Problem
        for a wrong password, TooManyAttempts, Overloaded."""
        refused = Refusal("the link is unknown, expired or already used; sign up again")
        if not token or len(token) > MAX_TOKEN:
            raise refused
        digest = token_digest(token)
        query = select(sign_ups).where(
            sign_ups.c.digest == digest, sign_ups.c.expires_us > self._clock.now_us()
        )
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            raise refused
        taken = await self._guesses.take("sign-up link", digest.hex(), None, visit)
        async with self._guesses.making(taken):
            right = await self._passwords.check(password, row.password_hash)
        if not right:
            raise Problem("password", "wrong")
        address = self._secrets.unseal(row.sealed, table="sign_ups", row=digest.hex())
        guardian = self._unseal_guardian(row.guardian_sealed, digest)

        def make(connection: Connection) -> Account | None:
            used = connection.execute(delete(sign_ups).where(sign_ups.c.digest == digest))
            if used.rowcount != 1:
                return None
            self._guesses.give_back(connection, taken)
            account = self._accounts.insert(connection, address)
            now_us = self._clock.now_us()
            connection.execute(
                insert(credentials).values(
                    account_no=account.no, password_hash=row.password_hash, changed_us=now_us
                )
            )
            agree(connection, account, row.terms_version, row.age, now_us)
            self._guardians.ask(connection, account, guardian, row.terms_version, row.locale)
            introduce(connection, self._secrets, account, row.locale, now_us)
            return account

        try:
            account = await self._database.write(make)
        except IntegrityError:  # confirmed twice, by two letters
            raise refused from None
        if account is None:
            raise refused
        self._accounts.keep(account)
        return account

    def _checked(self, wish: Wish) -> tuple[str, Attested]:
        if not self.policy.is_open:
            raise Problem("form", "closed")
        try:
            address = normal_email(wish.email)
        except Refusal:
            address = ""
        if not address or is_reserved(address):
            raise Problem("email", "malformed")
        check_new(wish.password, address)
        return address, self.attested(wish.accepts_terms, wish.said, address)

    def attested(self, accepts_terms: bool, said: Said, address: str) -> Attested:
        """The age somebody attests who accepts the terms. Raises Problem, and writes nothing."""
        if not accepts_terms:
            raise Problem("terms", "required")
        return attest(said, self.policy.minimum_age, self._clock.now_us(), address)

    async def age_of(self, account: Account) -> int:
        """The least age that an account's owner attested, in years; 0 where nobody was asked."""
        query = select(func.max(agreements.c.age)).where(agreements.c.account_no == account.no)
        return await self._database.read(lambda c: c.scalar(query)) or 0

    def _seal_guardian(self, guardian: Guardian | None, digest: bytes) -> bytes | None:
        if guardian is None:
            return None
        text = msgspec.json.encode(guardian).decode()
        return self._secrets.seal(text, table="sign_ups", row=f"{digest.hex()} guardian")

    def _unseal_guardian(self, sealed: bytes | None, digest: bytes) -> Guardian | None:
        if sealed is None:
            return None
        text = self._secrets.unseal(sealed, table="sign_ups", row=f"{digest.hex()} guardian")
        return msgspec.json.decode(text, type=Guardian)


def agree(connection: Connection, account: Account, version: str, age: int, at_us: int) -> None:
    """Inside a transaction: the account's owner has accepted the terms and attested an age."""
    connection.execute(
        insert(agreements).values(
            account_no=account.no, document=TERMS, version=version, age=age, at_us=at_us
        )
    )
