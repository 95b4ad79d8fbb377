"""Sessions: a browser that has signed in, known by a 256-bit token kept as a digest.

A session ends at sign-out, after SESSION_LIFETIME_US, or when its account is suspended. The token
is random in full, so a plain SHA-256 of it can be stored. This file knows nothing of cookies.
"""

import hashlib
import secrets as tokens
from collections.abc import Callable

from sqlalchemy import Connection, delete, insert, select

from gateway.base.clock import Clock
from gateway.platform.accounts.accounts import Account, Accounts
from gateway.store.database import Database
from gateway.store.schema.sessions import sessions

SESSION_LIFETIME_US = 7 * 24 * 3600 * 1_000_000
MAX_SESSIONS = 20  # of one account; the oldest give way
MAX_TOKEN = 128  # characters; longer input is refused before it is hashed


class Sessions:
    """Opens, finds and closes sessions."""

    def __init__(self, database: Database, accounts: Accounts, clock: Clock) -> None:
        self._database = database
        self._accounts = accounts
        self._clock = clock

    async def open(
        self, account: Account, random: Callable[[int], str] = tokens.token_urlsafe
    ) -> str:
        """A new session's token: shown once, to the browser that signed in."""
        token = random(32)
        now_us = self._clock.now_us()
        columns = sessions.c

        def add(connection: Connection) -> None:
            connection.execute(delete(sessions).where(columns.expires_us <= now_us))
            older = (
                select(columns.digest)
                .where(columns.account_no == account.no)
                .order_by(columns.created_us.desc(), columns.digest)
                .offset(MAX_SESSIONS - 1)
            )
            surplus = list(connection.scalars(older))
            connection.execute(delete(sessions).where(columns.digest.in_(surplus)))
            connection.execute(
                insert(sessions).values(
                    digest=_digest(token),
                    account_no=account.no,
                    created_us=now_us,
                    expires_us=now_us + SESSION_LIFETIME_US,
                )
            )

        await self._database.write(add)
        return token

    async def find(self, token: str) -> Account | None:
        """The account a token is signed in as, or None."""
        if not token or len(token) > MAX_TOKEN:
            return None
        digest = _digest(token)
        now_us = self._clock.now_us()
        query = select(sessions.c.account_no).where(
            sessions.c.digest == digest, sessions.c.expires_us > now_us
        )
        found = await self._database.read(lambda connection: connection.scalar(query))
        if found is None:
            return None
        account = self._accounts.by_no(found)
        return account if account.state == "active" else None

    async def close(self, token: str) -> None:
        """Sign out: the token is worth nothing from now on. No error for an unknown one."""
        if not token or len(token) > MAX_TOKEN:
            return
        digest = _digest(token)

        def remove(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.digest == digest))

        await self._database.write(remove)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
