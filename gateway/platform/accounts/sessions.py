"""Sessions: a browser that has signed in, known by a 256-bit token kept as a digest.

A session ends at sign-out, after its lifetime, and with every change of its account that takes
trust away (password, role, suspension): `end_all`. Every step of signing in makes a new token.
`stage` says how far a browser has come: `open` is signed in; `second` owes a second factor;
`elsewhere` was sent to another site to say who it is; `welcome` came back from there without an
account. The token is random in full, so a plain SHA-256 of it can be stored. The database is asked
every time, so an ended session is dead at once. This file knows nothing of cookies.
"""

import hashlib
import secrets as tokens
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from gateway.base.clock import Clock
from gateway.base.errors import StorageUnavailable
from gateway.base.ids import IdFactory
from gateway.platform.accounts.accounts import Account, Accounts
from gateway.store.database import Database
from gateway.store.schema.sessions import devices, sessions
from gateway.store.secrets import Secrets

Stage = Literal["open", "second", "elsewhere", "welcome"]
DAY_US = 86_400 * 1_000_000
STEP_LIFETIME_US = 15 * 60 * 1_000_000  # to finish signing in
SEEN_EVERY_US = 300 * 1_000_000
SKEW_US = 60 * 1_000_000  # by so much a clock is set without ending sessions
DEVICE_KEPT_US = 180 * DAY_US
MAX_SESSIONS = 20  # of one account; the oldest give way
MAX_TOKEN = 128  # characters; longer input is refused before it is hashed
MAX_AGENT = 300

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Session:
    """A session as found. `account` is None only before `open`. Times in epoch microseconds.

    `desk_no` is the organisation's account whose console is open; None: the account's own.
    """

    id: str
    digest: bytes = field(repr=False)
    account: Account | None
    stage: Stage
    created_us: int
    seen_us: int
    expires_us: int
    context: dict[str, Any] = field(repr=False)
    desk_no: int | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A line of the list of sessions; `agent` is the browser's own description."""

    id: str
    agent: str
    created_us: int
    seen_us: int
    expires_us: int


def token_digest(token: str) -> bytes:
    """What is stored of a token; any text has one, so a forged cookie costs no more."""
    return hashlib.sha256(token[: MAX_TOKEN + 1].encode(errors="replace")).digest()


class Sessions:
    """Opens, finds, lists and ends sessions."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        secrets: Secrets,
        clock: Clock,
        ids: IdFactory,
        *,
        lifetime_us: int = 7 * DAY_US,
        random: Callable[[int], str] = tokens.token_urlsafe,
    ) -> None:
        self.lifetime_us = lifetime_us
        self._database = database
        self._accounts = accounts
        self._secrets = secrets
        self._clock = clock
        self._ids = ids
        self._random = random

    async def open(
        self,
        account: Account | None,
        *,
        stage: Stage = "open",
        agent: str = "",
        previous: str = "",
        context: dict[str, Any] | None = None,
    ) -> str:
        """A new session's token: shown once, to the browser. The `previous` one ends with it."""
        token = self._random(32)
        await self._database.write(
            lambda c: self.insert(
                c, token, account, stage=stage, agent=agent, previous=previous, context=context
            )
        )
        return token

    def new_token(self) -> str:
        """A token for `insert`."""
        return self._random(32)

    def insert(
        self,
        connection: Connection,
        token: str,
        account: Account | None,
        *,
        stage: Stage = "open",
        agent: str = "",
        previous: str = "",
        context: dict[str, Any] | None = None,
    ) -> None:
        """Inside a transaction: what `open` does, for a caller with more to write."""
        now_us = self._clock.now_us()
        columns = sessions.c
        connection.execute(delete(sessions).where(columns.expires_us <= now_us))
        if account is not None:
            self._make_room(connection, account.no, stage)
        id, digest = self._ids.make("ses"), token_digest(token)
        if previous:
            self._replace(connection, token_digest(previous), digest)
        connection.execute(
            insert(sessions).values(
                digest=digest,
                id=id,
                account_no=account.no if account is not None else None,
                stage=stage,
                created_us=now_us,
                seen_us=now_us,
                expires_us=now_us + (self.lifetime_us if stage == "open" else STEP_LIFETIME_US),
                agent_sealed=self._seal(id, "agent", agent[:MAX_AGENT]),
                context_sealed=self._seal(id, "context", _encode(context or {}).decode()),
            )
        )
        if account is not None and stage == "open":
            remember_device(connection, digest, account.no, now_us)

    async def find(self, token: str) -> Session | None:
        """The session of a token, at whatever stage, or None. A suspended account has none."""
        if not token or len(token) > MAX_TOKEN:
            return None
        digest = token_digest(token)
        now_us = self._clock.now_us()
        columns = sessions.c
        query = select(sessions).where(
            columns.digest == digest,
            columns.expires_us > now_us,
            columns.created_us <= now_us + SKEW_US,  # else it would outlive a clock set back
        )
        row = await self._database.read(lambda connection: connection.execute(query).first())
        if row is None:
            return None
        account = self._accounts.by_no(row.account_no) if row.account_no is not None else None
        if account is not None and account.state != "active":
            return None
        if now_us - row.seen_us > SEEN_EVERY_US:
            with suppress(StorageUnavailable):  # a full disk signs nobody out
                await self._database.write(
                    lambda c: c.execute(
                        update(sessions).where(sessions.c.digest == digest).values(seen_us=now_us)
                    )
                )
        context = msgspec.json.decode(self._unseal(row.id, "context", row.context_sealed) or "{}")
        return Session(
            row.id,
            digest,
            account,
            row.stage,
            row.created_us,
            now_us,
            row.expires_us,
            context,
            row.desk_no,
        )

    async def account(self, token: str) -> Account | None:
        """The account a token is signed in as, or None."""
        session = await self.find(token)
        return session.account if session is not None and session.stage == "open" else None

    async def note(self, session: Session, **context: Any) -> None:
        """Remember something for the next step of this session; what was noted before is gone."""
        sealed = self._seal(session.id, "context", _encode(context).decode())
        await self._database.write(
            lambda c: c.execute(
                update(sessions)
                .where(sessions.c.digest == session.digest)
                .values(context_sealed=sealed)
            )
        )

    async def sit_down(self, session: Session, desk_no: int | None) -> None:
        """Show another console in this session: an organisation's, or None for one's own."""
        chosen = update(sessions).where(sessions.c.digest == session.digest)
        await self._database.write(lambda c: c.execute(chosen.values(desk_no=desk_no)))

    async def listing(self, account: Account) -> list[SessionRow]:
        """The account's open sessions, the newest first."""
        columns = sessions.c
        query = (
            select(sessions)
            .where(
                columns.account_no == account.no,
                columns.stage == "open",
                columns.expires_us > self._clock.now_us(),
            )
            .order_by(columns.created_us.desc())
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [
            SessionRow(
                row.id,
                self._unseal(row.id, "agent", row.agent_sealed),
                row.created_us,
                row.seen_us,
                row.expires_us,
            )
            for row in rows
        ]

    async def close(self, token: str) -> None:
        """Sign out: the token is worth nothing from now on. No error for an unknown one."""
        if not token or len(token) > MAX_TOKEN:
            return
        digest = token_digest(token)
        await self._database.write(
            lambda c: c.execute(delete(sessions).where(sessions.c.digest == digest))
        )

    async def revoke(self, account: Account, id: str) -> bool:
        """End one session of an account by its id; whether there was one."""
        query = delete(sessions).where(sessions.c.id == id, sessions.c.account_no == account.no)
        ended = await self._database.write(lambda c: c.execute(query).rowcount)
        return bool(ended)

    async def revoke_all(self, account: Account) -> None:
        """End every session of an account and forget its devices."""
        await self._database.write(lambda c: end_all(c, account.no, forget_devices=True))

    def _make_room(self, connection: Connection, account_no: int, stage: Stage) -> None:
        """End the oldest; half-way sign-ins, which need one factor only, end no open session."""
        columns = sessions.c
        older = (
            select(columns.digest)
            .where(columns.account_no == account_no, columns.stage == stage)
            .order_by(columns.created_us.desc(), columns.digest)
            .offset(MAX_SESSIONS - 1)
        )
        surplus = list(connection.scalars(older))
        connection.execute(delete(sessions).where(columns.digest.in_(surplus)))

    def _replace(self, connection: Connection, old: bytes, new: bytes) -> None:
        """End the session before; the browser stays the device it was."""
        connection.execute(delete(sessions).where(sessions.c.digest == old))
        known = connection.execute(select(devices).where(devices.c.digest == old)).all()
        for row in known:
            remember_device(connection, new, row.account_no, row.seen_us)
        connection.execute(delete(devices).where(devices.c.digest == old))

    def _seal(self, id: str, column: str, text: str) -> bytes:
        return self._secrets.seal(text, table="sessions", row=f"{id} {column}")

    def _unseal(self, id: str, column: str, sealed: bytes | None) -> str:
        if sealed is None:
            return ""
        return self._secrets.unseal(sealed, table="sessions", row=f"{id} {column}")


def end_all(
    connection: Connection,
    account_no: int,
    *,
    but: bytes = b"",
    forget_devices: bool = False,
) -> None:
    """Inside a transaction: end every session of an account, perhaps but the one of a digest."""
    connection.execute(
        delete(sessions).where(sessions.c.account_no == account_no, sessions.c.digest != but)
    )
    if forget_devices:
        connection.execute(
            delete(devices).where(devices.c.account_no == account_no, devices.c.digest != but)
        )


def remember_device(connection: Connection, digest: bytes, account_no: int, seen_us: int) -> None:
    """Inside a transaction: somebody signed in to the account from here."""
    columns = devices.c
    connection.execute(delete(devices).where(columns.seen_us < seen_us - DEVICE_KEPT_US))
    updated = connection.execute(
        update(devices)
        .where(columns.digest == digest, columns.account_no == account_no)
        .values(seen_us=seen_us)
    )
    if not updated.rowcount:
        connection.execute(
            insert(devices).values(digest=digest, account_no=account_no, seen_us=seen_us)
        )
