"""Phase 8, record: one row of metadata per authenticated request, and the counters of /metrics.

Never a prompt, a completion, a key or an address: the row's type has no place for one.
"""

from gateway.platform.ledger.holds import Charge
from gateway.platform.request_log.record import RequestRow
from gateway.proxy.exchange import Exchange


def record(x: Exchange, charge: Charge | None) -> RequestRow | None:
    """The request's row, or None for a request without a known key (those are only counted)."""
    plane = x.plane
    duration_ms = round((plane.clock.monotonic_s() - x.started_s) * 1000)
    first_ms = None if x.first_token_s is None else round((x.first_token_s - x.started_s) * 1000)
    model = x.model.name if x.model is not None else ""
    provider = x.target.provider.name if x.target is not None else ""
    usage = x.usage
    series = plane.metrics.series(model, provider, x.status)
    series.duration.observe(duration_ms)
    if first_ms is not None:
        series.first_token.observe(first_ms)
    series.input_tokens += usage.total_input
    series.output_tokens += usage.output
    if charge is not None:
        series.cost_microusd += charge.posted_microusd
    key = x.key
    if key is None:
        return None
    return RequestRow(
        id=x.id,
        started_us=x.started_us,
        account_no=key.account.no,
        key_no=key.no,
        model=model,
        provider=provider,
        upstream_model=x.target.model if x.target is not None else "",
        endpoint=x.endpoint.name,
        stream=x.stream,
        status=x.status,
        outcome=x.outcome,
        error_code=x.error.code if x.error is not None else "",
        attempts=x.attempts,
        duration_ms=duration_ms,
        first_token_ms=first_ms,
        basis=x.basis,
        input_tokens=usage.input,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        output_tokens=usage.output,
        reasoning_tokens=usage.reasoning,
        reported_input_tokens=x.reported_input,
        reported_output_tokens=x.reported_output,
        measured_input_tokens=x.measured_input,
        measured_output_tokens=x.measured_output,
        measured_exact=x.measured_exact,
        cost_picousd=charge.cost_picousd if charge is not None else 0,
        cost_microusd=charge.posted_microusd if charge is not None else 0,
        overrun_microusd=charge.overrun_microusd if charge is not None else 0,
        price_version=x.price.version if x.price is not None else 0,
    )
