"""What a media answer used, in units that have a price: the provider's report, else our own count.

Numbers from a provider are untrusted: one that is not whole, not finite or absurd is not used, and
what was counted here is billed. An answer that delivered nothing is free.
"""

from typing import Any

from gateway.platform.metering.modal import ModalTokens, read_modal, usage_of
from gateway.platform.metering.usage import Basis, Usage
from gateway.platform.pricing.prices import Price
from gateway.platform.pricing.units import AUDIO, SEARCH, image_unit, image_units
from gateway.proxy.media.meters import MediaMeter
from gateway.proxy.media.request import MediaRequest
from gateway.proxy.media.reserve import AUDIO_MS_PER_TOKEN, image_tokens

MAX_SECONDS = 7 * 24 * 3600
MAX_SEARCHES = 1_000_000
Concluded = tuple[Usage, Basis, ModalTokens | None]


def concluded(
    request: MediaRequest, meter: MediaMeter, price: Price, text_tokens: int, limit_tokens: int
) -> Concluded:
    """The usage, how it is known, and the tokens reported, if any were."""
    if not meter.output_seen:
        return Usage(), "none", None
    return {
        "images": _images,
        "speech": _speech,
        "transcription": _transcription,
        "moderations": _moderations,
        "rerank": _rerank,
    }[request.kind](request, meter, price, text_tokens, limit_tokens)


def _images(
    request: MediaRequest, meter: MediaMeter, price: Price, text_tokens: int, limit: int
) -> Concluded:
    tokens = read_modal(meter.report, limit=limit, unnamed_output="image")
    drawn = min(meter.images, request.images)
    quality = meter.quality or request.quality
    size = meter.size or request.size
    if image_units(price.units):
        unit = image_unit(price.units, quality, size)
        # What the answer says may fit no price; then what was asked for does.
        unit = unit or image_unit(price.units, request.quality, request.size)
        basis: Basis = "measured"
        text = text_tokens if price.tokens else 0
        usage = Usage(input=text, units=((unit, drawn),) if unit and drawn else ())
        return (usage, basis, tokens) if drawn else (Usage(), "none", tokens)
    if tokens is not None:
        return usage_of(tokens, dict(price.units)), "reported", tokens
    if not drawn:
        return Usage(), "none", None
    output = image_tokens(quality, size) * drawn
    return Usage(input=text_tokens, units=(("image_output", output),)), "measured", None


def _speech(
    request: MediaRequest, meter: MediaMeter, price: Price, text_tokens: int, limit: int
) -> Concluded:
    return Usage(units=(("character", request.characters),)), "measured", None


def _transcription(
    request: MediaRequest, meter: MediaMeter, price: Price, text_tokens: int, limit: int
) -> Concluded:
    units = dict(price.units)
    tokens = read_modal(meter.report, limit=limit, unnamed_input="audio")
    reported_ms = _milliseconds(meter)
    if AUDIO in units:
        if reported_ms is not None:
            return Usage(units=((AUDIO, reported_ms),)), "reported", tokens
        return Usage(units=((AUDIO, request.audio_ms),)), "measured", tokens
    if tokens is not None:
        return usage_of(tokens, units), "reported", tokens
    audio = -(-(reported_ms or request.audio_ms) // AUDIO_MS_PER_TOKEN)
    return Usage(input=text_tokens, units=(("audio_input", audio),)), "measured", None


def _moderations(
    request: MediaRequest, meter: MediaMeter, price: Price, text_tokens: int, limit: int
) -> Concluded:
    return Usage(input=text_tokens), "measured", None


def _rerank(
    request: MediaRequest, meter: MediaMeter, price: Price, text_tokens: int, limit: int
) -> Concluded:
    if SEARCH in dict(price.units):
        searches = meter.searches
        if type(searches) is float and searches.is_integer():
            searches = int(searches)
        if type(searches) is int and 0 <= searches <= MAX_SEARCHES:
            return Usage(units=((SEARCH, searches),)), "reported", None
        return Usage(units=((SEARCH, request.searches),)), "measured", None
    total = meter.report.get("total_tokens") if isinstance(meter.report, dict) else None
    if type(total) is int and 0 <= total <= limit * max(request.text_repeats, 1):
        return Usage(input=total), "reported", ModalTokens((total, 0, 0))
    return Usage(input=text_tokens), "measured", None


def _milliseconds(meter: MediaMeter) -> int | None:
    """The audio's length as the provider says; None where it says none that can be."""
    report: Any = meter.report
    seconds = report.get("seconds") if isinstance(report, dict) else None
    if seconds is None:
        seconds = meter.duration_s
    if (
        type(seconds) is bool
        or not isinstance(seconds, int | float)
        or not 0 <= seconds <= MAX_SECONDS
    ):
        return None
    return round(seconds * 1000)
