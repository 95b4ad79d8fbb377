# cython: annotation_typing=True
"""Phase 6, meter: the running count of a stream, the hold that grows with it, the usage billed.

Basis: a sane report of the upstream wins; without one our own count of what was delivered is
billed; an empty answer is free. Both numbers are kept whichever is billed.
"""

from functools import partial

from gateway._native.jsonscan import BodyMeter
from gateway._native.sse import StreamMeter
from gateway._native.tokens import Counter
from gateway.platform.metering.modal import apart
from gateway.platform.metering.reports import CACHE_WRITE_1H, read_report
from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.prices import Price
from gateway.proxy.affordable import affordable_tokens, holding_microusd
from gateway.proxy.exchange import Exchange, Metering

GROWTH_TOKENS = 512  # a stream's hold grows by so much output at a time
PLENTY = 16  # such a part of what nobody holds may be held before it is needed
NEVER = 2**62


def stream_meter(x: Exchange) -> StreamMeter:
    """The native meter of a streamed answer; it removes a usage event the client did not ask."""
    assert x.model is not None
    return StreamMeter(
        x.wire.dialect,
        partial(Counter, x.model.encoding),
        remove_usage=x.wire is x.endpoint and x.endpoint.usage_option and not x.usage_asked,
        max_event_bytes=x.plane.limits.max_event_bytes,
    )


def body_meter(x: Exchange) -> BodyMeter:
    """The native meter of an answer in one JSON document."""
    assert x.model is not None
    return BodyMeter(x.wire.dialect, partial(Counter, x.model.encoding))


def grow(x: Exchange, meter: StreamMeter) -> int:
    """Let the hold cover the output so far and a step more; returns the count to look again at.

    Raises InsufficientCredit, or a budget's refusal, when another token cannot be covered.
    """
    hold = x.hold
    if hold is None or x.output_picousd == 0:
        return NEVER
    tokens = meter.tokens
    covered = affordable_tokens(x, hold.amount_microusd)
    if tokens < covered:
        return covered
    if not hold.grow_to(holding_microusd(x, tokens + GROWTH_TOKENS)):
        hold.grow_to(hold.reach_microusd)
    covered = affordable_tokens(x, hold.amount_microusd)
    if tokens >= covered:
        raise hold.refusal()
    return covered


def grow_ahead(x: Exchange, tokens: int) -> int:
    """Let the hold cover two steps more than so many tokens, unless that is much of what is left.

    Returns the count to look again at. Whether the stream may go on is decided by `grow` alone.
    """
    hold = x.hold
    if hold is None or x.output_picousd == 0:
        return NEVER
    covered = affordable_tokens(x, hold.amount_microusd)
    if tokens + GROWTH_TOKENS < covered:
        return covered
    want_microusd = holding_microusd(x, tokens + 2 * GROWTH_TOKENS)
    more_microusd = want_microusd - hold.amount_microusd
    if more_microusd * PLENTY <= hold.reach_microusd - hold.amount_microusd:
        hold.grow_to(want_microusd)
    return affordable_tokens(x, hold.amount_microusd)


def priced(usage: Usage, price: Price) -> Usage:
    """The usage in units this price has: cache writes of an hour without their own are like any."""
    if not usage.units:
        return usage
    units = dict(usage.units)
    if CACHE_WRITE_1H not in units or any(name == CACHE_WRITE_1H for name, _ in price.units):
        return usage
    written = usage.cache_write + units.pop(CACHE_WRITE_1H)
    return usage._replace(cache_write=written, units=tuple(units.items()))


def conclude_usage(x: Exchange, meter: StreamMeter | BodyMeter | None) -> None:
    """Set usage, basis and both counts from what the meter saw."""
    if meter is None:
        return
    x.measured_output = meter.finish()
    model = x.model
    assert model is not None
    limit = (model.context_tokens + model.max_output_tokens) * x.choices
    report = read_report(x.wire.dialect, meter.usage, meter.usage_start, limit)
    embeddings = x.endpoint.name == "embeddings"
    if report is not None:
        x.reported_input, x.reported_output = report.input_total, report.output_total
        if report.sane:
            empty = not meter.output_seen and not report.usage.output
            if empty and not embeddings:
                return
            x.usage, x.basis = priced(report.usage, x.price), "reported"
            family = x.wire.family
            if x.price.units and family != "anthropic":
                units = dict(x.price.units)
                x.usage = apart(x.usage, meter.usage, units, limit, gemini=family == "gemini")
            if report.output_total is None and meter.output_seen:
                # A stream cut before its last report, or one that tells of the input alone.
                output = x.measured_output
                thought = min(meter.reasoning_tokens, output)
                x.usage = x.usage._replace(output=output, reasoning=thought)
                x.basis = "measured"
            return
    if meter.output_seen:
        x.usage = Usage(
            input=x.measured_input,
            output=x.measured_output,
            reasoning=min(meter.reasoning_tokens, x.measured_output),
        )
        x.basis = "measured"
    elif embeddings and x.status == 200:
        x.usage, x.basis = Usage(input=x.measured_input), "measured"


METER = Metering(stream_meter, body_meter, grow, grow_ahead, conclude_usage)
