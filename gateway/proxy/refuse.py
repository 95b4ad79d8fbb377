"""Phase 9, refuse: an error in the caller's dialect, before the answer or inside it.

Before the answer: a whole error response. Inside a stream: an error event, then the end of the
body without the dialect's own end marker, so no client can take it for a normal end.
"""

from functools import partial

from gateway.base.errors import GatewayError
from gateway.proxy.dialects.errors import error_body, error_event, error_headers
from gateway.proxy.exchange import Exchange


def refuse(x: Exchange, error: GatewayError) -> None:
    """Prepare the error as the end of the response; `settle` releases it."""
    x.error = error
    if x.answered and x.media is not None and x.media.relays_bytes:
        x.tail = x.client.abort  # there is no place for words inside audio
        return
    if x.answered:
        x.tail = partial(x.client.end, error_event(error, x.endpoint, x.id))
        return
    x.answered = True
    x.status = error.status
    family = x.endpoint.family
    headers, body = error_headers(error, family, x.id) + x.lines, error_body(error, family, x.id)
    x.tail = partial(x.client.respond, error.status, headers, body)
