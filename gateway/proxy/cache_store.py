"""Answers kept in memory: found again by digest, bounded in bytes and number, never on disk.

The least recently used go first. An entry says whose it is and what it was made with; whether it
may still be shown is the cache phase's to decide. Times are seconds of the monotonic clock.
"""

from collections import OrderedDict
from typing import NamedTuple

from gateway.platform.catalog import Model
from gateway.platform.keys import Key

MAX_ENTRY_BYTES = 1 << 20
ENTRY_COST_BYTES = 1_000  # of an entry's own objects
SWEEP_S = 5.0


class Entry(NamedTuple):
    """A whole answer, who asked for it, and what the name of its model stood for."""

    key: Key
    model: Model
    stored_s: float
    ttl_s: int
    stream: bool
    body: bytes
    measured_input: int
    measured_output: int
    measured_exact: bool

    def current(self, now_s: float) -> bool:
        """Whether its time has not passed, and who asked for it may still ask."""
        key = self.key
        return now_s - self.stored_s < self.ttl_s and not key.revoked and key.account.may_spend


class ResponseCache:
    """Every kept answer of every account, by a digest that begins with the account."""

    def __init__(self, max_bytes: int, max_entries: int, max_ttl_s: int) -> None:
        self.max_ttl_s = max_ttl_s
        self.size_bytes = 0
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._swept_s = 0.0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, digest: bytes, now_s: float) -> Entry | None:
        """The entry, unless it is gone or past its time."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if not entry.current(now_s):
            self.drop(digest)
            return None
        self._entries.move_to_end(digest)
        return entry

    def put(self, digest: bytes, entry: Entry) -> None:
        """Keep an answer, in the place of an older one; others go to make room."""
        self.drop(digest)
        if len(entry.body) > MAX_ENTRY_BYTES:
            return
        self._entries[digest] = entry
        self.size_bytes += _cost(entry)
        while self._entries and (
            self.size_bytes > self._max_bytes or len(self._entries) > self._max_entries
        ):
            _, oldest = self._entries.popitem(last=False)
            self.size_bytes -= _cost(oldest)

    def drop(self, digest: bytes) -> None:
        """Forget an answer, if it is there."""
        entry = self._entries.pop(digest, None)
        if entry is not None:
            self.size_bytes -= _cost(entry)

    def sweep(self, now_s: float) -> None:
        """Every few seconds: forget what may not be shown any more."""
        if now_s - self._swept_s < SWEEP_S or not self._entries:
            return
        self._swept_s = now_s
        for digest in [d for d, entry in self._entries.items() if not entry.current(now_s)]:
            self.drop(digest)


def _cost(entry: Entry) -> int:
    return len(entry.body) + ENTRY_COST_BYTES
