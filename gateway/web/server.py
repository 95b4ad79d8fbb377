"""The public port: accepts connections within limits, keeps their deadlines, stops gracefully.

One sweep, twice a second, enforces every deadline of every client connection and every attempt, so
no request or chunk pays for a timer. Nothing here parses or routes.
"""

import asyncio
import contextlib
import logging
import resource
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from gateway.base.config import Settings
from gateway.base.errors import GatewayError, Overloaded, ShuttingDown
from gateway.base.telemetry import Metrics
from gateway.proxy.dialects.openai import error_body, error_headers
from gateway.proxy.exchange import Exchange, Plane
from gateway.web.client_address import exact_address, parse_networks
from gateway.web.connection import Connection
from gateway.web.dates import DateLine
from gateway.web.hosts import parse_allowed
from gateway.web.inference import Inference
from gateway.web.memory import is_short, limit_bytes
from gateway.web.reserve import Reserve
from gateway.web.turns import Turns

LOG = logging.getLogger("tallygate.web")
SWEEP_S = 0.5
EARLY_S = SWEEP_S + 0.1  # the last sweep within a limit enforces it, so that none is exceeded
BACKLOG = 4096
ACCEPTED_TURNS = 3  # of the loop, in which what was accepted before the stop sends its request
UNSENT_BYTES = 128 * 1024  # of one client in the kernel, which else takes megabytes of an answer
KEPT_FILES = 80  # spare ones, database, readers, log: a limit of our own is met and said first
QUIET_S = 60.0
SETTLE_S = 5.0  # after the deadline of a stop, charges get this long to become durable


class Limits(NamedTuple):
    """The limits of client connections, from the settings."""

    max_connections: int
    max_per_address: int
    max_body_bytes: int
    header_timeout_s: float
    body_timeout_s: float
    keepalive_timeout_s: float
    write_stall_timeout_s: float


def limits_of(settings: Settings) -> Limits:
    """Read the limits from the settings, within what the system grants of open files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Limits(
        min(settings.server_max_connections, max(files - KEPT_FILES, 1)),
        settings.server_max_connections_per_address,
        settings.server_max_body_bytes,
        _early(settings.server_header_timeout_s),
        _early(settings.server_body_timeout_s),
        settings.server_keepalive_timeout_s,
        settings.server_write_stall_timeout_s,
    )


def _early(limit_s: float) -> float:
    return max(limit_s - EARLY_S, limit_s / 2)


class Server:
    """The listening socket and everything connected to it."""

    def __init__(self, plane: Plane, console_protocol: Callable[[], Any]) -> None:
        self.loop = plane.loop
        self.now_s = plane.loop.time  # for deadlines
        self.limits = limits_of(plane.settings)
        self.allowed_hosts = parse_allowed(plane.settings.server_allowed_hosts)
        self.console_protocol = console_protocol
        self.stopping = False
        self.date_line = b""
        self._dates = DateLine()
        self._plane = plane
        self._metrics: Metrics = plane.metrics
        # Called with a connection and its whole request.
        self.serve = Turns(plane.loop, Inference(plane).serve).serve
        self._connections: set[Connection] = set()
        self._by_address: dict[str, int] = {}
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._quiet_until_s = 0.0
        self._reserve = Reserve(self.loop, self._refusal)
        self._memory_limit_bytes = limit_bytes(plane.settings.server_memory_limit_bytes)
        self._trusted = parse_networks(plane.settings.server_trusted_proxies)
        plane.origin = self._origin
        self._refresh_date()

    @property
    def connections(self) -> int:
        """Client connections open now."""
        return len(self._connections)

    async def listen(self, host: str, port: int, bound: socket.socket | None = None) -> int:
        """Bind and accept, or accept from what is bound; returns the port.

        Raises OSError when it cannot be bound.
        """
        where: dict[str, Any] = {"host": host, "port": port} if bound is None else {"sock": bound}
        self._listener = await self.loop.create_server(
            partial(cast(Any, Connection), self), **where, backlog=BACKLOG
        )
        for each in self._listener.sockets:
            _bound_unsent(each)
        self._sweep()
        return int(self._listener.sockets[0].getsockname()[1])

    # --- what a connection asks -----------------------------------------------------------------

    def new_request_id(self) -> str:
        """An id for an answer without an exchange."""
        return self._plane.ids.make("req")

    def _refusal(self) -> tuple[bytes, bytes]:
        error = Overloaded(retry_after_s=1)
        return error_headers(error, self.new_request_id()), error_body(error)

    def count_refusal(self, error: GatewayError) -> None:
        """Count a request that was refused before it became one."""
        self._metrics.series("", "", error.status).duration.observe(0)

    def opened(self, connection: Connection) -> None:
        """Admit a connection; refuse it where there are too many, cut one address's too many."""
        if len(self._connections) >= self.limits.max_connections or self._reserve.short:
            self._metrics.count("connections_refused")
            self._say_full()
            self._reserve.receive(connection.transport)
            return
        address = _counted_address(connection)
        if address:
            held = self._by_address.get(address, 0)
            if held >= self.limits.max_per_address:
                self._metrics.count("connections_refused")
                connection.abort()
                return
            self._by_address[address] = held + 1
            connection.address = address
        self._connections.add(connection)

    def _say_full(self) -> None:
        """One line a minute, however many come."""
        if self.now_s() >= self._quiet_until_s:
            self._quiet_until_s = self.now_s() + QUIET_S
            of = "descriptors" if self._reserve.short else "connections"
            fields = {"open": len(self._connections), "short_of": of}
            LOG.warning("connections_at_limit", extra={"f": fields})

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        address = connection.address
        if address:
            left = self._by_address.get(address, 1) - 1
            if left:
                self._by_address[address] = left
            else:
                self._by_address.pop(address, None)

    def _origin(self, x: Exchange) -> str:
        """The whole address of a request's client; empty when it is not known."""
        transport = getattr(x.client, "transport", None)
        peer = transport.get_extra_info("peername") if transport is not None else None
        forwarded = x.headers.get(b"x-forwarded-for", b"").decode("latin-1")
        return exact_address(
            peer[0] if isinstance(peer, tuple) else None,
            [forwarded] if forwarded else [],
            self._trusted,
        )

    # --- time -----------------------------------------------------------------------------------

    def _sweep(self) -> None:
        now_s = self.loop.time()
        self._sweeper = self.loop.call_at(now_s + SWEEP_S, self._sweep)
        for connection in list(self._connections):
            connection.check(now_s)
        for attempt in list(self._plane.attempts):
            attempt.check(now_s)
            if attempt.done.done() and attempt.over:
                self._plane.attempts.discard(attempt)
        self._plane.pool.sweep()
        self._plane.carrier.sweep()
        self._look_at_memory()
        self._look_at_descriptors()
        self._plane.cache.sweep(self._plane.clock.monotonic_s())
        self._refresh_date()

    def _look_at_memory(self) -> None:
        short = is_short(self._memory_limit_bytes)
        if short != self._plane.short_of_memory:
            self._plane.short_of_memory = short
            LOG.warning("memory_short" if short else "memory_recovered")

    def _look_at_descriptors(self) -> None:
        if self._reserve.look():
            for connection in list(self._connections):
                connection.stop()  # those that rest make room
        if self._reserve.short:
            self._say_full()

    def _refresh_date(self) -> None:
        self.date_line = self._dates.at(self._plane.clock.now_us() // 1_000_000)

    # --- the end --------------------------------------------------------------------------------

    async def stop(self, timeout_s: float) -> None:
        """Stop accepting, let requests finish until the deadline, then end each and settle it."""
        self.stopping = self._plane.stopping = True
        if self._listener is not None:
            self._listener.close()
        for _ in range(ACCEPTED_TURNS):
            await asyncio.sleep(0)
        for connection in list(self._connections):
            connection.stop()
        await self._until_quiet(timeout_s)
        for attempt in list(self._plane.attempts):
            attempt.stop(ShuttingDown())
        for exchange in list(self._plane.active):
            task = exchange.client.task
            if exchange.attempt is None and task is not None:  # it dials, or waits to
                task.cancel()
        await self._until_quiet(SETTLE_S)
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._connections):
            connection.abort()
        self._reserve.close()
        self._plane.pool.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self._connections:
                    await asyncio.sleep(0.01)

    async def _until_quiet(self, timeout_s: float) -> None:
        """Wait until no request runs, no charge waits and no answer is being written."""
        plane = self._plane
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while plane.active or plane.settlements.pending or self._busy():
                    await asyncio.sleep(0.02)

    def _busy(self) -> bool:
        return any(connection.busy for connection in self._connections)


def _bound_unsent(listener: socket.socket) -> None:
    """Whoever is accepted inherits it: what a slow reader leaves waits where it is counted."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # tcp(7)
    with contextlib.suppress(OSError):  # no TCP: a supervisor's Unix socket
        if option is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def _counted_address(connection: Connection) -> str:
    """The peer's address when it counts against the limit; loopback (a reverse proxy) does not."""
    peer = connection.transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return ""
    address: str = peer[0]  # as the system writes it: two of one peer are equal
    if address.startswith("127.") or address == "::1":
        return ""
    return address.partition("%")[0]
