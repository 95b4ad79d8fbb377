"""Sortable, prefixed ids: `req_` + 12 hex of milliseconds + 6 of a counter + 10 of randomness.

Ids made by one process sort in the order they were made, so an index on them grows at its end.
They are names, not secrets; secrets come from `os.urandom` where they are made.
"""

import os
from collections.abc import Callable

from gateway.base.clock import Clock

RandomBytes = Callable[[int], bytes]
RANDOM_CHARACTERS = 10
POOL_BYTES = 4_000  # drawn at once: a system call an id would cost as much as the rest of it


class IdFactory:
    """Makes ids from a clock and a source of random bytes; not shared between threads."""

    def __init__(self, clock: Clock, random: RandomBytes = os.urandom) -> None:
        self._clock = clock
        self._random = random
        self._counter = 0
        self._pool = ""
        self._at = 0

    def make(self, prefix: str) -> str:
        """A new id such as `req_0193a1b2c3d4000001a1b2c3d4e5` (prefix without the underscore)."""
        self._counter = (self._counter + 1) & 0xFFFFFF
        at = self._at
        if at >= len(self._pool):
            self._pool = self._random(POOL_BYTES).hex()
            at = 0
        self._at = at + RANDOM_CHARACTERS
        now_us = self._clock.now_us()
        return f"{prefix}_{now_us // 1000:012x}{self._counter:06x}{self._pool[at : self._at]}"
