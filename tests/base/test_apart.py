"""Work done apart: answered by a child, refused in every fault of it, no orphan left behind."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.base import apart as room
from gateway.base.apart import Apart, Job, NotApart


@pytest.fixture
def child() -> Iterator[Apart]:
    made = Apart("test", patient=True)
    yield made
    made.close()


@pytest.fixture
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "RESTART_S", 0.0)


def until(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z " in stat.read_text()


def test_work_is_done_by_another_process(child: Apart) -> None:
    pid = child.call(os.getpid)
    assert pid == child.pid and pid != os.getpid()
    assert child.call(os.getpid) == pid and child.done == 2 and child.starts == 1


def test_large_values_travel(child: Apart) -> None:
    assert child.call(bytes.upper, b"a" * 3_000_000) == b"A" * 3_000_000


def test_it_yields_to_others() -> None:
    child = Apart("test", nice=7, idle=True, patient=True)
    assert child.call(os.getpriority, os.PRIO_PROCESS, 0) == 7
    if sys.platform == "linux":
        assert child.call(os.sched_getscheduler, 0) == os.SCHED_IDLE
    child.close()


def test_each_child_is_prepared_first(restless: None) -> None:
    child = Apart("test", Job(os.putenv, ("PREPARED", "yes")), patient=True)
    assert child.call(subprocess.check_output, ["printenv", "PREPARED"]) == b"yes\n"
    child.close()


def test_a_failing_preparation_makes_no_child(restless: None) -> None:
    child = Apart("test", Job(os.listdir, ("/no such folder",)), patient=True)
    with pytest.raises(NotApart, match="FileNotFoundError"):
        child.call(os.getpid)
    child.close()


def test_neither_arguments_nor_environment_hold_anything_of_ours(
    child: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYGATE_STORE_URL", "postgresql://me:secret@host/name")
    said = child.call(subprocess.check_output, ["env"])
    assert b"PATH=" in said and b"TALLYGATE_" not in said
    arguments = subprocess.run(
        ["ps", "-o", "args=", "-p", str(child.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert arguments == [sys.executable, "-P", room.__file__]


def test_failing_work_is_the_callers_again(child: Apart) -> None:
    with pytest.raises(NotApart, match="FileNotFoundError"):
        child.call(os.listdir, "/no such folder")
    assert child.call(os.getpid) and child.starts == 1


def test_what_cannot_travel_is_the_callers(child: Apart) -> None:
    assert child.call(os.getpid)
    with pytest.raises(NotApart):
        child.call(len, [lambda: None])
    with pytest.raises(NotApart):
        child.call(threading.Lock)  # made there, but it does not come back
    assert child.call(len, "abc") == 3 and child.starts == 1


def test_few_calls_start_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Apart("test", worth=3, patient=True)
    for _ in range(2):
        with pytest.raises(NotApart):
            child.call(os.getpid)
    assert child.starts == 0
    monkeypatch.setattr(room, "WINDOW_S", 0.0)
    with pytest.raises(NotApart):  # too long ago: they count no more
        child.call(os.getpid)
    monkeypatch.undo()
    with pytest.raises(NotApart):
        child.call(os.getpid)
    assert child.call(os.getpid) == child.pid
    child.close()


def test_nobody_waits_for_a_child_that_starts() -> None:
    child = Apart("test", Job(time.sleep, (0.2,)))
    with pytest.raises(NotApart):
        child.call(os.getpid)
    until(lambda: child._socket is not None and select.select([child._socket], [], [], 0)[0])
    assert child.call(os.getpid) == child.pid and child.starts == 1
    child.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_that_dies_is_replaced(child: Apart, restless: None, how: int) -> None:
    first = child.call(os.getpid)
    os.kill(first, how)
    until(lambda: is_gone(first))
    with pytest.raises(NotApart):
        child.call(os.getpid)
    second = child.call(os.getpid)
    assert second not in (first, os.getpid()) and child.starts == 2


def test_a_child_that_dies_at_work_is_lost(child: Apart, restless: None) -> None:
    with pytest.raises(NotApart):
        child.call(os._exit, 3)
    assert child.pid is None
    assert child.call(os.getpid) == child.pid


def test_a_child_that_keeps_dying_is_not_started_all_the_time(child: Apart) -> None:
    for _ in range(50):
        with pytest.raises(NotApart):
            child.call(os._exit, 3)
    assert child.starts == 1


def test_a_child_that_is_too_slow_is_killed(restless: None) -> None:
    child = Apart("test", patient=True, timeout_s=5.0)
    pid = child.call(os.getpid)
    assert child._socket is not None
    child._timeout_s = 0.05
    child._socket.settimeout(0.05)
    with pytest.raises(NotApart):
        child.call(time.sleep, 60)
    assert is_gone(pid)
    child.close()


def test_where_no_process_can_be_made_the_caller_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no such interpreter")
    child = Apart("test", patient=True)
    with pytest.raises(NotApart):
        child.call(os.getpid)
    child.close()


def test_after_its_end_nothing_is_done_apart(child: Apart, restless: None) -> None:
    pid = child.call(os.getpid)
    child.close()
    assert is_gone(pid)
    with pytest.raises(NotApart):
        child.call(os.getpid)
    assert child.starts == 1


PARENT = """
import os, sys, time
from gateway.base.apart import Apart
child = Apart("test", patient=True)
print(child.call(os.getpid), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_death_of_the_parent_leaves_an_orphan(how: int) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.send_signal(how)
        parent.wait()
    until(lambda: is_gone(pid))


def test_ctrl_c_is_the_parents(child: Apart) -> None:
    pid = child.call(os.getpid)
    os.kill(pid, signal.SIGINT)
    assert child.call(os.getpid) == pid
