"""Phase 8, record: charge and metadata row go to the writer; the end waits for the disk.

With durability `full` the end of an answer is released only when its charge is on disk, so "the
client saw the end" implies "the charge is durable". One row per authenticated request, never with
a prompt, a completion, a key or an address: the row's type has no place for one. The same holds
for the log line, which names the catalog's model and never the name a client sent.
"""

import logging
from collections.abc import Callable
from typing import Any, cast

from gateway.platform.keys import Key
from gateway.platform.request_log.record import RequestRow, written_trail, written_units
from gateway.proxy.exchange import Exchange

log = logging.getLogger("tallygate.requests")
# A named tuple's own constructor is a Python call that only repeats its arguments.
_new_row = cast(Callable[[type[RequestRow], tuple[Any, ...]], RequestRow], tuple.__new__)


def record(x: Exchange) -> None:
    """Queue charge and row in one item, and release the end of the response."""
    observe(x)
    if x.plane.log_requests:
        log_line(x)
    release = x.tail or _nothing
    settlements = x.plane.settlements
    if x.key is None:
        release()  # only counted: a stranger's requests must not fill the log
    elif x.charge is None or not x.plane.limits.durable:
        settlements.submit(x.charge, row_of(x, x.key), _nothing)
        release()
    else:
        settlements.submit(x.charge, row_of(x, x.key), release)


def _nothing() -> None:
    """An end nobody waits for."""


def elapsed_ms(x: Exchange, until_s: float) -> int:
    """Whole milliseconds since the request began."""
    return round((until_s - x.started_s) * 1000)


def observe(x: Exchange) -> None:
    """Add the request to the counters of its model, provider and status class."""
    model = x.model.name if x.model is not None else ""
    provider = x.target.provider.name if x.target is not None else ""
    series = x.plane.metrics.series(model, provider, x.status)
    series.duration.observe(elapsed_ms(x, x.plane.clock.monotonic_s()))
    if x.first_token_s is not None:
        series.first_token.observe(elapsed_ms(x, x.first_token_s))
    series.input_tokens += x.usage.total_input
    series.output_tokens += x.usage.output
    if x.charge is not None:
        series.cost_microusd += x.charge.posted_microusd


def log_line(x: Exchange) -> None:
    """Log the request in one line; tokens are those billed. Setting `log.requests`."""
    fields = {
        "id": x.id,
        "model": x.model.name if x.model is not None else "",
        "status": x.status,
        "duration_ms": elapsed_ms(x, x.plane.clock.monotonic_s()),
        "input_tokens": x.usage.total_input,
        "output_tokens": x.usage.output,
        "cost_microusd": x.charge.posted_microusd if x.charge is not None else 0,
    }
    log.info("request", extra={"f": fields})


def row_of(x: Exchange, key: Key) -> RequestRow:
    """The request's row of the log: positions are those of RequestRow, spelled in its order.

    Booleans go as 0 and 1, which the database's driver binds without asking for an adapter.
    """
    usage, charge, target, first_s = x.usage, x.charge, x.target, x.first_token_s
    row = (
        x.id,
        x.started_us,
        key.account.no,
        key.no,
        x.model.name if x.model is not None else "",
        target.provider.name if target is not None else "",
        target.model if target is not None else "",
        x.endpoint.name,
        1 if x.stream else 0,
        x.status,
        x.outcome,
        x.error.code if x.error is not None else "",
        x.attempts,
        elapsed_ms(x, x.plane.clock.monotonic_s()),
        -1 if first_s is None else elapsed_ms(x, first_s),
        x.basis,
        *usage[:-1],
        x.reported_input,
        x.reported_output,
        x.measured_input,
        x.measured_output,
        1 if x.measured_exact else 0,
        charge.cost_picousd if charge is not None else 0,
        charge.posted_microusd if charge is not None else 0,
        charge.overrun_microusd if charge is not None else 0,
        x.price.version if x.price is not None else 0,
        written_units(usage.units) if usage.units else "",
        written_trail(x.trail) if x.trail else "",
    )
    return _new_row(RequestRow, row)
