"""Short-lived keys of a signed-in browser: in memory only, bound to its session.

The playground speaks to our own `/v1` with one, so what it asks passes every check, limit and
charge that any other request does. A key ends with its time or within a second of its session,
whichever is first; none survives a restart. All share one number in the log. Bounded: one key a
session, the older gives way.
"""

import os
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from gateway.base.clock import Clock
from gateway.base.policy import strict
from gateway.platform.accounts.accounts import Account
from gateway.platform.keys.ring import Key, KeyRing, new_key_text
from gateway.store.secrets import Secrets

PLAYGROUND_NO: Final = 0  # numbers of stored keys begin at 1
LIFETIME_US: Final = strict("playground_minutes") * 60 * 10**6
MOST: Final = 10_000


class ShortKey(NamedTuple):
    """A key just made: its text, and when it ends (epoch microseconds)."""

    text: str
    expires_us: int


class ShortKeys:
    """Issues and ends them."""

    def __init__(self, ring: KeyRing, secrets: Secrets, clock: Clock) -> None:
        self._ring = ring
        self._secrets = secrets
        self._clock = clock
        self._by_session: dict[str, Key] = {}

    def __len__(self) -> int:
        return len(self._by_session)

    def issue(
        self,
        account: Account,
        session_id: str,
        *,
        number: int = PLAYGROUND_NO,
        random: Callable[[int], bytes] = os.urandom,
    ) -> ShortKey:
        """A key for a session; the one it had before ends. The oldest of all makes room.

        It is limited and logged under `number`, which may be that of a stored key.
        """
        self.end((session_id,))
        while len(self._by_session) >= MOST:
            self.end((next(iter(self._by_session)),))
        text = new_key_text(random)
        expires_us = self._clock.now_us() + LIFETIME_US
        key = Key(
            number,
            account,
            self._secrets.key_digest(text.encode()),
            expires_us,
        )
        self._ring.add(key)
        self._by_session[session_id] = key
        return ShortKey(text, expires_us)

    @property
    def held(self) -> bool:
        """Whether any session has a key."""
        return bool(self._by_session)

    def sessions(self) -> Collection[str]:
        """The ids of sessions that have a key now; those whose time is over are forgotten."""
        now_us = self._clock.now_us()
        self.end([id for id, key in self._by_session.items() if (key.expires_us or 0) <= now_us])
        return tuple(self._by_session)

    def end_number(self, number: int) -> None:
        """End the keys that are used under the number of a stored key, which has ended."""
        self.end([id for id, key in self._by_session.items() if key.no == number])

    def end(self, session_ids: Collection[str]) -> None:
        """End the keys of these sessions."""
        for id in session_ids:
            key = self._by_session.pop(id, None)
            if key is not None:
                self._ring.remove(key.digest)
