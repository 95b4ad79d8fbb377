"""What the kernel knows of a process tree: CPU time, memory, and who else is busy. Linux only.

CPU time is read from each process's own clock (nanoseconds, all threads, user and system),
because /proc/PID/stat counts in ticks of 10 ms. Children that ended and were reaped are added
from there. Memory is PSS: shared pages are divided among their users, so that a sum over a tree
counts each page once. Kernel memory of sockets is in neither.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Process:
    """The fields of /proc/PID/stat used here (proc(5)): 4, 16 + 17 in seconds, 20."""

    pid: int
    parent: int
    reaped_cpu_s: float
    threads: int


def read_process(pid: int) -> Process | None:
    """The process, or None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name, field 2, may hold spaces and parentheses; what follows the last one is regular.
    fields = text[text.rindex(")") + 2 :].split()
    reaped = (int(fields[13]) + int(fields[14])) / TICKS_PER_S
    return Process(pid, int(fields[1]), reaped, int(fields[17]))


def tree(root: int) -> list[Process]:
    """The process `root` and all its living descendants; empty when it is gone."""
    children: dict[int, list[Process]] = defaultdict(list)
    found: list[Process] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (process := read_process(int(entry.name))):
            children[process.parent].append(process)
            if process.pid == root:
                found.append(process)
    for process in found:
        found += children[process.pid]
    return found


def cpu_s(root: int) -> float:
    """Seconds of CPU the tree under `root` has used so far."""
    total = 0.0
    for process in tree(root):
        clock = ctypes.c_int()
        if _LIBC.clock_getcpuclockid(process.pid, ctypes.byref(clock)) == 0:
            try:
                total += time.clock_gettime(clock.value) + process.reaped_cpu_s
            except OSError:
                continue  # It ended between the listing and the reading.
    return total


def memory_kib(root: int) -> int:
    """PSS of the tree in KiB, from /proc/PID/smaps_rollup."""
    total = 0
    for process in tree(root):
        try:
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except OSError:
            continue
        if match := re.search(r"^Pss:\s+(\d+) kB", text, re.M):
            total += int(match[1])
    return total


def open_files(pid: int) -> int:
    """How many files one process has open; 0 when it is gone."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


class Watch:
    """Looks at a gateway twice a second: `with Watch(pid) as w: ...`, then the peaks."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.before_kib = self.peak_kib = memory_kib(root)
        self.peak_files = 0

    def _look(self) -> None:
        while not self._over.wait(0.5):
            self.peak_kib = max(self.peak_kib, memory_kib(self._root))
            self.peak_files = max(self.peak_files, open_files(self._root))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()


def busy_s() -> float:
    """Seconds all CPUs together were not idle, since boot (first line of /proc/stat)."""
    fields = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS_PER_S


class Meter:
    """Reads the clocks around a load: `with Meter(gateway_pid, [other_pids]) as m: ...`.

    Afterwards `cpu_s` is the gateway's and `foreign_cpus` the number of CPUs kept busy by
    processes that are neither the gateway, nor `ours`, nor this one: noise that makes a figure
    doubtful.
    """

    def __init__(self, root: int, ours: tuple[int, ...] = ()) -> None:
        self._root = root
        self._ours = tuple(pid for pid in ours if pid != root)
        self.seconds = self.cpu_s = self.foreign_cpus = 0.0

    def _read(self) -> tuple[float, float, float, float]:
        own = os.times()
        mine = own.user + own.system + own.children_user + own.children_system
        known = mine + sum(cpu_s(pid) for pid in self._ours)
        return time.monotonic(), cpu_s(self._root), known, busy_s()

    def __enter__(self) -> Self:
        self._before = self._read()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        after = self._read()
        self.seconds, self.cpu_s, known, busy = (
            b - a for a, b in zip(self._before, after, strict=True)
        )
        self.foreign_cpus = max(0.0, busy - known - self.cpu_s) / self.seconds


def describe() -> dict[str, str | int]:
    """The machine a result was made on."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cpus": os.cpu_count() or 1,
        "cpu": model[1] if model else platform.processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "open_files": int(os.sysconf("SC_OPEN_MAX")),
    }


def first_line(*command: str) -> str:
    """The first line a command prints on either stream; empty when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).strip().split("\n", 1)[0]
