"""Letters about a balance that has become low: one each time it falls below the operator's amount.

The balances are looked at now and then, never by a request. That an account is low is a note in
the outbox, made in the transaction that queues the letters: a restart writes none again. The note
is deleted when the balance is seen at or above the amount, and only then can there be another
letter. An account that was not used for a day is noted without a letter: nothing stops for anybody.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from gateway.platform.accounts import Account, Accounts
from gateway.platform.accounts.profiles import Profiles
from gateway.platform.ledger.books import below
from gateway.platform.mail import Letter, Mail
from gateway.platform.request_log.query import used_since
from gateway.store.database import Database
from gateway.store.outbox import Outbox

TOPIC: Final = "low_balance"
BATCH: Final = 200  # accounts looked at in one go
RECENT_US: Final = 86_400 * 1_000_000


class Payer(NamedTuple):
    """Who is written to about an account; `organisation` is its name where it is one's."""

    readers: tuple[Account, ...]
    organisation: str = ""


class _Seen(NamedTuple):
    """`fallen`: low and not noted, with balance and whether in use; `risen`: ids to forget."""

    fallen: list[tuple[Account, int, bool]]
    risen: list[str]


class Notices:
    """Finds balances that fell below `limit_microusd`; 0 looks at none.

    `payer` says who reads about an account.
    """

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        profiles: Profiles,
        mail: Mail,
        outbox: Outbox,
        payer: Callable[[Account], Payer],
        limit_microusd: int,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._profiles = profiles
        self._mail = mail
        self._outbox = outbox
        self._payer = payer
        self._limit_microusd = limit_microusd

    async def tell(self) -> int:
        """Queue the letters that are due; returns how many. Raises StorageUnavailable."""
        if self._limit_microusd <= 0:
            return 0
        seen = await self._database.read(self._look)
        letters = []
        for account, balance_microusd, used in seen.fallen:
            if used and account.state == "active":
                letters += await self._letters(account, balance_microusd)

        def write(connection: Connection) -> None:
            for id in seen.risen:
                self._outbox.forget(connection, TOPIC, id)
            for account, _, _ in seen.fallen:
                self._outbox.note(connection, TOPIC, account.id)
            for letter in letters:
                self._mail.queue(connection, letter)

        if seen.fallen or seen.risen:
            await self._database.write(write)
        return len(letters)

    def _look(self, connection: Connection) -> _Seen:
        low = below(connection, self._limit_microusd)
        noted = self._outbox.noted(connection, TOPIC)
        since_us = self._database.clock.now_us() - RECENT_US
        fallen: list[tuple[Account, int, bool]] = []
        still = set()
        for no, balance_microusd in low.items():
            account = self._accounts.by_no(no)
            still.add(account.id)
            if account.id not in noted and len(fallen) < BATCH:
                fallen.append((account, balance_microusd, used_since(connection, no, since_us)))
        return _Seen(fallen, sorted(noted - still))

    async def _letters(self, account: Account, balance_microusd: int) -> list[Letter]:
        payer = self._payer(account)
        values: dict[str, Any] = {
            "balance_microusd": balance_microusd,
            "limit_microusd": self._limit_microusd,
            "organisation": payer.organisation,
        }
        return [
            Letter("low_balance", reader.email, reader.id, values=values)
            for reader in payer.readers
            if reader.state == "active" and (await self._profiles.of(reader)).notify_balance
        ]
