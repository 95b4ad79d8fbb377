"""Carries running streams on a thread that never asks for the interpreter."""

from typing import Any

from gateway._native.http1 import Relay

class Pump:
    """What the thread does and owns. OSError where the system has no epoll or no descriptor.

    loop_epoll: the epoll set of the loop that reads the sockets otherwise; -1: it has none. A lane
    that leaves is taken off it, as nobody is to be woken for it there.
    Before it is dropped, `run` must have returned and no lane be away.
    """

    def __init__(self, loop_epoll: int = -1) -> None: ...

    descriptor: int
    """Readable while lanes have come home that `returned` has not given."""

    def run(self) -> None:
        """Carry lanes until `stop`, without the interpreter's lock; for a thread of its own."""
    def stop(self) -> None:
        """Let `run` return; no lane goes away any more."""
    def returned(self) -> list[Any]:
        """The owners of the lanes that came home of themselves; each is to call its `take`."""

class Lane:
    """One stream's way through the pump, in place of its relay's `feed`.

    From `start` until `take` nobody else may read from the provider's socket, write to the
    client's, or touch the relay's reader and meter; both sockets stay open.
    """

    owner: object
    away: bool
    broken: bool
    """The provider's side broke: the kernel tells of that once, and it has told the pump."""

    def __init__(self, pump: Pump, relay: Relay, owner: object) -> None: ...
    def start(self, provider: int, client: int) -> bool:
        """Send it away between two sockets; False where this stream cannot go as things stand."""
    def take(self) -> None:
        """Take it home, whatever it is doing: from here on this thread may touch it all again."""
    def settle(self) -> bytes | None:
        """After `take`: write what had passed, meter what was left. Returns the bytes behind that.

        Whether something must be decided the relay's `is_quiet` tells, as after its `feed`.
        Raises what the meter's counter raised.
        """
