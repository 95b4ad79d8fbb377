"""Phase 8, record: charge and metadata row go to the writer; the end waits for the disk.

With durability `full` the end of an answer is released only when its charge is on disk, so "the
client saw the end" implies "the charge is durable". One row per authenticated request, never with
a prompt, a completion, a key or an address: the row's type has no place for one. The same holds
for the log line, which names the catalog's model and never the name a client sent. Of the calling
application the row has what `application` makes of it; a request that names none costs four looks
at its headers.
"""

import logging
from collections.abc import Callable
from typing import Any, cast

from gateway.base.telemetry import RequestSeries
from gateway.platform.keys.ring import Key
from gateway.platform.request_log.record import RequestRow, written_trail, written_units
from gateway.proxy.application import named_application
from gateway.proxy.exchange import Exchange

log = logging.getLogger("tallygate.requests")
# A named tuple's own constructor is a Python call that only repeats its arguments.
_new_row = cast(Callable[[type[RequestRow], tuple[Any, ...]], RequestRow], tuple.__new__)


# With so many at work a stream's end waits for theirs, as PostgreSQL's commit_siblings; never for
# more than a fiftieth of the time the stream took.
COMPANY = 5
PATIENCE_S_PER_MS = 0.001 / 50


def record(x: Exchange) -> None:
    """Queue charge and row in one item, and release the end of the response."""
    model = x.model.name if x.model is not None else ""
    provider = x.target.provider.name if x.target is not None else ""
    duration_ms = elapsed_ms(x, x.plane.clock.monotonic_s())
    tokens = x.usage[:-1]
    observe(x, x.plane.metrics.series(model, provider, x.status), duration_ms, tokens)
    if x.plane.log_requests:
        log_line(x, model, duration_ms)
    release = x.tail or _nothing
    key, settlements = x.key, x.plane.settlements
    if key is None:
        release()  # only counted: a stranger's requests must not fill the log
    elif x.charge is None or not x.plane.limits.durable:
        row = row_of(x, key, model, provider, duration_ms, tokens)
        settlements.submit(x.charge, row, _nothing)
        release()
    else:
        row = row_of(x, key, model, provider, duration_ms, tokens)
        patience_s = 0.0
        if x.stream and len(x.plane.active) > COMPANY:  # all of it but its end is with the client
            patience_s = min(x.plane.limits.stream_commit_delay_s, duration_ms * PATIENCE_S_PER_MS)
        settlements.submit(x.charge, row, release, patience_s)


def _nothing() -> None:
    """An end nobody waits for."""


def elapsed_ms(x: Exchange, until_s: float) -> int:
    """Whole milliseconds since the request began."""
    return int((until_s - x.started_s) * 1000 + 0.5)


def observe(x: Exchange, series: RequestSeries, duration_ms: int, tokens: tuple[int, ...]) -> None:
    """Add the request to the counters of its model, provider and status class."""
    series.duration.observe(duration_ms)
    if x.first_token_s is not None:
        series.first_token.observe(elapsed_ms(x, x.first_token_s))
    series.input_tokens += tokens[0] + tokens[1] + tokens[2]
    series.output_tokens += tokens[3]
    if x.charge is not None:
        series.cost_microusd += x.charge.posted_microusd


def log_line(x: Exchange, model: str, duration_ms: int) -> None:
    """Log the request in one line; tokens are those billed. Setting `log.requests`."""
    fields = {
        "id": x.id,
        "model": model,
        "status": x.status,
        "duration_ms": duration_ms,
        "input_tokens": x.usage.total_input,
        "output_tokens": x.usage.output,
        "cost_microusd": x.charge.posted_microusd if x.charge is not None else 0,
    }
    log.info("request", extra={"f": fields})


def application_of(x: Exchange, key: Key) -> str:
    """What the log is to say of the calling application. Setting `log.applications`."""
    headers, applications = x.headers, x.plane.applications
    if not (
        b"x-title" in headers
        or b"http-referer" in headers
        or b"x-openrouter-title" in headers
        or b"referer" in headers
    ):
        return ""
    if applications is None:
        return ""
    named = named_application(headers)
    return applications.counted(key.account.no, x.started_us, named) if named else ""


def row_of(
    x: Exchange, key: Key, model: str, provider: str, duration_ms: int, tokens: tuple[int, ...]
) -> RequestRow:
    """The request's row of the log: positions are those of RequestRow, spelled in its order.

    Booleans go as 0 and 1, which the database's driver binds without asking for an adapter.
    """
    charge, first_s, units = x.charge, x.first_token_s, x.usage[-1]
    begun = (
        x.id,
        x.started_us,
        key.account.no,
        key.no,
        model,
        provider,
        x.target.model if x.target is not None else "",
        x.endpoint.name,
        1 if x.stream else 0,
        x.status,
        x.outcome,
        x.error.code if x.error is not None else "",
        x.attempts,
        duration_ms,
        -1 if first_s is None else elapsed_ms(x, first_s),
        x.basis,
    )
    ended = (
        x.reported_input,
        x.reported_output,
        x.measured_input,
        x.measured_output,
        1 if x.measured_exact else 0,
        charge.cost_picousd if charge is not None else 0,
        charge.posted_microusd if charge is not None else 0,
        charge.overrun_microusd if charge is not None else 0,
        x.price.version if x.price is not None else 0,
        written_units(units) if units else "",
        written_trail(x.trail) if x.trail else "",
        application_of(x, key),
    )
    return _new_row(RequestRow, begun + tokens + ended)
