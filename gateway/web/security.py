"""What every page needs to be safe: Host check, CSRF check, bounded bodies, security headers.

One middleware around the console and the health pages. Scripts and styles run only with this
response's nonce (CSP level 3); nothing is loaded from another origin; no page may be framed. A POST
must come from the same site by `Sec-Fetch-Site` or, where a browser does not send it, `Origin`
(Fetch Metadata, W3C; RFC 6454); a cookie without either is refused. It knows no page's content
and no account. A page may come as a promise of its text (`DRAW`), which is kept off the
event loop: drawing one takes milliseconds in which no stream could go on. Every answer names its
request in `x-request-id`; the log line of one that failed has the same id.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from gateway.base.errors import GatewayError
from gateway.web.console.meanings import MEANINGS
from gateway.web.hosts import host_is_allowed
from gateway.web.spoken import spoken

ErrorPage = Callable[[web.Request, int, str], web.Response]

log = logging.getLogger("tallygate.web")
# What makes the text of a response that has none yet; run in the thread of pages.
DRAW: web.ResponseKey[Callable[[], Awaitable[str]]] = web.ResponseKey("draw", object)  # type: ignore[arg-type]
NONCE: web.RequestKey[str] = web.RequestKey("nonce", str)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
ID_HEADER = "x-request-id"
BODY_TIMEOUT_S = 17.5  # with what is read away after the refusal, less than 20 s
_NEVER_OURS = frozenset({413, 417})  # aiohttp raises these with English text of its own
READ_METHODS = frozenset({"GET", "HEAD"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What a page of errors says where nothing more is known; never the framework's own words.
_WORDS = {
    400: spoken("This request was not understood. Go back and try again."),
    403: spoken("Your account has no right to do this."),
    404: spoken("There is no such page."),
    405: spoken("This page does not take that kind of request."),
    413: spoken("The form is too large."),
    422: spoken("Something in this form cannot be used. Go back and try again."),
    429: spoken("There are too many requests from here. Wait a little and try again."),
    500: spoken("Something here went wrong. Try again."),
}
_HEADERS = {
    "Server": "tallygate",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Discreet(logging.Filter):
    """Drops what aiohttp logs of requests that are malformed: it quotes them, keys and all."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to keep a record."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


def content_security_policy(nonce: str) -> str:
    """The policy of one response: nothing but what carries its nonce."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def same_site(request: web.Request) -> bool:
    """Whether a state-changing request was made by our own page, or by no browser at all."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is not None:
        scheme = origin.partition(":")[0]
        asked = _authority(origin)
        return asked is not None and asked == _authority(f"{scheme}://{request.host}")
    return "Cookie" not in request.headers


def _authority(url: str) -> tuple[str, int] | None:
    """Host and port of an origin, the scheme's own port filled in; None for `null` and nonsense."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return parts.hostname, port


def is_https(request: web.Request) -> bool:
    """Whether the browser's side is TLS, here or at a reverse proxy in front.

    The header is the client's word where no proxy overwrites it; it only decides whether the
    client's own cookie is marked Secure, so a lie hurts nobody else.
    """
    forwarded = request.headers.get("X-Forwarded-Proto", "")
    return request.secure or forwarded.strip().lower() == "https"


async def _check(request: web.Request, allowed: frozenset[str]) -> None:
    """Refuse a bad Host, a foreign POST, a slow or large body. Raises HTTPException."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not host_is_allowed(hosts[0].encode(errors="replace"), allowed):
        raise web.HTTPBadRequest(text=spoken("The Host header is missing or not accepted here."))
    if "\0" in request.path and not request.path.startswith("/v1/"):
        raise web.HTTPNotFound  # nothing is named so, and PostgreSQL could not record who asked
    if request.method in READ_METHODS:
        return
    if not same_site(request):
        raise web.HTTPForbidden(
            text=spoken("This form was sent from another site and was refused.")
        )
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=spoken("The form was not received in time.")) from None
    except (ConnectionError, web.RequestPayloadError):  # the client left, or broke off its form
        raise web.HTTPBadRequest from None


def security(
    allowed_hosts: frozenset[str], render_error: ErrorPage, new_id: Callable[[], str]
) -> Middleware:
    """The middleware; `render_error` makes the page of a status from 400 up, `new_id` an id."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonce = request[NONCE] = secrets.token_urlsafe(16)
        request[REQUEST_ID] = new_id()
        try:
            await _check(request, allowed_hosts)
            response = await _drawn(await handler(request))
        except web.HTTPException as error:
            response = render_error(request, error.status, _words(error))
            for name in ("Allow", "Location", "Retry-After"):
                if name in error.headers:
                    response.headers[name] = error.headers[name]
        except GatewayError as error:
            response = render_error(request, error.status, MEANINGS[error.code])
            if error.retry_after_s is not None:
                response.headers["Retry-After"] = str(error.retry_after_s)
            if error.status >= 500:
                fields = {"request_id": request[REQUEST_ID], "code": error.code}
                log.warning("page refused", extra={"f": fields})
        except Exception:
            log.exception("page failed", extra={"f": {"request_id": request[REQUEST_ID]}})
            response = render_error(request, 500, _WORDS[500])
        response = await _drawn(response)  # pages of errors, too
        headers = response.headers
        headers.update(_HEADERS)
        headers["Content-Security-Policy"] = content_security_policy(nonce)
        headers.setdefault("Cache-Control", "no-store")
        if is_https(request):
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    return middleware


async def name_request(request: web.Request, response: web.StreamResponse) -> None:
    """Name the request in answers that begin before their handler is done, too."""
    if REQUEST_ID in request:
        response.headers.setdefault(ID_HEADER, request[REQUEST_ID])


async def _drawn(response: web.StreamResponse) -> web.StreamResponse:
    draw = response.get(DRAW)
    if draw is not None and isinstance(response, web.Response):
        response.text = await draw()
        del response[DRAW]
    return response


def _words(error: web.HTTPException) -> str:
    """The words an error was raised with, or those for its status where the framework raised it."""
    own = not (error.text or "").startswith(f"{error.status}:")
    if error.text and own and error.status not in _NEVER_OURS:
        return error.text
    return _WORDS.get(error.status, _WORDS[500 if error.status >= 500 else 400])
