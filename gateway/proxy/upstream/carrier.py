"""The thread that carries running streams, and what comes back from it into the loop.

A stream that runs needs no decision for most of its reads, and none of this process's other work
should stand in its way: native/pump.pyx takes it from provider to client on a thread that never
asks for the interpreter. Its connection goes on here when there is something to decide. Where the
system has no epoll there is no thread, and every stream stays with its connection.

Invariant: only the loop sends away and takes home.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Protocol

from gateway._native.pump import Pump
from gateway.base.scheduling import Restraint, come_first
from gateway.proxy.upstream.connection import plain_descriptor
from gateway.proxy.upstream.wire import Wire


class Traveller(Protocol):
    """Who owns a lane: a connection to a provider."""

    transport: asyncio.Transport

    def come_home(self) -> None:
        """Take the lane back and go on."""
        ...


class Carrier:
    """The pump of this process and its thread; `pump` is None before `start` and without epoll."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.pump: Pump | None = None
        self._loop = loop
        self._thread: threading.Thread | None = None
        self._restraint: Restraint | None = None

    def start(self) -> None:
        """Begin to carry, where the system can."""
        # uvloop's own libuv leaves a socket that is no longer read in its set until it is woken for
        # it once more, a turn of the whole interpreter.
        backend: Callable[[], int] = getattr(self._loop, "_get_backend_id", lambda: -1)
        with contextlib.suppress(OSError):
            self.pump = Pump(backend())
        if self.pump is None:
            return
        self._thread = threading.Thread(
            target=_run, args=(self.pump,), name="tallygate-pump", daemon=True
        )
        self._thread.start()
        self._restraint = Restraint(self._thread)
        self._loop.add_reader(self.pump.descriptor, self._returned)

    def stop(self) -> None:
        """Let the thread end. What is still away is taken home by its own attempt."""
        if self.pump is None or self._thread is None:
            return
        self._loop.remove_reader(self.pump.descriptor)
        self.pump.stop()
        self._thread.join()
        self.pump = self._restraint = None

    def sweep(self) -> None:
        """Look after the thread's share of a core."""
        if self._restraint is not None:
            self._restraint.look()

    def carry(self, wire: Wire, outlet: asyncio.Transport) -> bool:
        """Let the pump carry this stream, now or when it is asked again. False: it never can."""
        if self.pump is None:
            return False
        if outlet.is_closing() or outlet.get_write_buffer_size():
            return True
        client = plain_descriptor(outlet)
        return client >= 0 and wire.send_away(self.pump, client) is not None

    def _returned(self) -> None:
        if self.pump is None:
            return
        owners: list[Traveller] = self.pump.returned()
        for owner in owners:
            try:
                owner.come_home()
            except Exception as error:  # noqa: BLE001  # one stream's must not hold up the others
                owner.transport.abort()
                self._loop.call_exception_handler(
                    {"message": "a stream could not go on", "exception": error}
                )


def _run(pump: Pump) -> None:
    come_first()
    pump.run()
