"""When periodic work is due: at whole half seconds of the loop's clock, all of it in one turn.

A process that wakes up pays for it, and finds its caches cold; jobs that are due together pay
once. It starts nothing: whoever has a timer asks when it is to ring.
"""

import math
from typing import Final

BEAT_S: Final = 0.5
_EARLY_S: Final = 0.01  # a timer may ring a little before its time; that is no beat of its own


def next_beat_s(now_s: float, interval_s: float) -> float:
    """The last beat within `interval_s` from now, later than now; seconds of the same clock.

    An interval shorter than a beat has none: it ends when it ends.
    """
    if interval_s < BEAT_S:
        return now_s + interval_s
    return math.floor((now_s + interval_s + _EARLY_S) / BEAT_S) * BEAT_S
