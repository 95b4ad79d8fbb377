"""One-time sign-in links: a 256-bit token, kept only as a keyed digest, used once within 24 hours.

Using one is a single guarded UPDATE, so two simultaneous uses cannot both succeed. A link says
nothing about why it fails. This file does not know how a link is delivered or what a session is.
"""

import secrets as tokens
from collections.abc import Callable

from sqlalchemy import Connection, delete, insert, select, update

from gateway.base.clock import Clock
from gateway.platform.accounts.accounts import Account, Accounts
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.accounts import sign_in_links
from gateway.store.secrets import Secrets

LINK_LIFETIME_US = 24 * 3600 * 1_000_000
MAX_TOKEN = 128  # characters; longer input is refused before it is hashed


class SignInLinks:
    """Makes and redeems the links of accounts."""

    def __init__(
        self, database: Database, accounts: Accounts, secrets: Secrets, clock: Clock
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._secrets = secrets
        self._clock = clock

    async def create(
        self, account: Account, random: Callable[[int], str] = tokens.token_urlsafe
    ) -> str:
        """A new token for an account; shown once, stored as a digest. Old links stay valid.

        Raises Refusal for an organisation's account.
        """
        if not account.is_person:
            raise Refusal("nobody signs in as an organisation; its members sign in as themselves")
        token = random(32)
        digest = self._secrets.sign_in_digest(token.encode())
        now_us = self._clock.now_us()

        def add(connection: Connection) -> None:
            # Expired rows have no use; they leave with the next link made.
            connection.execute(delete(sign_in_links).where(sign_in_links.c.expires_us < now_us))
            connection.execute(
                insert(sign_in_links).values(
                    account_no=account.no,
                    digest=digest,
                    created_us=now_us,
                    expires_us=now_us + LINK_LIFETIME_US,
                )
            )

        await self._database.write(add)
        return token

    async def redeem(self, token: str) -> Account:
        """The account a token signs in; the token is used up. Raises Refusal, the same for all."""
        refused = Refusal("the sign-in link is unknown, expired or already used; ask for a new one")
        if not token or len(token) > MAX_TOKEN:
            raise refused
        digest = self._secrets.sign_in_digest(token.encode(errors="replace"))
        now_us = self._clock.now_us()
        links = sign_in_links.c

        def use(connection: Connection) -> int | None:
            used = connection.execute(
                update(sign_in_links)
                .where(links.digest == digest, links.used_us.is_(None), links.expires_us > now_us)
                .values(used_us=now_us)
            )
            if used.rowcount != 1:
                return None
            found = connection.execute(select(links.account_no).where(links.digest == digest))
            return int(found.scalar_one())

        account_no = await self._database.write(use)
        if account_no is None:
            raise refused
        account = self._accounts.by_no(account_no)
        if account.state != "active":
            raise refused
        return account
