"""Second factors: one-time codes, passkeys, and recovery codes for when both are lost.

An account with any factor owes one after its password. Secrets and public keys are sealed,
recovery codes kept as digests and used once, a code's time step and a passkey's counter only go
up. Tries are counted like passwords. Every change is told to the owner by mail.
"""

import base64
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts import passkeys, totp
from gateway.platform.accounts.accounts import Account
from gateway.platform.accounts.entrance import Entrance, Entry
from gateway.platform.accounts.guesses import Guesses, Try, Visit
from gateway.platform.accounts.passkeys import Site
from gateway.platform.accounts.sessions import Session, Sessions
from gateway.platform.mail import Letter, Mail
from gateway.platform.refusals import Problem
from gateway.store.database import Database
from gateway.store.schema.sessions import factors, recovery_codes
from gateway.store.secrets import Secrets

CODES = 10
CODE_BYTES = 10  # 80 bits
MAX_FACTORS = 10
MAX_NAME = 60


class Factor(NamedTuple):
    """A factor as it is listed. Times in epoch microseconds."""

    id: str
    kind: str
    name: str
    created_us: int
    used_us: int | None


class Factors:
    """Adds, removes and checks factors."""

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        sessions: Sessions,
        entrance: Entrance,
        guesses: Guesses,
        mail: Mail,
        clock: Clock,
        ids: IdFactory,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._sessions = sessions
        self._entrance = entrance
        self._guesses = guesses
        self._mail = mail
        self._clock = clock
        self._ids = ids
        self._random = random

    async def listing(self, account: Account) -> list[Factor]:
        """The account's factors, the oldest first."""
        return [
            Factor(row.id, row.kind, row.name, row.created_us, row.used_us)
            for row in await self._rows(account)
        ]

    async def codes_left(self, account: Account) -> int:
        """How many recovery codes are unused."""
        query = (
            select(func.count())
            .select_from(recovery_codes)
            .where(recovery_codes.c.account_no == account.no, recovery_codes.c.used_us.is_(None))
        )
        return await self._database.read(lambda c: c.scalar(query) or 0)

    # --- adding and removing; the caller has confirmed the owner --------------------------------

    async def begin_totp(self, session: Session) -> str:
        """A secret to put into an authenticator app; it counts once a code of it was given."""
        secret = totp.new_secret(self._random)
        await self._sessions.note(session, totp=secret)
        return secret

    async def finish_totp(
        self, session: Session, account: Account, code: str, locale: str = "en"
    ) -> list[str]:
        """Add the app whose code this is; returns recovery codes with the first factor, else
        none. Raises Problem."""
        secret = session.context.get("totp", "")
        step = (
            totp.matching_step(secret, _digits(code), self._clock.now_us(), 0) if secret else None
        )
        if step is None:
            raise Problem("code", "wrong")
        made = await self._add(account, "totp", "TOTP", secret, counter=step, locale=locale)
        await self._sessions.note(session)
        return made

    def passkey_options(
        self, session: Session, account: Account, site: Site, existing: list[bytes]
    ) -> str:
        """JSON for the browser's `navigator.credentials.create`."""
        asked = passkeys.challenge(self._secrets, session, "register")
        return passkeys.registration_options(account, site, asked, existing)

    async def add_passkey(
        self,
        session: Session,
        account: Account,
        site: Site,
        answer: str,
        name: str,
        locale: str = "en",
    ) -> list[str]:
        """Add the passkey of an answer; recovery codes with the first factor. Raises Problem."""
        asked = passkeys.challenge(self._secrets, session, "register")
        made = passkeys.registered(answer, site, asked)
        key = base64.b64encode(made.public_key).decode("ascii")
        return await self._add(
            account,
            "passkey",
            name,
            key,
            counter=made.counter,
            credential=made.credential,
            locale=locale,
        )

    async def credentials(self, account: Account) -> list[bytes]:
        """The public names of the account's passkeys."""
        rows = await self._rows(account)
        return [row.credential for row in rows if row.kind == "passkey"]

    async def remove(self, account: Account, id: str, locale: str = "en") -> bool:
        """Remove a factor; with the last one the recovery codes go too. Whether there was one."""

        def write(connection: Connection) -> bool:
            gone = connection.execute(
                delete(factors).where(factors.c.id == id, factors.c.account_no == account.no)
            )
            if not gone.rowcount:
                return False
            if not connection.scalar(
                select(factors.c.id).where(factors.c.account_no == account.no).limit(1)
            ):
                connection.execute(
                    delete(recovery_codes).where(recovery_codes.c.account_no == account.no)
                )
            self._tell(connection, account, locale)
            return True

        return await self._database.write(write)

    async def renew_codes(self, account: Account, locale: str = "en") -> list[str]:
        """New recovery codes, shown once; the old ones are worth nothing."""

        def write(connection: Connection) -> list[str]:
            self._tell(connection, account, locale)
            return self._new_codes(connection, account)

        return await self._database.write(write)

    # --- signing in -----------------------------------------------------------------------------

    async def by_code(self, session: Session, code: str, visit: Visit) -> Entry:
        """Finish signing in with a one-time or a recovery code. Raises Problem, TooManyAttempts."""
        account = _owner(session)
        taken = await self._guesses.take("code", account.id, account, visit)
        typed = _digits(code)
        rows = [row for row in await self._rows(account) if row.kind == "totp"]
        for row in rows if len(typed) == totp.DIGITS else []:
            secret = self._secrets.unseal(row.sealed, table="factors", row=row.id)
            now_us = self._clock.now_us()
            step = totp.matching_step(secret, typed, now_us, row.counter)
            if step is not None and await self._advance(row.id, row.counter, step):
                return await self._enter(account, visit, taken)
        if not await self._use_recovery(account, code):
            raise Problem("code", "wrong")
        return await self._enter(account, visit, taken)

    async def assertion_options(self, session: Session, site: Site) -> str:
        """JSON for `navigator.credentials.get`; empty for an account without a passkey."""
        existing = await self.credentials(_owner(session))
        if not existing:
            return ""
        asked = passkeys.challenge(self._secrets, session, "sign in")
        return passkeys.assertion_options(site, asked, existing)

    async def by_passkey(self, session: Session, site: Site, answer: str, visit: Visit) -> Entry:
        """Finish signing in with a passkey. Raises Problem, TooManyAttempts."""
        account = _owner(session)
        taken = await self._guesses.take("code", account.id, account, visit)
        credential = passkeys.credential_of(answer)
        rows = await self._rows(account)
        row = next((each for each in rows if each.credential == credential), None)
        if row is None:
            raise Problem("passkey", "wrong")
        key = base64.b64decode(self._secrets.unseal(row.sealed, table="factors", row=row.id))
        asked = passkeys.challenge(self._secrets, session, "sign in")
        counter = passkeys.asserted(answer, site, asked, key, row.counter)
        if not await self._advance(row.id, row.counter, counter):
            raise Problem("passkey", "wrong")
        return await self._enter(account, visit, taken)

    # --- within ---------------------------------------------------------------------------------

    async def _enter(self, account: Account, visit: Visit, taken: Try) -> Entry:
        return await self._entrance.enter(account, visit, taken, trusted=True)

    async def _rows(self, account: Account) -> list[Any]:
        query = (
            select(factors).where(factors.c.account_no == account.no).order_by(factors.c.created_us)
        )
        return await self._database.read(lambda c: list(c.execute(query).all()))

    async def _add(
        self,
        account: Account,
        kind: str,
        name: str,
        secret: str,
        *,
        counter: int,
        credential: bytes | None = None,
        locale: str = "en",
    ) -> list[str]:
        id = self._ids.make("fac")
        label = name.strip()
        if len(label) > MAX_NAME or not label.isprintable():
            raise Problem("name", "too_long")

        def write(connection: Connection) -> list[str]:
            query = select(func.count()).select_from(factors)
            number = connection.scalar(query.where(factors.c.account_no == account.no)) or 0
            if number >= MAX_FACTORS:
                raise Problem("name", "too_many")
            connection.execute(
                insert(factors).values(
                    id=id,
                    account_no=account.no,
                    kind=kind,
                    name=label or kind,
                    credential=credential,
                    sealed=self._secrets.seal(secret, table="factors", row=id),
                    counter=counter,
                    created_us=self._clock.now_us(),
                )
            )
            self._tell(connection, account, locale)
            return self._new_codes(connection, account) if number == 0 else []

        try:
            return await self._database.write(write)
        except IntegrityError:  # the same passkey again
            raise Problem("passkey", "wrong") from None

    async def _advance(self, id: str, before: int, counter: int) -> bool:
        """Note a use; False when the same code or signature was used by another at once."""
        now_us = self._clock.now_us()

        def write(connection: Connection) -> bool:
            used = connection.execute(
                update(factors)
                .where(factors.c.id == id, factors.c.counter == before)
                .values(counter=counter, used_us=now_us)
            )
            return used.rowcount == 1

        return await self._database.write(write)

    async def _use_recovery(self, account: Account, code: str) -> bool:
        digest = self._code_digest(account, code)
        now_us = self._clock.now_us()

        def write(connection: Connection) -> bool:
            used = connection.execute(
                update(recovery_codes)
                .where(
                    recovery_codes.c.digest == digest,
                    recovery_codes.c.account_no == account.no,
                    recovery_codes.c.used_us.is_(None),
                )
                .values(used_us=now_us)
            )
            return used.rowcount == 1

        return await self._database.write(write)

    def _new_codes(self, connection: Connection, account: Account) -> list[str]:
        connection.execute(delete(recovery_codes).where(recovery_codes.c.account_no == account.no))
        codes = [_shown(self._random(CODE_BYTES)) for _ in range(CODES)]
        rows = [
            {"digest": self._code_digest(account, code), "account_no": account.no} for code in codes
        ]
        connection.execute(insert(recovery_codes), rows)
        return codes

    def _code_digest(self, account: Account, code: str) -> bytes:
        plain = "".join(each for each in code.lower() if each.isalnum())[:64]
        return self._secrets.subject_digest("recovery code", f"{account.id} {plain}")

    def _tell(self, connection: Connection, account: Account, locale: str) -> None:
        self._mail.queue(connection, Letter("factor_changed", account.email, account.id, locale))


def _owner(session: Session) -> Account:
    if session.account is None:
        raise Problem("code", "wrong")
    return session.account


def _digits(code: str) -> str:
    return "".join(each for each in code[:32] if each in "0123456789")


def _shown(random: bytes) -> str:
    text = base64.b32encode(random).decode("ascii").lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
