"""Pools of connections to providers: reuse, dialling with deadlines, TLS, HTTP and SOCKS proxies.

Invariants: an idle connection belongs to exactly one pool; the most recently used is taken first,
so surplus ones grow old and are closed by `sweep`; the number per origin is bounded. TLS is 1.2 or
newer and always verified. The address that is dialled is the one that was checked.
"""

import asyncio
import errno
import socket
import ssl
from collections import deque
from functools import partial
from typing import Any, NamedTuple, cast

from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError
from python_socks.async_.asyncio import Proxy

from gateway.base.errors import Overloaded, UpstreamTimeout, UpstreamUnreachable
from gateway.proxy.upstream.address import is_public, resolve
from gateway.proxy.upstream.connection import UpstreamConnection

_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class Origin(NamedTuple):
    """What makes two connections interchangeable."""

    scheme: str
    host: str
    port: int
    proxy: str | None
    allow_private: bool


class PoolLimits(NamedTuple):
    """Deadlines in seconds and the connections allowed per origin."""

    connect_timeout_s: float
    keepalive_timeout_s: float
    max_connections: int


def tls_context() -> ssl.SSLContext:
    """Verified TLS, 1.2 or newer, with the system's authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class _OriginPool:
    """The connections of one origin."""

    __slots__ = ("idle", "open")

    def __init__(self) -> None:
        self.idle: deque[UpstreamConnection] = deque()
        self.open = 0


class Pool:
    """All connections of this process to its providers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: PoolLimits) -> None:
        self._loop = loop
        self._limits = limits
        self._origins: dict[Origin, _OriginPool] = {}
        self._tls: ssl.SSLContext | None = None

    def prepare_tls(self) -> None:
        """Read the system's certificates: 70 ms that no first request shall take on the loop."""
        self._tls = self._tls or tls_context()

    def take_idle(self, origin: Origin) -> UpstreamConnection | None:
        """The most recently used idle connection, or None: then `dial`."""
        pool = self._origins.get(origin)
        while pool is not None and pool.idle:
            connection = pool.idle.pop()
            if not connection.closed:
                return connection
        return None

    async def dial(self, origin: Origin) -> UpstreamConnection:
        """Open a new connection within the connect deadline.

        Raises Overloaded (too many open), UpstreamTimeout or UpstreamUnreachable.
        """
        pool = self._origins.setdefault(origin, _OriginPool())
        if pool.open >= self._limits.max_connections:
            raise Overloaded("Too many requests to this provider are running.", retry_after_s=1)
        pool.open += 1
        connected = False
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                connection = await self._connect(origin, pool)
            if connection.closed:
                raise UpstreamUnreachable()
            connection.on_lost = partial(_lost, pool)  # until now it is `dial` that takes it off
            connected = True
            return connection
        except (TimeoutError, ProxyTimeoutError):
            raise UpstreamTimeout("The provider could not be reached in time.") from None
        except (OSError, ssl.SSLError, ProxyError, ProxyConnectionError) as error:
            if getattr(error, "errno", None) in _OUT_OF_DESCRIPTORS:
                raise Overloaded(retry_after_s=1) from None  # ours, not the provider's
            raise UpstreamUnreachable() from None
        finally:
            if not connected:
                pool.open -= 1

    async def _connect(self, origin: Origin, pool: _OriginPool) -> UpstreamConnection:
        def factory() -> Any:  # a Protocol by its methods: compiled classes have no Python base
            return UpstreamConnection(on_idle, _forget)

        def on_idle(connection: UpstreamConnection) -> None:
            connection.idle_since = self._loop.time()
            pool.idle.append(connection)

        tls = None
        if origin.scheme == "https":
            self._tls = tls = self._tls or tls_context()
        server_name = origin.host if tls else None
        if origin.proxy:
            if not origin.allow_private and not _may_be_public(origin.host):
                raise UpstreamUnreachable("The provider's address is not allowed.")
            proxy = Proxy.from_url(origin.proxy, rdns=True)
            sock = await proxy.connect(origin.host, origin.port)
            _, made = await self._loop.create_connection(
                factory, sock=sock, ssl=tls, server_hostname=server_name
            )
            return cast(UpstreamConnection, made)
        last: OSError | None = None
        for family, address in await resolve(
            self._loop, origin.host, origin.port, allow_private=origin.allow_private
        ):
            try:
                _, made = await self._loop.create_connection(
                    factory, *address, family=family, ssl=tls, server_hostname=server_name
                )
            except OSError as error:
                last = error
                continue
            peer = made.transport.get_extra_info("peername")
            if not origin.allow_private and not is_public(cast(str, peer[0])):
                made.close()
                raise UpstreamUnreachable("The provider's address is not allowed.")
            return cast(UpstreamConnection, made)
        raise last or UpstreamUnreachable()

    def sweep(self) -> None:
        """Close connections idle for longer than the limit; called about once a second."""
        oldest = self._loop.time() - self._limits.keepalive_timeout_s
        for pool in self._origins.values():
            while pool.idle and (pool.idle[0].closed or pool.idle[0].idle_since < oldest):
                pool.idle.popleft().close()

    def open_connections(self) -> int:
        """Connections open now, idle ones included."""
        return sum(pool.open for pool in self._origins.values())

    def close(self) -> None:
        """Close every idle connection."""
        for pool in self._origins.values():
            while pool.idle:
                pool.idle.pop().close()


def _lost(pool: _OriginPool, connection: UpstreamConnection) -> None:
    pool.open -= 1


def _forget(connection: UpstreamConnection) -> None:
    """The close of a connection that was never handed out."""


def _may_be_public(host: str) -> bool:
    """An address must be public however it is written; a name is left to the proxy's resolver."""
    name = host.lower().rstrip(".")
    if ":" in name:
        return is_public(name)
    try:
        # It takes what resolvers take: decimal, octal, hexadecimal and short forms.
        return is_public(socket.inet_ntoa(socket.inet_aton(name)))
    except OSError:
        return name != "localhost" and not name.endswith(".localhost")
