"""Time as an argument: rooms receive a Clock, so tests can travel and decisions stay pure."""

import time
from typing import Protocol

_time_ns = time.time_ns
_monotonic = time.monotonic


class Clock(Protocol):
    """What rooms may ask about time."""

    def now_us(self) -> int:
        """Wall-clock microseconds since the Unix epoch; may step. For records, never deadlines."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back. For deadlines and durations, never for records."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        """Wall-clock microseconds since the Unix epoch."""
        now_ns = _time_ns()
        return now_ns // 1000

    def monotonic_s(self) -> float:
        """Seconds of the monotonic clock."""
        return _monotonic()


class ManualClock:
    """A clock that moves only when told to; both its faces move together."""

    __slots__ = ("_us",)

    def __init__(self, start_us: int = 1_700_000_000_000_000) -> None:
        self._us = start_us

    def now_us(self) -> int:
        """Wall-clock microseconds since the Unix epoch."""
        return self._us

    def monotonic_s(self) -> float:
        """Seconds since the epoch of this clock."""
        return self._us / 1_000_000

    def advance(self, seconds: float) -> None:
        """Move both faces forward."""
        self._us += round(seconds * 1_000_000)
