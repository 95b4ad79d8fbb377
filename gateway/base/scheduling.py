"""Who runs first when threads of this process want the same core: the event loop.

The loop passes every stream on, in turns of some 50 us, and sleeps between them. The threads beside
it (readers and writer of the database, what draws pages) run for a millisecond or more. Where they
share a core Linux is fair to them: a loop that wakes waits until the thread has had its slice,
which the kernel may notice no earlier than at its next tick (up to 4 ms), and a thread that wakes
may take the core from the loop in the middle of a turn. So the threads are declared to be what
they are: work in the background, which takes the core from nobody when it wakes (`SCHED_BATCH`,
sched(7)). All ask for the shortest slices there are (`sched_runtime` of sched_setattr(2), since
Linux 6.12): who wakes with a shorter slice than that of who runs goes first. For the threads, too:
one that holds the interpreter's lock and may not run holds up every stream, so they keep their
weight, and are back on a core that others want as soon as they may be. The loop has more weight
where the system grants it.

All of this is advice: where it is not taken, or on another system, nothing is said and all works.
"""

import ctypes
import os
import platform
import struct
import sys
from typing import Final

SLICE_NS: Final = 100_000  # the least the kernel grants
LOOP_NICE: Final = -10  # nine times the weight of nice 0
_RESET_ON_FORK: Final = 1  # SCHED_FLAG_RESET_ON_FORK: threads and children get none of it
# <asm/unistd.h>; glibc has no wrapper before 2.41.
_NUMBER: Final = {"x86_64": 314, "aarch64": 274}.get(platform.machine())
# struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period (48 bytes)
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")


def come_first() -> None:
    """For the thread of the event loop, once it runs; not where someone made the process nice."""
    if _priority() == 0:
        _set(policy=0, nice=LOOP_NICE, flags=_RESET_ON_FORK)


def give_way() -> None:
    """For a thread of the background, when it begins."""
    if sys.platform == "linux":
        _set(policy=os.SCHED_BATCH, nice=_priority())


def _priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def _set(*, policy: int, nice: int, flags: int = 0) -> None:
    """Set the calling thread's; what is refused or unknown to the kernel stays as it is."""
    if sys.platform != "linux" or _NUMBER is None:
        return
    wanted = _ATTRIBUTES.pack(_ATTRIBUTES.size, policy, flags, nice, 0, SLICE_NS, 0, 0)
    ctypes.CDLL(None).syscall(_NUMBER, 0, wanted, 0)
