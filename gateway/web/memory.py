"""How much memory this process has and may have: so that it refuses before it is killed.

Read from /proc and the control group's files twice a second; where there are none, nothing is
ever too much.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_RESIDENT = Path("/proc/self/statm")
_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_OF_VERSION_1 = "memory/memory.limit_in_bytes"
_UNLIMITED_BYTES = 1 << 60  # version 1 of control groups writes nearly 2^63
REFUSE_TENTHS = 9


def limit_bytes(setting: int) -> int:
    """What the operator set, else that of the container or service; 0 for none."""
    if setting:
        return setting
    found = []
    for path in _limits():
        with contextlib.suppress(OSError):
            text = path.read_text("ascii").strip()
            if text.isdigit() and int(text) < _UNLIMITED_BYTES:
                found.append(int(text))
    return min(found, default=0)


def _limits() -> Iterator[Path]:
    """The files of the groups this process is in, each within the next: cgroups(7)."""
    group = PurePosixPath()
    with contextlib.suppress(OSError):
        for line in _OWN_GROUP.read_text("utf-8", "replace").splitlines():
            if line.startswith("0::/"):  # version 2, which has one hierarchy
                group = PurePosixPath(line[4:])
    for each in (group, *group.parents):
        yield _GROUPS / each / "memory.max"
    yield _GROUPS / _OF_VERSION_1


def resident_bytes() -> int:
    """Memory of this process that lies in RAM; 0 where the system does not say."""
    try:
        return int(_RESIDENT.read_text("ascii").split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def is_short(limit: int) -> bool:
    """Whether new work should be refused."""
    return limit > 0 and resident_bytes() * 10 >= limit * REFUSE_TENTHS
