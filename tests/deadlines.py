"""A test that fails or waits for ever must end, with its own message, whatever it left open.

Three things used to hold a run. uvloop warns of each connection and listener that is still open
when a loop is closed; with warnings as errors, the warning broke off the closing of that handle,
and the loop then waited in C, deaf to signals, for a handle that nobody closed: `TidyLoop` closes
everything first and complains then. pytest-timeout raises out of its signal's handler, which an
idle uvloop takes for one more failed callback: `ring` stops an idle loop, whose runner then raises.
And pytest-timeout drops its timer as soon as a test raises, so that a debugger may be used: here
each teardown has a deadline of its own. Whatever rings first writes the stacks of all tasks.
"""

import asyncio
import faulthandler
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
import uvloop

TEARDOWN_S = float(os.environ.get("TALLYGATE_TEST_TEARDOWN_S", "60"))
AGAIN_S = 5.0  # and once more where it goes on to wait elsewhere
DEAF_S = 60.0  # after a deadline: no signal was heard, so the process ends with its stack
_rang: list[float] = []  # the deadline that is over


class TidyLoop(uvloop.Loop):
    """The gateway's loop, which closes what was left open before it says so."""

    def close(self) -> None:
        """Close the loop. Raises ResourceWarning when something was left open."""
        with warnings.catch_warnings(record=True) as left:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ResourceWarning)
            super().close()
        if left:
            raise ResourceWarning("; ".join(sorted({str(each.message) for each in left})))


def running_tasks() -> str:
    """The stack of every task that has not ended."""
    lines = []
    for task in list(asyncio.tasks._all_tasks):  # type: ignore[attr-defined]
        if not task.done():
            lines.append(f"{task.get_name()}: {task.get_coro()}")
            lines += [f"    {each.f_code.co_filename}:{each.f_lineno}" for each in task.get_stack()]
    return "\n".join(lines)


def set_timer(after_s: float) -> None:
    """Ring after so long, and again while nothing ends."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        if not _rang:
            sys.stderr.write(f"\nover its {after_s:g} s; unfinished tasks:\n{running_tasks()}\n")
        _rang.append(after_s)
        loop = asyncio._get_running_loop()
        if loop is not None and asyncio.current_task(loop) is None:
            loop.call_soon_threadsafe(loop.stop)  # it is idle: nothing raised here would be heard
        else:
            pytest.fail(too_long(after_s))

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, after_s, AGAIN_S)
    faulthandler.dump_traceback_later(after_s + DEAF_S, exit=True, file=sys.__stderr__)


def stop_timer() -> None:
    """Nothing rings any more."""
    faulthandler.cancel_dump_traceback_later()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def too_long(after_s: float) -> str:
    """What a test that took too long is told."""
    return f"took longer than {after_s:g} s; what it waited for stands under captured stderr"


def within(what: Iterator[None]) -> Iterator[None]:
    """Say of a phase that was ended by the timer that it was, instead of how."""
    try:
        return (yield from what)
    except RuntimeError as error:
        if not _rang:
            raise
        raise pytest.fail.Exception(too_long(_rang[0]), pytrace=False) from error


class Deadlines:
    """The hooks: pytest-timeout says how long a test may take, and when; this is what rings."""

    @pytest.hookimpl
    def pytest_timeout_set_timer(self, settings: Any) -> bool:
        _rang.clear()
        set_timer(settings.timeout)
        return True

    @pytest.hookimpl
    def pytest_timeout_cancel_timer(self) -> bool:
        stop_timer()
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        return (yield from within(_yielded()))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        return (yield from within(_yielded()))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        _rang.clear()
        set_timer(TEARDOWN_S)
        try:
            return (yield from within(_yielded()))
        finally:
            stop_timer()


def _yielded() -> Iterator[None]:
    return (yield)
