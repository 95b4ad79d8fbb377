"""When connections or descriptors have run out: `/healthz` still answers, the rest is refused.

Some descriptors are held for nothing but this. A sweep that finds no other lets them go, and takes
them back once enough are free again; until then, or while connections are at their limit, whoever
comes meets `_LastWords`, which serves a health check, has one refusal for everything else, and
closes. Without a free descriptor libuv closes who connects, unseen (`uv__emfile_trick`), hence the
sweep. Few are open at once: the newest, for a health check speaks at once and idlers never do.
"""

import asyncio
import os
from collections.abc import Callable

SPARE = 16  # held
MOST_OPEN = 8  # fewer, for one that is aborted keeps its descriptor until the loop has turned
FREE_AGAIN = 8  # beside the spare ones, before the shortage is over: no going to and fro
LAST_WORDS_S = 1.0  # for a request to come, its answer to be read, the client to close
_CHECKS = (b"GET /healthz ", b"HEAD /healthz ")
_ALIVE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
_REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n%b"

Refusal = Callable[[], tuple[bytes, bytes]]  # its header lines and its body


class Reserve:
    """The spare descriptors, and the connections that are told no more than a few words."""

    def __init__(self, loop: asyncio.AbstractEventLoop, refusal: Refusal) -> None:
        self.short = False
        self._loop = loop
        self._refusal = refusal
        self._spare = _take(SPARE)
        self._open: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    def look(self) -> bool:
        """See how many descriptors are left; whether others have taken the spare ones as well."""
        if self._spare:
            free = _take(1)
            self.short = not free
            _give(free)
            if self.short:
                _give(self._spare)
            return False
        free = _take(SPARE + FREE_AGAIN)
        self.short = len(free) < SPARE + FREE_AGAIN
        taken = not free
        if not self.short:
            self._spare = [free.pop() for _ in range(SPARE)]
        _give(free)
        return taken

    def receive(self, transport: asyncio.Transport) -> None:
        """A connection too many: it is served here, and the oldest such makes room for it."""
        if len(self._open) >= MOST_OPEN:
            oldest = next(iter(self._open))
            self._leave(oldest)
            oldest.abort()
        self._open[transport] = self._loop.call_later(LAST_WORDS_S, transport.abort)
        transport.set_protocol(_LastWords(transport, self._refusal, self._leave))

    def close(self) -> None:
        """Let everything go."""
        _give(self._spare)
        for transport in self._open:
            transport.abort()

    def _leave(self, transport: asyncio.Transport) -> None:
        timer = self._open.pop(transport, None)
        if timer is not None:
            timer.cancel()


class _LastWords(asyncio.Protocol):
    """One answer, then nothing: what else comes is read away, or RST might overtake the words."""

    def __init__(
        self,
        transport: asyncio.Transport,
        refusal: Refusal,
        leave: Callable[[asyncio.Transport], None],
    ) -> None:
        self._transport = transport
        self._refusal = refusal
        self._leave = leave
        self._start = b""
        self._said = False

    def data_received(self, data: bytes) -> None:
        """Answer as soon as it is clear whether it is a health check."""
        if self._said:
            return
        self._start = (self._start + data)[: max(map(len, _CHECKS))]
        if self._start.startswith(_CHECKS):
            self._say(_ALIVE, b"ok\n")
        elif not any(each.startswith(self._start) for each in _CHECKS):
            lines, body = self._refusal()
            self._say(_REFUSED % (len(body), lines), body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for the next."""
        self._leave(self._transport)

    def _say(self, head: bytes, body: bytes) -> None:
        self._said = True
        body = b"" if self._start.startswith(b"HEAD ") else body
        self._transport.write(head + b"Connection: close\r\n\r\n" + body)
        self._transport.write_eof()


def _take(number: int) -> list[int]:
    """As many new descriptors as there are, up to a number."""
    taken: list[int] = []
    try:
        while len(taken) < number:
            taken.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:  # EMFILE, ENFILE
        pass
    return taken


def _give(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
