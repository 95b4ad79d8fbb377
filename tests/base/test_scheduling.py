"""Pump, loop, then the background; and what the system refuses changes nothing."""

import ctypes
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.base import scheduling
from gateway.base.clock import SystemClock
from gateway.base.scheduling import (
    BACKGROUND_SLICE_NS,
    FIRST_NICE,
    LOOP_SLICE_NS,
    PUMP_SLICE_NS,
    Restraint,
    come_first,
    come_next,
    give_way,
)
from gateway.store.database import Database

linux = pytest.mark.skipif(sys.platform != "linux", reason="the scheduler of Linux")

PREFER = """
import os, subprocess, sys, threading
from gateway.base.scheduling import come_next
def nice(): return os.getpriority(os.PRIO_PROCESS, 0)
come_next()
print(nice())
thread = threading.Thread(target=lambda: print(nice()))
thread.start()
thread.join()
child = [sys.executable, "-c", "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"]
print(subprocess.run(child, capture_output=True, text=True).stdout)
"""


def policy() -> int:
    return os.sched_getscheduler(0)


def nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def slice_ns() -> int:
    """The calling thread's slice (sched_getattr(2), the call after sched_setattr)."""
    found = ctypes.create_string_buffer(scheduling._ATTRIBUTES.size)
    ctypes.CDLL(None).syscall(scheduling._NUMBER + 1, 0, found, len(found), 0)
    return int(scheduling._ATTRIBUTES.unpack(found.raw)[5])


def preferred(*before: str) -> list[int]:
    """The niceness of a loop's thread, of one it starts and of a child, in a process of its own."""
    command = [*before, sys.executable, "-c", PREFER]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [int(word) for word in done.stdout.split()]


@linux
def test_a_thread_gives_way_and_no_other_does() -> None:
    with ThreadPoolExecutor(1, initializer=give_way) as threads:
        assert threads.submit(policy).result() == os.SCHED_BATCH
    assert policy() == os.SCHED_OTHER


@linux
@pytest.mark.parametrize(
    ("declare", "expected_ns"),
    [
        (lambda: scheduling._prefer(PUMP_SLICE_NS), PUMP_SLICE_NS),
        (come_next, LOOP_SLICE_NS),
        (give_way, BACKGROUND_SLICE_NS),
    ],
)
def test_who_comes_first_has_the_shorter_slice(
    declare: Callable[[], None], expected_ns: int
) -> None:
    version = tuple(map(int, platform.release().split(".")[:2]))
    if version < (6, 12) or scheduling._NUMBER is None:
        pytest.skip("slices of one's own came with Linux 6.12")
    if declare is not give_way and os.getpriority(os.PRIO_PROCESS, 0):
        pytest.skip("the tests were made nice, and a process that was stays as it is")
    with ThreadPoolExecutor(1, initializer=declare) as threads:
        found_ns = threads.submit(slice_ns).result()
        granted = declare is give_way or threads.submit(nice).result() == FIRST_NICE
    assert found_ns == expected_ns or not granted
    assert PUMP_SLICE_NS < LOOP_SLICE_NS < BACKGROUND_SLICE_NS


@linux
async def test_readers_and_the_writer_of_the_database_give_way(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "tallygate.db", clock=SystemClock())
    assert await database.read(lambda _: policy()) == os.SCHED_BATCH
    assert await database.write(lambda _: policy()) == os.SCHED_BATCH
    assert await database.close() == 0


@linux
def test_only_the_loop_comes_first() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    loop, thread, child = preferred()
    assert thread == child == own
    assert loop == own or (own == 0 and loop == FIRST_NICE)  # where the system grants it


def busy(over: threading.Event, hold: threading.Event) -> None:
    """Take a core while `hold` is set."""
    come_first()
    while not over.is_set():
        if not hold.wait(0.02):
            continue
        while hold.is_set():
            sum(range(1000))


@linux
def test_a_thread_of_real_time_is_fair_while_it_takes_much_of_a_core() -> None:
    over, hold = threading.Event(), threading.Event()
    thread = threading.Thread(target=busy, args=(over, hold))
    thread.start()
    assert thread.native_id is not None
    restraint = Restraint(thread)

    def looked(until: Callable[[], bool]) -> int:
        while not until():
            time.sleep(0.1)
            restraint.look()
        return os.sched_getscheduler(thread.native_id or 0)

    try:
        time.sleep(0.1)
        restraint.look()
        first = os.sched_getscheduler(thread.native_id)
        if first & ~os.SCHED_RESET_ON_FORK != os.SCHED_RR:
            pytest.skip("this system grants no real time")
        hold.set()
        assert looked(lambda: restraint.restrained) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER
        hold.clear()
        assert looked(lambda: not restraint.restrained) == first
    finally:
        hold.clear()
        over.set()
        thread.join()


LIMITED = """
import os, resource
from gateway.base.scheduling import come_first
resource.setrlimit(resource.RLIMIT_RTTIME, (200_000, 200_000))
come_first()
print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER)
"""


@linux
def test_no_real_time_where_a_limit_would_kill_the_process_for_it() -> None:
    command = [sys.executable, "-c", LIMITED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"


@linux
def test_a_process_that_was_made_nice_stays_so() -> None:
    assert len(set(preferred("nice", "-n", "5"))) == 1


def test_where_the_system_knows_nothing_of_it_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduling, "_NUMBER", None)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    scheduling.give_way()
    scheduling.come_first()
    scheduling.come_next()
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
