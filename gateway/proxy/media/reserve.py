"""What a media request may cost at most, as far as can be said before: the amount to hold.

A unit the endpoint needs and the model has no price for refuses the request: nothing is free by
omission. Sources: OpenAI, "Image generation: cost and latency" (tokens of an image by size and
quality) and "Realtime: managing costs" (ten tokens a second of the caller's audio).
"""

from gateway.base.errors import ModelNotPriced
from gateway.platform.catalog import Model
from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.prices import Price
from gateway.platform.pricing.units import AUDIO, SEARCH, image_unit, image_units
from gateway.proxy.media.request import MediaRequest

# Tokens of an image: square, portrait, landscape.
IMAGE_TOKENS = {
    "low": {"1024x1024": 272, "1024x1536": 408, "1536x1024": 400},
    "medium": {"1024x1024": 1056, "1024x1536": 1584, "1536x1024": 1568},
    "high": {"1024x1024": 4160, "1024x1536": 6240, "1536x1024": 6208},
}
MOST_IMAGE_TOKENS = 6240
AUDIO_MS_PER_TOKEN = 100
SPOKEN_TOKENS_PER_S = 8  # of a transcript: faster than anybody speaks


def expected(request: MediaRequest, model: Model, price: Price, text_tokens: int) -> Usage:
    """The most the request may use, in units that have a price. Raises ModelNotPriced."""
    return {
        "images": _images,
        "speech": _speech,
        "transcription": _transcription,
        "moderations": _moderations,
        "rerank": _rerank,
        "realtime": _realtime,
    }[request.kind](request, model, price, text_tokens)


def image_tokens(quality: str, size: str) -> int:
    """The tokens of one image; of what is unknown, the most there may be."""
    return IMAGE_TOKENS.get(quality, {}).get(size, MOST_IMAGE_TOKENS)


def _images(request: MediaRequest, model: Model, price: Price, text_tokens: int) -> Usage:
    units = dict(price.units)
    text = text_tokens if price.tokens else 0
    found: dict[str, int] = {}
    if request.input_images and "image_input" in units:
        found["image_input"] = request.input_images * MOST_IMAGE_TOKENS
    if image_units(price.units):
        unit = image_unit(price.units, request.quality, request.size)
        if unit is None:
            raise ModelNotPriced("This model has no price for images of this quality and size.")
        found[unit] = request.images
    elif "image_output" in units:
        most = image_tokens(request.quality, request.size) * request.images
        found["image_output"] = most
    else:
        raise ModelNotPriced("This model has no price for images.")
    return Usage(input=text, units=tuple(sorted(found.items())))


def _speech(request: MediaRequest, model: Model, price: Price, text_tokens: int) -> Usage:
    if "character" not in dict(price.units):
        raise ModelNotPriced("This model has no price for characters of speech.")
    return Usage(units=(("character", request.characters),))


def _transcription(request: MediaRequest, model: Model, price: Price, text_tokens: int) -> Usage:
    units = dict(price.units)
    if AUDIO in units:
        return Usage(units=((AUDIO, request.audio_ms),))
    if "audio_input" not in units or not price.tokens:
        raise ModelNotPriced("This model has no price for audio.")
    audio = -(-request.audio_ms // AUDIO_MS_PER_TOKEN)
    spoken = -(-request.audio_ms * SPOKEN_TOKENS_PER_S // 1000)
    output = min(spoken, model.max_output_tokens)
    return Usage(input=text_tokens, output=output, units=(("audio_input", audio),))


def _moderations(request: MediaRequest, model: Model, price: Price, text_tokens: int) -> Usage:
    if not price.tokens:
        raise ModelNotPriced()
    return Usage(input=text_tokens)


def _realtime(request: MediaRequest, model: Model, price: Price, text_tokens: int) -> Usage:
    """A turn of a session: the longest answer, spoken, to as much input as it has tokens."""
    units = dict(price.units)
    if not price.tokens or "audio_input" not in units or "audio_output" not in units:
        raise ModelNotPriced("This model has no price for tokens of audio.")
    longest = model.max_output_tokens
    return Usage(units=(("audio_input", longest), ("audio_output", longest)))


def _rerank(request: MediaRequest, model: Model, price: Price, text_tokens: int) -> Usage:
    if SEARCH in dict(price.units):
        return Usage(units=((SEARCH, request.searches),))
    if not price.tokens:
        raise ModelNotPriced("This model has no price for searches.")
    return Usage(input=text_tokens)
