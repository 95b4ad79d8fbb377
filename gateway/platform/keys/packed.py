"""Stored keys as they are read at a start: columns, from which a key is made when it is first used.

A million keys of which few are used are 48 MiB instead of 400, and half a second instead of
four. Looking one up is a binary search in sorted digests; what is found becomes a `Key` that the
ring keeps. Keys that ended are in the columns, too: `ended` names them. No SQL is run here.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.platform.accounts.accounts import Account

DIGEST_BYTES = 32


class Rest(NamedTuple):
    """What few keys have: an end, cached answers, bounds."""

    expires_us: int | None
    cache_ttl_s: int | None
    scope: str | None


class PackedKeys:
    """The columns. Raises ValueError where they do not fit together or are not in order."""

    def __init__(
        self,
        digests: bytes,
        numbers: Sequence[int],
        accounts: Sequence[int],
        rest: dict[int, Rest],
        ended: set[int],
        by_no: Callable[[int], Account],
    ) -> None:
        """`numbers` stand in the order of `digests`; `accounts` are indexed by a key's number."""
        if len(digests) != len(numbers) * DIGEST_BYTES or not in_order(digests):
            raise ValueError("the digests of keys were not read in order")
        self.ended = ended
        self._digests = digests
        self._numbers = numbers
        self._accounts = accounts
        self._rest = rest
        self._by_no = by_no

    def __len__(self) -> int:
        return len(self._numbers) - len(self.ended)

    def number(self, digest: bytes) -> int:
        """The number of the key with a digest that has not ended; 0 for none."""
        digests = self._digests
        low, high = 0, len(self._numbers)
        while low < high:
            middle = (low + high) >> 1
            at = middle * DIGEST_BYTES
            if digests[at : at + DIGEST_BYTES] < digest:
                low = middle + 1
            else:
                high = middle
        at = low * DIGEST_BYTES
        if digests[at : at + DIGEST_BYTES] != digest:
            return 0
        number = self._numbers[low]
        return 0 if number in self.ended else number

    def account(self, number: int) -> Account:
        """The account of a key."""
        return self._by_no(self._accounts[number])

    def rest(self, number: int) -> Rest:
        """What few keys have."""
        return self._rest.get(number, NOTHING)


NOTHING = Rest(None, None, None)


def in_order(digests: bytes) -> bool:
    """Whether each digest is greater than the one before it."""
    before = b""
    for at in range(0, len(digests), DIGEST_BYTES):
        digest = digests[at : at + DIGEST_BYTES]
        if digest <= before:
            return False
        before = digest
    return True
