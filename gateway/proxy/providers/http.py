"""What providers that are reached over HTTP have in common: the pool, the head, the errors.

To a provider go the header lines written here and by its kind, and no others: nothing of the
client's address, user agent, cookies or key. A kind says which path a request goes to, how the
gateway's key is shown, and which further lines a request needs.
"""

from gateway.base.errors import GatewayError, UpstreamCredentials
from gateway.platform.catalog import Provider, Target
from gateway.proxy.exchange import Exchange
from gateway.proxy.providers.body import form_values, request_body
from gateway.proxy.providers.failure import translated
from gateway.proxy.upstream.pool import Origin, Pool
from gateway.proxy.upstream.wire import Wire


class HttpUpstream:
    """One provider. Heads are kept by path: paths are made of the catalog's names only."""

    def __init__(self, provider: Provider, pool: Pool) -> None:
        self.provider = provider
        self._pool = pool
        self._origin = Origin(
            provider.scheme,
            provider.host,
            provider.port,
            provider.proxy,
            provider.allow_private_address,
        )
        self._heads: dict[str, bytes] = {}

    # --- what a kind says of itself -------------------------------------------------------------

    def path(self, x: Exchange, target: Target) -> str:
        """The request's path and query, behind the provider's own."""
        raise NotImplementedError

    def credential(self, api_key: str) -> str:
        """The header line that shows the gateway's key."""
        return f"Authorization: Bearer {api_key}"

    def lines(self, x: Exchange) -> bytes:
        """Further header lines of this request, each ending in CRLF."""
        return b""

    # --- Upstream -------------------------------------------------------------------------------

    def take_idle(self) -> Wire | None:
        """A pooled connection, or None."""
        return self._pool.take_idle(self._origin)

    async def dial(self) -> Wire:
        """A new connection. Raises UpstreamUnreachable, UpstreamTimeout, Overloaded."""
        return await self._pool.dial(self._origin)

    def request(self, x: Exchange, target: Target) -> bytes:
        """Head and body for the wire. Raises UpstreamCredentials without a key to use."""
        path = self.path(x, target)
        if x.media is not None and x.media.form is not None:
            boundary = x.plane.ids.make("form")
            body = x.media.form.render(boundary, form_values(x, target))
            own = self.head(path, f"multipart/form-data; boundary={boundary}")
            return b"".join((own, b"Content-Length: %d\r\n\r\n" % len(body), body))
        body = request_body(x, target)
        head = self._heads.get(path)
        if head is None:
            head = self._heads[path] = self.head(path)
        # One join, which frees the lock while it copies a long body.
        length = str(len(body)).encode()
        return b"".join((head, self.lines(x), b"Content-Length: ", length, b"\r\n\r\n", body))

    def error(self, status: int, headers: dict[bytes, bytes], body: bytes) -> GatewayError:
        """What a non-200 answer of this provider means to the caller."""
        return translated(status, headers, body, self.provider.api_key or "")

    def host(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        provider = self.provider
        host = f"[{provider.host}]" if ":" in provider.host else provider.host
        default_port = 443 if provider.scheme == "https" else 80
        return host if provider.port == default_port else f"{host}:{provider.port}"

    def head(self, path: str, content_type: str = "application/json") -> bytes:
        """The request line and the lines every request has. Raises UpstreamCredentials."""
        provider = self.provider
        if provider.api_key is None and provider.needs_key:
            raise UpstreamCredentials()
        lines = [
            f"POST {provider.path}{path} HTTP/1.1",
            f"Host: {self.host()}",
            f"Content-Type: {content_type}",
            "Accept: application/json, text/event-stream",
            "Accept-Encoding: identity",
            "User-Agent: tallygate",
        ]
        if provider.api_key is not None:
            lines.append(self.credential(provider.api_key))
        return ("\r\n".join(lines) + "\r\n").encode("latin-1")
