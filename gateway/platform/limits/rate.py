"""Rates: so many units a minute, by the generic cell rate algorithm (GCRA), in exact integers.

The algorithm keeps one number, the theoretical arrival time (ITU-T I.371): the moment at
which all that was granted would have been granted at the steady rate. A whole minute's allowance
may be taken at once and comes back evenly; over any span of T seconds at most limit x (1 + T / 60)
units are granted. Time is multiplied by the limit, so no interval is ever rounded.

A weight that is not known yet is reserved and takes up room without draining away; when it is
known, `settle` counts what was used. So what was not used can be granted at once, and never twice.
Pure: the time is an argument, in nanoseconds of a clock that does not go back.
"""

MINUTE_NS = 60 * 10**9


class Bucket:
    """One rate. `reserved` units belong to requests that are still running."""

    __slots__ = ("_arrival", "limit", "reserved")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reserved = 0
        self._arrival = 0  # in nanoseconds x limit

    def debt(self, now_ns: int) -> int:
        """What is still counted, in units x MINUTE_NS."""
        debt = self._arrival - now_ns * self.limit
        return debt if debt > 0 else 0

    def excess(self, units: int, now_ns: int) -> int:
        """By how much `units` more would be too many, in units x MINUTE_NS; 0 when they fit."""
        free = (self.limit - self.reserved - units) * MINUTE_NS - self.debt(now_ns)
        return -free if free < 0 else 0

    def wait_ns(self, units: int, now_ns: int) -> int:
        """How long until `units` may fit; what running requests reserve may make it longer."""
        excess = min(self.excess(units, now_ns), self.debt(now_ns))
        return -(-excess // self.limit)

    def take(self, units: int, now_ns: int) -> None:
        """Count units from now on, whether they fit or not."""
        self._arrival = max(self._arrival, now_ns * self.limit) + units * MINUTE_NS

    def give_back(self, units: int) -> None:
        """Undo a `take` at the same moment, before anything else was asked."""
        self._arrival -= units * MINUTE_NS

    def settle(self, reserved: int, used: int, now_ns: int) -> None:
        """End a reservation and count what was used."""
        self.reserved -= reserved
        if self.reserved < 0:
            raise RuntimeError("more units were released than were reserved")
        if used:
            self.take(used, now_ns)

    def remaining(self, now_ns: int) -> int:
        """Whole units that would fit now."""
        return max(self.limit - self.reserved - -(-self.debt(now_ns) // MINUTE_NS), 0)

    def reset_ns(self, now_ns: int) -> int:
        """How long until nothing is counted any more, running requests aside."""
        return -(-self.debt(now_ns) // self.limit)

    def change_limit(self, limit: int, now_ns: int) -> None:
        """Another limit from now on; what was granted stays counted."""
        debt = self.debt(now_ns)
        self.limit = limit
        self._arrival = now_ns * limit + debt

    def restore(self, reset_ns: int, now_ns: int) -> None:
        """Count again what another process had counted, of which so much time is left."""
        self._arrival = max(self._arrival, (now_ns + reset_ns) * self.limit)
