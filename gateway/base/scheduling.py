"""Who runs first when threads of this process want the same core: the pump, the loop, the rest.

The pump and the event loop pass every stream on, in turns of some 10 and 50 us, and sleep between
them. The threads beside them (readers and writer of the database, what draws pages) run for a
millisecond or more. Where they share a core Linux is fair to them: who wakes waits until the other
has had its slice, which the kernel may notice no earlier than at its next tick (up to 4 ms), and a
thread that wakes may take the core from the loop in the middle of a turn.

So each says what it is by the length of its slices (`sched_runtime` of sched_setattr(2), since
Linux 6.12): who wakes with a shorter slice than that of who runs goes first at once, with an equal
one it waits. The threads are declared background besides, which takes the core from nobody when
it wakes (`SCHED_BATCH`, sched(7)); they keep their weight, for one that holds the interpreter's
lock and may not run holds up the loop. Pump and loop have more weight where the system grants it.

All of this is advice: where it is not taken, or on another system, nothing is said and all works.
"""

import ctypes
import os
import platform
import struct
import sys
from typing import Final

PUMP_SLICE_NS: Final = 100_000  # the least the kernel grants
LOOP_SLICE_NS: Final = 500_000
BACKGROUND_SLICE_NS: Final = 3_000_000
FIRST_NICE: Final = -10  # nine times the weight of nice 0
_RESET_ON_FORK: Final = 1  # SCHED_FLAG_RESET_ON_FORK: threads and children get none of it
# <asm/unistd.h>; glibc has no wrapper before 2.41.
_NUMBER: Final = {"x86_64": 314, "aarch64": 274}.get(platform.machine())
# struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period (48 bytes)
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")


def come_first() -> None:
    """For the pump's thread, when it begins; not where someone made the process nice."""
    _prefer(PUMP_SLICE_NS)


def come_next() -> None:
    """For the thread of the event loop, once it runs; as above."""
    _prefer(LOOP_SLICE_NS)


def give_way() -> None:
    """For a thread of the background, when it begins."""
    if sys.platform == "linux":
        _set(os.SCHED_BATCH, _priority(), BACKGROUND_SLICE_NS)


def _prefer(slice_ns: int) -> None:
    if _priority() == 0:
        _set(0, FIRST_NICE, slice_ns, flags=_RESET_ON_FORK)


def _priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def _set(policy: int, nice: int, slice_ns: int, *, flags: int = 0) -> None:
    """Set the calling thread's; what is refused or unknown to the kernel stays as it is."""
    if sys.platform != "linux" or _NUMBER is None:
        return
    wanted = _ATTRIBUTES.pack(_ATTRIBUTES.size, policy, flags, nice, 0, slice_ns, 0, 0)
    ctypes.CDLL(None).syscall(_NUMBER, 0, wanted, 0)
