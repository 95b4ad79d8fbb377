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

A thread that has had its share is not chosen before the next tick all the same, and the pump has
its share while many streams run. Its turns are bounded, so where the system grants it the pump is
of real time (`SCHED_RR`, sched(7)): what waits for it waits some 10 us. A busy pump would hold up
the loop, where streams begin, and leave it nothing on a machine of one core: `Restraint` makes it
fair until it has less to do.

All of this is advice: where it is not taken, or on another system, nothing is said and all works.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
import threading
import time
from typing import Final, cast

PUMP_SLICE_NS: Final = 100_000  # the least the kernel grants
LOOP_SLICE_NS: Final = 500_000
BACKGROUND_SLICE_NS: Final = 3_000_000
FIRST_NICE: Final = -10  # nine times the weight of nice 0
REAL_TIME_PRIORITY: Final = 1  # before whatever is fair, after whatever else is of real time
MOST_SHARE: Final = 0.15  # of a core, of a thread of real time
REST_SHARE: Final = 0.1  # with so little it may be that again
_RESET_ON_FORK: Final = 1  # SCHED_FLAG_RESET_ON_FORK: threads and children get none of it
# <asm/unistd.h>; glibc has no wrapper before 2.41.
_NUMBER: Final = {"x86_64": 314, "aarch64": 274}.get(platform.machine())
# struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period (48 bytes)
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")


def come_first(thread: int = 0) -> None:
    """For the pump's thread, when it begins, or by its id; not where someone made it nice."""
    if sys.platform != "linux" or _priority(thread) not in (0, FIRST_NICE):
        return
    # Such a limit kills a process whose thread of real time was busy for so long (getrlimit(2)).
    deadly = resource.getrlimit(resource.RLIMIT_RTTIME)[0] != resource.RLIM_INFINITY
    real_time = {"priority": REAL_TIME_PRIORITY, "flags": _RESET_ON_FORK, "thread": thread}
    if deadly or not _set(os.SCHED_RR, 0, 0, **real_time):
        _prefer(PUMP_SLICE_NS, thread)


def come_next() -> None:
    """For the thread of the event loop, once it runs; as above."""
    _prefer(LOOP_SLICE_NS)


def give_way() -> None:
    """For a thread of the background, when it begins."""
    if sys.platform == "linux":
        _set(os.SCHED_BATCH, _priority(), BACKGROUND_SLICE_NS)


class Restraint:
    """Makes a thread of real time fair while it takes much of a core; asked now and then."""

    def __init__(self, thread: threading.Thread) -> None:
        self._thread = thread
        self._clock = time.pthread_getcpuclockid(cast(int, thread.ident))
        self._seen = time.monotonic(), time.clock_gettime(self._clock)
        self.restrained = False

    def look(self) -> None:
        """Compare what the thread took since the last look with the two shares."""
        now_s, used_s = time.monotonic(), time.clock_gettime(self._clock)
        (before_s, used_before_s), self._seen = self._seen, (now_s, used_s)
        share = (used_s - used_before_s) / max(now_s - before_s, 1e-3)
        if self.restrained is (share > (REST_SHARE if self.restrained else MOST_SHARE)):
            return
        self.restrained = not self.restrained
        thread = cast(int, self._thread.native_id)
        if self.restrained:
            _prefer(PUMP_SLICE_NS, thread)
        else:
            come_first(thread)


def _prefer(slice_ns: int, thread: int = 0) -> None:
    if sys.platform == "linux" and _priority(thread) in (0, FIRST_NICE):
        _set(os.SCHED_OTHER, FIRST_NICE, slice_ns, flags=_RESET_ON_FORK, thread=thread)


def _priority(thread: int = 0) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread)


def _set(
    policy: int,
    nice: int,
    slice_ns: int,
    *,
    priority: int = 0,
    flags: int = 0,
    thread: int = 0,
) -> bool:
    """Set a thread's, the calling one's where none is named; what is refused stays as it is."""
    if sys.platform != "linux" or _NUMBER is None:
        return False
    wanted = _ATTRIBUTES.pack(_ATTRIBUTES.size, policy, flags, nice, priority, slice_ns, 0, 0)
    return bool(ctypes.CDLL(None).syscall(_NUMBER, thread, wanted, 0) == 0)
