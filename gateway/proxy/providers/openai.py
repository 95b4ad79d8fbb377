"""Providers that speak the OpenAI API: requests, and what their errors mean.

To the provider go the headers written here and no others: nothing of the client's address, user
agent, cookies or key. The body passes as it came but for: the model's upstream name, the usage
option (merged, never overwritten), a smaller maximum where credit asks for it, and `user`, which
becomes a pseudonym. Error texts go back only for errors the caller can mend, with anything that
looks like a key or an organisation removed.
"""

import re
from typing import Any

import msgspec

from gateway.base.errors import (
    GatewayError,
    UpstreamBadResponse,
    UpstreamCredentials,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
)
from gateway.platform.catalog import Provider, Target
from gateway.proxy.exchange import Exchange
from gateway.proxy.fields import field
from gateway.proxy.providers.quirks import adapted
from gateway.proxy.upstream.attempt import Wire
from gateway.proxy.upstream.pool import Origin, Pool

MAX_MESSAGE_CHARS = 2_000
MAX_RETRY_AFTER_S = 120  # the OpenAI SDKs do not retry beyond it
_SECRETS = re.compile(r"\b(?:sk|pk|rk|org|proj|key)-[A-Za-z0-9*_-]{4,}")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

Edit = tuple[int, int, bytes]


class OpenAIUpstream:
    """One provider of kind `openai`."""

    __slots__ = ("_heads", "_origin", "_pool", "_provider")

    def __init__(self, provider: Provider, pool: Pool) -> None:
        self._provider = provider
        self._pool = pool
        self._origin = Origin(
            provider.scheme,
            provider.host,
            provider.port,
            provider.proxy,
            provider.allow_private_address,
        )
        self._heads: dict[str, bytes] = {}

    def take_idle(self) -> Wire | None:
        """A pooled connection, or None."""
        return self._pool.take_idle(self._origin)

    async def dial(self) -> Wire:
        """A new connection. Raises UpstreamUnreachable, UpstreamTimeout, Overloaded."""
        return await self._pool.dial(self._origin)

    def request(self, x: Exchange, target: Target) -> bytes:
        """Head and body for the wire. Raises UpstreamCredentials without a key to use."""
        if x.media is not None and x.media.form is not None:
            boundary = "form" + x.plane.ids.make("form")
            body = x.media.form.render(boundary, {"model": target.model})
            own = self._head(x.endpoint.path, f"multipart/form-data; boundary={boundary}")
            return b"".join((own, b"%d\r\n\r\n" % len(body), body))
        body = rewritten(x, target)
        head = self._heads.get(x.endpoint.path)
        if head is None:
            head = self._heads[x.endpoint.path] = self._head(x.endpoint.path)
        return b"".join((head, b"%d\r\n\r\n" % len(body), body))  # frees the lock while it copies

    def _head(self, path: str, content_type: str = "application/json") -> bytes:
        provider = self._provider
        if provider.api_key is None and provider.needs_key:
            raise UpstreamCredentials()
        host = f"[{provider.host}]" if ":" in provider.host else provider.host
        default_port = 443 if provider.scheme == "https" else 80
        if provider.port != default_port:
            host = f"{host}:{provider.port}"
        lines = [
            f"POST {provider.path}{path.removeprefix('/v1')} HTTP/1.1",
            f"Host: {host}",
            f"Content-Type: {content_type}",
            "Accept: application/json, text/event-stream",
            "Accept-Encoding: identity",
            "User-Agent: tallygate",
        ]
        if provider.api_key is not None:
            lines.append(f"Authorization: Bearer {provider.api_key}")
        return ("\r\n".join(lines) + "\r\nContent-Length: ").encode("latin-1")

    def error(self, status: int, headers: dict[bytes, bytes], body: bytes) -> GatewayError:
        """What a non-200 answer of this provider means to the caller."""
        return translated(status, headers, body, self._provider.api_key or "")


def translated(
    status: int, headers: dict[bytes, bytes], body: bytes, api_key: str = ""
) -> GatewayError:
    """Map a non-200 answer to `api_key`; redirects are neither followed nor relayed."""
    if status in (401, 403):
        return UpstreamCredentials()
    if status == 429:
        return UpstreamRateLimited(retry_after_s=retry_after_s(headers))
    if status == 408 or status == 504:
        return UpstreamTimeout()
    if status in (400, 404, 413, 415, 422):
        message, param = caller_message(body, api_key)
        return UpstreamRejected(message, param=param)
    if status == 409 or status >= 500:  # 409: the provider was busy with a like request
        return UpstreamFailed(retry_after_s=retry_after_s(headers))
    return UpstreamBadResponse()


def rewritten(x: Exchange, target: Target) -> bytes:
    """The body for the provider: the client's own bytes with a few values replaced."""
    scan, body, endpoint, quirks = x.scan, x.body, x.endpoint, target.provider.quirks
    edits: list[Edit] = []
    inserts: list[bytes] = []
    if target.model != x.model_name and scan.model is not None:
        edits.append((*scan.model, _encode(target.model)))
    asks = x.stream and endpoint.usage_option and not x.usage_asked
    if asks and "no_stream_options" not in quirks:
        options = field(body, scan.stream_options) or {}
        merged = _encode({**options, "include_usage": True})
        if scan.stream_options is None:
            inserts.append(b'"stream_options":' + merged)
        else:
            edits.append((*scan.stream_options, merged))
    if x.clamped_tokens is not None:
        clamp(x, target, edits, inserts)
    if scan.user is not None:
        user = field(body, scan.user)
        if isinstance(user, str) and x.key is not None:
            edits.append((*scan.user, _encode(x.plane.pseudonym(x.key.account.id, user))))
    if edits or inserts:
        body = apply(body, scan.brace, edits, inserts)
    return adapted(body, quirks, chat=endpoint.name == "chat") if quirks else body


def clamp(x: Exchange, target: Target, edits: list[Edit], inserts: list[bytes]) -> None:
    """Ask for no more output than credit affords, in the field the request already uses."""
    tokens = b"%d" % (x.clamped_tokens or 1)
    scan = x.scan
    spans = (scan.max_completion_tokens, scan.max_tokens, scan.max_output_tokens)
    present = [span for span in spans if span is not None]
    edits.extend((*span, tokens) for span in present)
    if not present:
        name = x.endpoint.max_tokens_field
        provider = target.provider
        newer = "max_completion_tokens" in provider.quirks or provider.host.endswith("openai.com")
        if name == "max_completion_tokens" and not newer:
            name = "max_tokens"  # most compatible servers know only the older name
        inserts.append(b'"%b":%b' % (name.encode(), tokens))


def apply(body: bytes, object_start: int, edits: list[Edit], inserts: list[bytes]) -> bytes:
    """Replace spans and insert members right after the object's opening brace."""
    pieces: list[bytes] = []
    position = 0
    if inserts:
        position = object_start + 1
        pieces.append(body[:position])
        pieces.append(b",".join(inserts) + b",")
    for start, end, value in sorted(edits):
        pieces.append(body[position:start])
        pieces.append(value)
        position = end
    pieces.append(body[position:])
    return b"".join(pieces)


def retry_after_s(headers: dict[bytes, bytes]) -> int | None:
    """Seconds from Retry-After or retry-after-ms, bounded; None when absent or a date."""
    try:
        if b"retry-after-ms" in headers:
            seconds = -(-int(headers[b"retry-after-ms"]) // 1000)
        else:
            seconds = int(headers[b"retry-after"])
    except (KeyError, ValueError):
        return None
    return min(max(seconds, 0), MAX_RETRY_AFTER_S)


def caller_message(body: bytes, api_key: str = "") -> tuple[str, str | None]:
    """The provider's own words for an error the caller can mend, bounded and scrubbed.

    `api_key` is the gateway's own, which not every provider gives a form that tells it is one.
    """
    try:
        document: Any = _decode(body)
    except (msgspec.DecodeError, ValueError):
        return "", None
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return "", None
    message, param = error.get("message"), error.get("param")
    text = _scrubbed(message, api_key)[:MAX_MESSAGE_CHARS] if isinstance(message, str) else ""
    return text, _scrubbed(param, api_key)[:100] if isinstance(param, str) else None


def _scrubbed(text: str, api_key: str) -> str:
    if api_key:
        text = text.replace(api_key, "[removed]")
    return _SECRETS.sub("[removed]", text[: 2 * MAX_MESSAGE_CHARS])
