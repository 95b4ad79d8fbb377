"""Guardians: a minor's account may not spend until the guardian it named has consented.

The guardian gets a letter only after the minor's own address has answered, in the transaction that
makes the account. Its link confirms or refuses, once; who confirms gets another one, with which
the consent can be taken back for as long as the account exists, so links do not expire. What was
taken back, or refused, is final here: the minor cannot have it asked again.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, cast

import msgspec
from sqlalchemy import Connection, insert, select, update

from gateway.base.clock import Clock
from gateway.platform.accounts.accounts import Account, Accounts
from gateway.platform.accounts.ages import Guardian
from gateway.platform.accounts.guesses import Guesses, Visit
from gateway.platform.accounts.sessions import MAX_TOKEN, token_digest
from gateway.platform.audit import Audit
from gateway.platform.mail import Letter, Mail
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.ages import guardian_consents
from gateway.store.secrets import Secrets

Consenting = Literal["waiting", "confirmed", "withdrawn"]
TABLE: Final = "guardian_consents"
ROLE: Final = "guardian"  # who acts, in the audit log: the guardian of the account that is named
ACTION: Final = "guardian.consent"
_columns = guardian_consents.c


class Consent(NamedTuple):
    """A guardian's consent, or its lack. Times in epoch microseconds."""

    account: Account
    guardian: Guardian
    state: Consenting
    terms_version: str
    asked_us: int
    confirmed_us: int | None
    withdrawn_us: int | None
    locale: str


class Guardians:
    """Asks guardians, and lets accounts spend while they consent."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        secrets: Secrets,
        guesses: Guesses,
        mail: Mail,
        audit: Audit,
        clock: Clock,
        new_token: Callable[[], str],
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._secrets = secrets
        self._guesses = guesses
        self._mail = mail
        self._audit = audit
        self._clock = clock
        self._new_token = new_token

    async def load(self) -> None:
        """Hold the accounts that lack a consent; once, after the accounts are loaded."""
        query = select(_columns.account_no).where(_columns.state != "confirmed")
        for no in await self._database.read(lambda c: list(c.scalars(query))):
            self._accounts.by_no(no).hold("guardian", on=True)

    def ask(
        self,
        connection: Connection,
        account: Account,
        guardian: Guardian | None,
        terms_version: str,
        locale: str,
    ) -> None:
        """Inside the transaction that makes a minor's account: write to the guardian.

        Nothing for somebody without one. `hold` the account once that is durable.
        """
        if guardian is None:
            return
        token = self._new_token()
        text = msgspec.json.encode(guardian).decode()
        connection.execute(
            insert(guardian_consents).values(
                account_no=account.no,
                sealed=self._secrets.seal(text, table=TABLE, row=account.id),
                state="waiting",
                digest=token_digest(token),
                terms_version=terms_version,
                locale=locale,
                asked_us=self._clock.now_us(),
            )
        )
        account.hold("guardian", on=True)  # a record that nobody has seen yet
        self._write(connection, "guardian_asked", account, guardian, locale, token)

    async def of(self, account: Account) -> Consent | None:
        """The consent to an account; None where none was needed."""
        return await self._found(_columns.account_no == account.no)

    async def by_token(self, token: str) -> Consent:
        """The consent of a letter's link. Raises Refusal, the same for every link no good."""
        found = None
        if token and len(token) <= MAX_TOKEN:
            found = await self._found(_columns.digest == token_digest(token))
        if found is None or found.account.state == "closed":
            raise Refusal("the link is unknown or was used already")
        return found

    async def confirm(self, token: str) -> Consent:
        """Consent: the link is used up, and another one can take the consent back.

        Raises Refusal.
        """
        return await self._decide(token, "confirmed")

    async def withdraw(self, token: str) -> Consent:
        """Refuse, or take the consent back: nothing can be spent from now on. Raises Refusal."""
        return await self._decide(token, "withdrawn")

    async def write_again(self, account: Account, visit: Visit) -> None:
        """Another letter to the guardian; the link before it ends.

        Raises Refusal where none is waited for, TooManyAttempts.
        """
        consent = await self.of(account)
        if consent is None or consent.state != "waiting":
            raise Refusal("no consent is waited for")
        await self._guesses.take("guardian", consent.guardian.email, None, visit)
        token = self._new_token()

        def write(connection: Connection) -> None:
            changed = connection.execute(
                update(guardian_consents)
                .where(_columns.account_no == account.no, _columns.state == "waiting")
                .values(digest=token_digest(token))
            )
            if changed.rowcount:
                self._write(
                    connection, "guardian_asked", account, consent.guardian, consent.locale, token
                )

        await self._database.write(write)

    async def _decide(self, token: str, state: Consenting) -> Consent:
        consent = await self.by_token(token)
        account, guardian, locale = consent.account, consent.guardian, consent.locale
        before = _columns.state == "waiting" if state == "confirmed" else _columns.state != state
        now_us, further = self._clock.now_us(), self._new_token()
        values: dict[str, object] = {"state": state, "digest": token_digest(further)}
        if state == "confirmed":
            values["confirmed_us"] = now_us
        else:
            values |= {"digest": None, "withdrawn_us": now_us}

        def write(connection: Connection) -> bool:
            used = connection.execute(
                update(guardian_consents)
                .where(_columns.digest == token_digest(token), before)
                .values(**values)
            )
            if used.rowcount != 1:
                return False
            if state == "confirmed":
                self._write(connection, "guardian_confirmed", account, guardian, locale, further)
            told = Letter("guardian_decided", account.email, account.id, values={"state": state})
            self._mail.queue(connection, told)
            self._audit.append(connection, account.id, ROLE, ACTION, account.id, state)
            return True

        if not await self._database.write(write):
            raise Refusal("the link is unknown or was used already")
        account.hold("guardian", on=state != "confirmed")
        return consent

    async def _found(self, condition: object) -> Consent | None:
        query = select(guardian_consents).where(condition)  # type: ignore[arg-type]
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            return None
        account = self._accounts.by_no(row.account_no)
        text = self._secrets.unseal(row.sealed, table=TABLE, row=account.id)
        return Consent(
            account,
            msgspec.json.decode(text, type=Guardian),
            cast(Consenting, row.state),
            row.terms_version,
            row.asked_us,
            row.confirmed_us,
            row.withdrawn_us,
            row.locale,
        )

    def _write(
        self,
        connection: Connection,
        kind: Literal["guardian_asked", "guardian_confirmed"],
        account: Account,
        guardian: Guardian,
        locale: str,
        token: str,
    ) -> None:
        # No account's id: that account's owner chooses the language of their own letters only.
        values: dict[str, object] = {"name": guardian.name, "email": account.email}
        letter = Letter(kind, guardian.email, locale=locale, token=token, values=values)
        self._mail.queue(connection, letter)
