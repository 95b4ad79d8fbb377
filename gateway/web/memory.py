"""How much memory this process has and may have: so that it refuses before it is killed.

Read from /proc and the control group's files twice a second; where there are none, nothing is
ever too much.
"""

import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_RESIDENT = Path("/proc/self/statm")
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_UNLIMITED_BYTES = 1 << 60  # version 1 of control groups writes nearly 2^63
REFUSE_TENTHS = 9


def limit_bytes(setting: int) -> int:
    """What the operator set, else the container's limit; 0 for none."""
    if setting:
        return setting
    for path in _LIMITS:
        try:
            text = path.read_text("ascii").strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < _UNLIMITED_BYTES:
            return int(text)
    return 0


def resident_bytes() -> int:
    """Memory of this process that lies in RAM; 0 where the system does not say."""
    try:
        return int(_RESIDENT.read_text("ascii").split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def is_short(limit: int) -> bool:
    """Whether new work should be refused."""
    return limit > 0 and resident_bytes() * 10 >= limit * REFUSE_TENTHS
