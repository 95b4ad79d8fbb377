"""The meter of media endpoints, in the place of the native one: see `exchange.Metering`."""

from typing import Any

from gateway.proxy.exchange import Exchange, Metering
from gateway.proxy.media.conclude import concluded
from gateway.proxy.media.meters import AudioAnswer, EventAnswer, MediaMeter, WholeAnswer

NEVER = 2**62


def stream_meter(x: Exchange) -> Any:
    """What watches events, or audio."""
    if x.media.relays_bytes:
        return AudioAnswer()
    return EventAnswer(x.plane.limits.max_event_bytes)


def body_meter(x: Exchange) -> Any:
    """What watches a whole answer."""
    return WholeAnswer(json=x.media.shown_type() == b"application/json")


def grow(x: Exchange, meter: MediaMeter) -> int:
    """All there can be is held from the start: the hold never grows."""
    return NEVER


def grow_ahead(x: Exchange, tokens: int) -> int:
    """As `grow`."""
    return NEVER


def conclude_usage(x: Exchange, meter: MediaMeter | None) -> None:
    """Set usage, basis and what was reported."""
    if meter is None:
        return
    meter.finish()
    model = x.model
    assert model is not None
    limit = (model.context_tokens + model.max_output_tokens) * max(x.media.images, 1)
    x.usage, x.basis, tokens = concluded(x.media, meter, x.price, x.measured_input, limit)
    if tokens is not None:  # output is not counted here, so there is nothing to compare it with
        x.reported_input = tokens.total_input


MEDIA_METER = Metering(
    stream_meter,
    body_meter,
    grow,  # type: ignore[arg-type]
    grow_ahead,
    conclude_usage,  # type: ignore[arg-type]
)
