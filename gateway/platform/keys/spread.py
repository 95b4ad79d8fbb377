"""How many networks use each key within a sliding window; no address is kept.

A key that very many networks use is shared, sold on, or leaked. Of a network only a keyed hash is
held, over the key's number and the network, under a random key that is made when the process
starts and is never stored: nobody can ask which addresses used a key, nor whether two keys were
used from one place. It is all in memory. Of each key only the networks seen last are held, as many
as the limit and one more, which is enough to tell exactly when more than the limit lie within the
window; where too many are held in all, the keys used longest ago are forgotten.

A restart begins at nothing, so a key is found that much later. One process serves a database; if
several shared a port each would count what reached it alone, and find a key later, never wrongly.

A network is what the caller says it is: this file sees bytes, and knows no address and no HTTP.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import Final, NamedTuple

# Networks held in all; a key counts for KEY_PLACES more. Thus 12,000 keys at a limit of 20, which
# take 19 MB, or 60,000 with one network each, which take 30 (tracemalloc).
MOST_PLACES: Final = 300_000
KEY_PLACES: Final = 4
MOST_ORIGINS: Final = 50_000  # of one slice of the window, then looked at anew
SLICES: Final = 24  # of the window: a use is noted again once in each


class Crowd(NamedTuple):
    """More networks than the limit used a key, all since `since_us` (epoch microseconds)."""

    networks: int
    since_us: int


class _Seen:
    """Networks that used one key, the last seen last, each with when; and until when it is told."""

    __slots__ = ("networks", "told_until_us")

    def __init__(self) -> None:
        self.networks: dict[int, int] = {}
        self.told_until_us = 0


class Spread:
    """Counts the networks of keys. `secret` is random and this process's own."""

    def __init__(
        self, most: int, window_us: int, *, secret: bytes, most_places: int = MOST_PLACES
    ) -> None:
        self.most = most
        self.window_us = window_us
        self._slice_us = max(1, window_us // SLICES)
        self._hash = blake2b(key=secret, digest_size=8)
        self._most_places = most_places
        self._keys: OrderedDict[int, _Seen] = OrderedDict()  # the one used last is last
        self._places = 0
        self._origins: set[int] = set()
        self._slice_no = -1

    def __len__(self) -> int:
        """Networks held, of all keys."""
        return self._places - KEY_PLACES * len(self._keys)

    def until_us(self, now_us: int) -> int:
        """Until when a use that was noted now need not be noted again."""
        return (now_us // self._slice_us + 1) * self._slice_us

    def is_new(self, key_no: int, origin: bytes, now_us: int) -> bool:
        """Whether a key was not met from this origin in the present slice of the window.

        An origin is whatever a connection and a request show of where they come from: it spares
        reading addresses again and again. Saying yes too often is no fault.
        """
        slice_no = now_us // self._slice_us
        if slice_no != self._slice_no or len(self._origins) >= MOST_ORIGINS:
            self._origins.clear()
            self._slice_no = slice_no
        mark = self._mark(key_no, origin)
        if mark in self._origins:
            return False
        self._origins.add(mark)
        return True

    def note(self, key_no: int, network: bytes, now_us: int) -> Crowd | None:
        """Count a use; a Crowd when more than `most` networks lie within the window.

        It is told at most once in a slice.
        """
        seen = self._keys.get(key_no)
        if seen is None:
            seen = self._keys[key_no] = _Seen()
            self._places += KEY_PLACES
        else:
            self._keys.move_to_end(key_no)
        networks, mark = seen.networks, self._mark(key_no, network)
        if networks.pop(mark, None) is None:
            self._places += 1
        networks[mark] = now_us
        if len(networks) > self.most + 1:
            del networks[next(iter(networks))]
            self._places -= 1
        self._make_room()
        first_us = next(iter(networks.values()))
        if len(networks) <= self.most or now_us - first_us >= self.window_us:
            return None
        if now_us < seen.told_until_us:
            return None
        seen.told_until_us = now_us + self._slice_us
        return Crowd(len(networks), first_us)

    def _make_room(self) -> None:
        while self._places > self._most_places and len(self._keys) > 1:
            _, forgotten = self._keys.popitem(last=False)
            self._places -= KEY_PLACES + len(forgotten.networks)

    def _mark(self, key_no: int, what: bytes) -> int:
        copy = self._hash.copy()
        copy.update(key_no.to_bytes(8, "big") + what)
        return int.from_bytes(copy.digest(), "big")
