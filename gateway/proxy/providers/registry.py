"""Which upstream serves a provider: built on first use, rebuilt when the provider changes.

A provider seen through another key of its pool is another upstream over the same connections.
"""

from collections.abc import Callable
from typing import Protocol

from gateway.base.errors import GatewayError
from gateway.platform.catalog import Provider, Target
from gateway.proxy.exchange import Exchange
from gateway.proxy.upstream.wire import Wire


class Upstream(Protocol):
    """One provider as the data plane sees it."""

    def request(self, x: Exchange, target: Target) -> bytes:
        """The whole request for the wire. Raises GatewayError when it cannot be made."""
        ...

    def take_idle(self) -> Wire | None:
        """A connection ready for use, or None."""
        ...

    async def dial(self) -> Wire:
        """A new connection. Raises GatewayError."""
        ...

    def error(self, status: int, headers: dict[bytes, bytes], body: bytes) -> GatewayError:
        """What an error answer of the provider means to the caller."""
        ...


class Upstreams:
    """The upstreams by provider. `kinds` maps a provider's kind to what builds its upstream."""

    def __init__(self, kinds: dict[str, Callable[[Provider], Upstream]]) -> None:
        self._kinds = kinds
        self._built: dict[str, tuple[Provider, Upstream]] = {}

    def of(self, provider: Provider) -> Upstream:
        """The upstream of a provider; identity decides, since snapshots are swapped whole."""
        name = provider.name if not provider.key_no else f"{provider.name} {provider.key_no}"
        found = self._built.get(name)
        if found is not None and found[0] is provider:
            return found[1]
        upstream = self._kinds[provider.kind](provider)
        self._built[name] = (provider, upstream)
        return upstream
