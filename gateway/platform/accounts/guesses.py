"""Guesses: how often somebody may try a password or a code, counted on disk.

At most ACCOUNT_LIMIT tries for one account in a window, over all addresses and restarts. A device
the owner has signed in from before has a count of its own, so that nobody can lock the owner out
by guessing wrong; a device is known by the token it still holds or by its address and browser. An
unknown e-mail address is counted like a known one. A try is counted before it is made, in one
transaction, so a hundred at once are still a hundred; one that was right is taken back.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, func, insert, select, update

from gateway.base.clock import Clock
from gateway.base.errors import Overloaded, TooManyAttempts
from gateway.base.policy import strict
from gateway.platform.accounts.accounts import Account
from gateway.platform.accounts.sessions import remember_device, token_digest
from gateway.store.database import Database
from gateway.store.schema.sessions import devices, guesses
from gateway.store.secrets import Secrets

WINDOW_US = strict("guess_minutes") * 60 * 1_000_000
ACCOUNT_LIMIT = strict("guess_limit")
ADDRESS_LIMIT = 100
LETTER_LIMIT = 3  # asking for a letter: nobody's mailbox is flooded from here
LETTERS = frozenset({"sign-up", "reset", "address", "invited", "guardian"})


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a form came from: the client's address, its User-Agent, and the token it holds."""

    address: str = field(default="", repr=False)
    agent: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    locale: str = "en"  # what letters that this visit causes are written in


@dataclass(frozen=True, slots=True)
class Try:
    """A counted try; `known` when it came from a device of the account's owner."""

    rows: tuple[int, ...]
    known: bool


class Guesses:
    """Counts tries and knows devices."""

    def __init__(self, database: Database, secrets: Secrets, clock: Clock) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock

    async def take(self, kind: str, name: str, account: Account | None, visit: Visit) -> Try:
        """Count a try at `kind` (password, code) of `name`. Raises TooManyAttempts."""
        address = self._subject("address", visit.address)
        everywhere = self._subject(kind, name)
        places = self._places(account, visit) if account is not None else self._nowhere(visit)

        def count(connection: Connection) -> tuple[Try | None, int]:
            now_us = self._clock.now_us()
            connection.execute(delete(guesses).where(guesses.c.at_us <= now_us - WINDOW_US))
            # A clock that was set back must not lock anybody out until it is there again.
            ahead = update(guesses).where(guesses.c.at_us > now_us)
            connection.execute(ahead.values(at_us=now_us))
            no = account.no if account is not None else 0
            device = self._known(connection, places, no)
            own = everywhere if device is None else self._subject(f"{kind} here", device.hex())
            limits = [(own, LETTER_LIMIT if kind in LETTERS else ACCOUNT_LIMIT)]
            if visit.address and device is None:  # nobody next door locks the owner out either
                limits.append((address, ADDRESS_LIMIT))
            for subject, limit in limits:
                wait_us = self._wait_us(connection, subject, limit, now_us)
                if wait_us:
                    return None, wait_us
            rows = tuple(self._add(connection, subject, now_us) for subject, _ in limits)
            return Try(rows, device is not None), 0

        taken, wait_us = await self._database.write(count)
        if taken is None:
            raise TooManyAttempts(retry_after_s=-(-wait_us // 1_000_000))
        return taken

    @contextlib.asynccontextmanager
    async def making(self, taken: Try) -> AsyncIterator[None]:
        """Around what is tried: a try that found no room was never made, and does not count."""
        try:
            yield
        except Overloaded:
            await self._database.write(lambda c: self.give_back(c, taken))
            raise

    def give_back(self, connection: Connection, taken: Try) -> None:
        """Inside a transaction: the try was right and does not count."""
        connection.execute(delete(guesses).where(guesses.c.no.in_(taken.rows)))

    def is_known(self, connection: Connection, account: Account, visit: Visit) -> bool:
        """Inside a transaction: whether the owner has signed in from here before."""
        return self._known(connection, self._places(account, visit), account.no) is not None

    def welcome(self, connection: Connection, account: Account, visit: Visit) -> None:
        """Inside a transaction: the owner has signed in from here."""
        for digest in self._places(account, visit)[1:]:
            remember_device(connection, digest, account.no, self._clock.now_us())

    def _places(self, account: Account, visit: Visit) -> list[bytes]:
        """What a device may be known by: its token first, then where and what it is."""
        place = f"{account.id} {visit.address} {visit.agent}"
        return [token_digest(visit.token), self._subject("place", place)]

    def _nowhere(self, visit: Visit) -> list[bytes]:
        """The same work for an account that does not exist."""
        return [token_digest(visit.token), self._subject("place", f"{visit.address}")]

    def _subject(self, kind: str, value: str) -> bytes:
        return self._secrets.subject_digest(kind, value)

    def _known(self, connection: Connection, places: list[bytes], no: int) -> bytes | None:
        query = select(devices.c.digest).where(
            devices.c.digest.in_(places), devices.c.account_no == no
        )
        found = set(connection.scalars(query))
        return next((place for place in places if place in found), None)

    def _wait_us(self, connection: Connection, subject: bytes, limit: int, now_us: int) -> int:
        query = select(func.count(), func.min(guesses.c.at_us)).where(guesses.c.subject == subject)
        number, oldest_us = connection.execute(query).one()
        return 0 if number < limit else max(1, int(oldest_us) + WINDOW_US - now_us)

    def _add(self, connection: Connection, subject: bytes, now_us: int) -> int:
        added = connection.execute(insert(guesses).values(subject=subject, at_us=now_us))
        [no] = added.inserted_primary_key or (0,)
        return int(no)
