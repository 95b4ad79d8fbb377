"""Active health checks: providers that ask for them are asked, without a request to serve.

A check asks for the list of models without a key: any answer below 500, a refusal too, says that
the provider is there; it costs nothing and is metered by nobody. A failure counts like a request's.
A success lets the next request probe an open breaker at once, and closes none: what a provider
says without work does not show that it can do any.
"""

import asyncio

from gateway.base.errors import GatewayError, UpstreamUnreachable
from gateway.platform.catalog import Provider
from gateway.proxy.routing.router import Router
from gateway.proxy.upstream.pool import Origin, Pool

CHECK_TIMEOUT_S = 10.0


class HealthChecks:
    """Asks the providers of a router whose interval has passed; `tick` is called each second."""

    def __init__(self, router: Router, pool: Pool) -> None:
        self._router = router
        self._pool = pool
        self._due_s: dict[str, float] = {}

    async def tick(self) -> None:
        """Check every provider that is due, at the same time."""
        now_s = self._router.now_s()
        due: dict[str, Provider] = {}
        for candidate in self._router.candidates():
            provider = candidate.targets[0].provider
            interval_s = provider.health_interval_s
            if interval_s is not None and self._due_s.get(provider.name, 0.0) <= now_s:
                due[provider.name] = provider
        for provider in due.values():
            self._due_s[provider.name] = now_s + (provider.health_interval_s or 0)
        found = await asyncio.gather(*(self._alive(provider) for provider in due.values()))
        self._book(dict(zip(due, found, strict=True)))

    def _book(self, alive: dict[str, bool]) -> None:
        now_s, seen = self._router.now_s(), set()
        for candidate in self._router.candidates():
            health = candidate.health
            if health.provider not in alive or health in seen:
                continue
            seen.add(health)
            if alive[health.provider]:
                health.probe_soon(now_s)
            else:
                health.failed(now_s)

    async def _alive(self, provider: Provider) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await self._status(provider) < 500
        except (GatewayError, TimeoutError):
            return False

    async def _status(self, provider: Provider) -> int:
        origin = Origin(
            provider.scheme,
            provider.host,
            provider.port,
            provider.proxy,
            provider.allow_private_address,
        )
        connection = await self._pool.dial(origin)
        answer = _Answer()
        host = f"[{provider.host}]" if ":" in provider.host else provider.host
        try:
            connection.request(
                f"GET {provider.path}/models HTTP/1.1\r\nHost: {host}:{provider.port}\r\n"
                "User-Agent: tallygate\r\nConnection: close\r\n\r\n".encode("latin-1"),
                answer,
            )
            return await answer.status
        finally:
            connection.abandon()


class _Answer:
    """A receiver that wants the status only."""

    def __init__(self) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        if not self.status.done():
            self.status.set_result(status)

    def data(self, data: bytes) -> None:
        pass

    def relayed(self) -> None:
        pass

    def ended(self) -> None:
        self.failed(UpstreamUnreachable())

    def failed(self, error: GatewayError) -> None:
        if not self.status.done():
            self.status.set_exception(error)
