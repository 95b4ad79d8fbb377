"""Proofs of age: asked for by the operator's staff, and lifted by them once they were given.

While one is open the account may not spend; its owner signs in as ever, reads why and until when,
and is told by letter of both. How a proof is given is between the two: none is stored. The reason
is for the owner to read. It is no part of the audit log, which outlives the account.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts.accounts import Account, Accounts, check_open
from gateway.platform.accounts.sessions import DAY_US
from gateway.platform.audit import Audit
from gateway.platform.mail import Letter, Mail
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.ages import age_proofs

ACTION: Final = "accounts.age"
MAX_WORDS: Final = 300
MOST_DAYS: Final = 90
_columns = age_proofs.c


class Proof(NamedTuple):
    """A proof that was asked for. Times in epoch microseconds; `due_us` is the start of a day."""

    id: str
    account: Account
    reason: str
    due_us: int
    requested_by: str
    requested_us: int
    lifted_by: str | None
    lifted_us: int | None
    lifted_for: str | None

    @property
    def is_open(self) -> bool:
        """Whether it is still owed."""
        return self.lifted_us is None


class Proofs:
    """Asks for proofs of age and lifts that again."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        mail: Mail,
        audit: Audit,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._mail = mail
        self._audit = audit
        self._clock = clock
        self._ids = ids

    async def load(self) -> None:
        """Hold the accounts that owe a proof; once, after the accounts are loaded."""
        query = select(_columns.account_no).where(_columns.lifted_us.is_(None))
        for no in await self._database.read(lambda c: list(c.scalars(query))):
            self._accounts.by_no(no).hold("proof", on=True)

    async def listing(self, account: Account) -> list[Proof]:
        """What an account was ever asked for, newest first."""
        query = (
            select(age_proofs)
            .where(_columns.account_no == account.no)
            .order_by(_columns.requested_us.desc(), _columns.id.desc())
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [self._proof(row) for row in rows]

    async def open_of(self, account: Account) -> Proof | None:
        """What an account owes; None for nothing."""
        if "proof" not in account.holds:
            return None
        return next((each for each in await self.listing(account) if each.is_open), None)

    async def request(self, by: Account, account: Account, reason: str, due_us: int) -> Proof:
        """Ask for a proof until a day. Raises Refusal."""
        check_open(account)
        if not account.is_person:
            raise Refusal("an organisation has no age")
        words, now_us = _words(reason), self._clock.now_us()
        if not now_us < due_us <= now_us + MOST_DAYS * DAY_US:
            raise Refusal(f"the day is after today, and within {MOST_DAYS} days")
        row = {
            "id": self._ids.make("age"),
            "account_no": account.no,
            "reason": words,
            "due_us": due_us,
            "requested_by": by.id,
            "requested_us": now_us,
        }

        def write(connection: Connection) -> None:
            connection.execute(insert(age_proofs).values(**row))
            values = {"reason": words, "due_us": due_us}
            letter = Letter("age_proof", account.email, account.id, values=values)
            self._mail.queue(connection, letter)
            self._record(connection, by, account, f"requested {row['id']}")

        try:
            await self._database.write(write)
        except IntegrityError:
            raise Refusal("a proof of age was asked for already") from None
        account.hold("proof", on=True)
        return Proof(row["id"], account, words, due_us, by.id, now_us, None, None, None)  # type: ignore[arg-type]

    async def lift(self, by: Account, account: Account, reason: str) -> None:
        """Nothing is owed any more. Raises Refusal."""
        words, now_us = _words(reason), self._clock.now_us()

        def write(connection: Connection) -> None:
            lifted = connection.execute(
                update(age_proofs)
                .where(_columns.account_no == account.no, _columns.lifted_us.is_(None))
                .values(lifted_by=by.id, lifted_us=now_us, lifted_for=words)
            )
            if lifted.rowcount != 1:
                raise Refusal("no proof of age is asked for")
            self._mail.queue(connection, Letter("age_proof_lifted", account.email, account.id))
            self._record(connection, by, account, "lifted")

        await self._database.write(write)
        account.hold("proof", on=False)

    def _record(self, connection: Connection, by: Account, account: Account, detail: str) -> None:
        self._audit.append(connection, by.id, by.role, ACTION, account.id, detail)

    def _proof(self, row: Any) -> Proof:
        values = dict(row._mapping)
        return Proof(account=self._accounts.by_no(values.pop("account_no")), **values)


def _words(text: str) -> str:
    words = " ".join(text.split())
    if not words or len(words) > MAX_WORDS or not words.isprintable():
        raise Refusal(f"a reason is 1 to {MAX_WORDS} printable characters")
    return words
