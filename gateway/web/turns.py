"""How many requests begin in one turn of the loop; the rest begin in the next ones, in order.

A turn in which a thousand requests begin has touched all they have before the first of them goes
on, and finds nothing of it in the processor's caches again: with 2,000 busy connections a quarter
fewer were served. So what has begun goes first. This bounds no number of requests at once: one
that waits for its provider takes no turn. It knows nothing of what a request is.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

AT_ONCE = 32


class Turns:
    """Passes requests on to `serve`, so many a turn. Those of closed connections are dropped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, serve: Callable[[Any, Any], None]) -> None:
        self._loop = loop
        self._serve = serve
        self._room = AT_ONCE
        self._turning = False
        self._waiting: deque[tuple[Any, Any]] = deque()  # at most one of each connection

    def serve(self, connection: Any, request: Any) -> None:
        """Serve it now or in one of the next turns."""
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self.turn)
        if self._room and not self._waiting:
            self._room -= 1
            self._serve(connection, request)
        else:
            self._waiting.append((connection, request))

    def turn(self) -> None:
        """Another turn of the loop: called by the loop."""
        self._room = AT_ONCE
        waiting = self._waiting
        self._turning = bool(waiting)
        if self._turning:
            self._loop.call_soon(self.turn)
        while waiting and self._room:
            connection, request = waiting.popleft()
            if not connection.closed:
                self._room -= 1
                self._serve(connection, request)
