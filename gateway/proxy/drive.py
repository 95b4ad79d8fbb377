"""Drives a request's coroutine in the calls that wake it, without an asyncio Task.

A Task costs a registration, a context and a turn of the loop before its first step; most requests
wait once, for their provider. Invariants: the first step runs inside `drive`; each later one when
the awaited future is done; `cancel` cancels that future, as a Task would. What needs a current
task (`asyncio.timeout`) runs in a Task of its own, which the coroutine awaits. Knows no requests.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Drive:
    """A coroutine on its way. It must handle its own errors: nobody awaits the drive."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop):
        self._coroutine = coroutine
        self._loop = loop
        self._awaited: asyncio.Future[Any] | None = None

    def __call__(self, _: object = None) -> None:
        """Run to the next await, or to the end."""
        self._step()

    def _step(self) -> None:
        self._awaited = None
        try:
            awaited = self._coroutine.send(None)
        except StopIteration:
            return
        if awaited is None:  # a bare yield: `sleep(0)`
            self._loop.call_soon(self)
            return
        awaited._asyncio_future_blocking = False  # what a Task does to say it has taken it
        self._awaited = awaited
        awaited.add_done_callback(self)

    def cancel(self) -> bool:
        """Raise CancelledError where the coroutine waits; False when it waits for nothing."""
        return self._awaited is not None and self._awaited.cancel()


def drive(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> Drive:
    """Start the coroutine at once."""
    started = Drive(coroutine, loop)
    started._step()
    return started
