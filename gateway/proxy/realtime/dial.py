"""Opening a provider's side of a realtime session, with the checks every provider's address gets.

The name is resolved and its addresses checked by `upstream.address`; redirects are refused. What
goes out are the headers written here: the provider's key and nothing of the client.
"""

import asyncio
import socket
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.base.errors import (
    DialectNotServed,
    GatewayError,
    UpstreamBadResponse,
    UpstreamCredentials,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.platform.catalog import Provider
from gateway.proxy.upstream.address import resolve
from gateway.proxy.upstream.pool import tls_context

HEARTBEAT_S = 30.0


class _CheckedResolver(AbstractResolver):
    """Resolves through the deny list of private addresses."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await resolve(loop, host, port, allow_private=self._allow_private)
        return [
            ResolveResult(hostname=host, host=ip, port=port, family=kind, proto=0, flags=0)
            for kind, (ip, port) in found
        ]

    async def close(self) -> None:
        """Nothing is kept."""


class UpstreamSocket:
    """A provider's WebSocket and the client session that owns it."""

    def __init__(
        self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self._session = session
        self.socket = socket

    async def close(self, code: int = 1000) -> None:
        """Close both."""
        await self.socket.close(code=code)
        await self._session.close()


async def dial(
    provider: Provider, model: str, *, timeout_s: float, max_frame_bytes: int
) -> UpstreamSocket:
    """Connect and shake hands. Raises GatewayError."""
    if provider.proxy is not None:
        raise DialectNotServed("Realtime sessions are not served through a proxy.")
    if provider.api_key is None and provider.needs_key:
        raise UpstreamCredentials()
    loop = asyncio.get_running_loop()
    # A literal address is never resolved, so it is checked here.
    await resolve(loop, provider.host, provider.port, allow_private=provider.allow_private_address)
    host = f"[{provider.host}]" if ":" in provider.host else provider.host
    scheme = "wss" if provider.scheme == "https" else "ws"
    url = f"{scheme}://{host}:{provider.port}{provider.path}{session_path(provider, model)}"
    headers = {"User-Agent": "tallygate"}
    if provider.api_key is not None and provider.kind == "azure-openai":
        headers["api-key"] = provider.api_key
    elif provider.api_key is not None:
        headers["Authorization"] = f"Bearer {provider.api_key}"
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=_CheckedResolver(provider.allow_private_address),
            ssl=tls_context() if scheme == "wss" else False,
        ),
        trace_configs=[trace],
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    connected = False
    try:
        async with asyncio.timeout(timeout_s):
            opened = await session.ws_connect(
                url,
                headers=headers,
                max_msg_size=max_frame_bytes,
                heartbeat=HEARTBEAT_S,
                autoping=True,
            )
        connected = True
        return UpstreamSocket(session, opened)
    except aiohttp.WSServerHandshakeError as error:
        raise _refused(error.status) from None
    except TimeoutError:
        raise UpstreamTimeout("The provider could not be reached in time.") from None
    except (aiohttp.ClientError, OSError):
        raise UpstreamUnreachable() from None
    finally:
        if not connected:
            await session.close()


def session_path(provider: Provider, model: str) -> str:
    """Path and query behind the provider's own; Azure's with a version names the deployment."""
    name, version = quote(model, safe=""), provider.api_version
    if provider.kind != "azure-openai" or version is None:
        return f"/realtime?model={name}"
    base = "" if provider.path.endswith("/openai") else "/openai"
    return f"{base}/realtime?api-version={version}&deployment={name}"


async def _refuse_redirect(*_: Any) -> None:
    raise UpstreamBadResponse()


def _refused(status: int) -> GatewayError:
    if status in (401, 403):
        return UpstreamCredentials()
    if status == 429:
        return UpstreamRateLimited()
    return UpstreamBadResponse("The provider does not open a realtime session.")
