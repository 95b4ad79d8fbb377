"""Header lines of the answers that clients get: of streams, and of what the gateway did."""

from gateway.proxy.dialects.errors import request_id_line
from gateway.proxy.exchange import Exchange


def stream_headers(exchange: Exchange) -> bytes:
    """Header lines of a streamed answer; the last two keep reverse proxies from buffering."""
    media = exchange.media
    kind = b"text/event-stream; charset=utf-8"
    if media is not None and media.relays_bytes:
        kind = media.shown_type()
    return b"".join(
        (
            b"Content-Type: %b\r\nx-request-id: " % kind,
            exchange.id.encode(),
            b"\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n",
            extra_headers(exchange),
        )
    )


def extra_headers(exchange: Exchange) -> bytes:
    """Header lines that say what the gateway did: limits, further attempts, a smaller maximum."""
    lines, family = exchange.lines, exchange.endpoint.family
    if family == "anthropic":
        lines = request_id_line(family, exchange.id) + lines
    if exchange.attempts > 1:
        lines += b"x-tallygate-attempts: %d\r\n" % exchange.attempts
    if exchange.clamped_tokens is not None:
        lines += b"x-tallygate-max-tokens: %d\r\n" % exchange.clamped_tokens
    return lines
