"""Prices of units beside text tokens: images, audio, characters, searches.

A unit's name is its key in a catalog's `[models.price]` and its name in `Usage.units`. Tokens of
audio and images are units of their own and never part of `Usage.input` or `Usage.output`, so that
nothing is counted twice. Pure integers: a price is picousd per unit, except for audio, whose price
is picousd an hour and whose quantity is milliseconds: every price published per second, minute or
hour is a whole number of picousd an hour.
"""

import re
from collections.abc import Mapping, Sequence

from gateway.base.money import (
    PICOUSD_PER_MICROUSD,
    MoneyError,
    format_price,
    format_usd,
    parse_price,
    parse_usd,
)
from gateway.platform.metering.usage import Units

# In a catalog these are USD per million, like the prices of text tokens.
PER_MILLION = (
    "cache_write_1h",
    "audio_input",
    "audio_cache_read",
    "audio_output",
    "image_input",
    "image_cache_read",
    "image_output",
    "character",
)
AUDIO = "audio_hour"  # USD an hour; the quantity is milliseconds
SEARCH = "search"  # USD each
IMAGE = "image"  # USD each; `image_hd_1024x1024` is one of that quality and size
UNIT_FIELDS = (*PER_MILLION, AUDIO, SEARCH, IMAGE)

MS_PER_HOUR = 3_600_000
MAX_QUANTITY = 2**40
MAX_MILLIONTH_PICOUSD = 100_000 * 10**6  # 100,000 USD per million
MAX_EACH_PICOUSD = 1_000 * 10**12  # 1,000 USD each, or an hour
_VARIANT = re.compile(r"image(?:_[a-z]{1,16})?(?:_[1-9]\d{0,4}x[1-9]\d{0,4})?")
_SIZE = re.compile(r"[1-9]\d{0,4}x[1-9]\d{0,4}")
_QUALITY = re.compile(r"[a-z]{1,16}")

UnitPrices = tuple[tuple[str, int], ...]


def is_unit(name: str) -> bool:
    """Whether a catalog may price a unit of this name."""
    return name in UNIT_FIELDS or _VARIANT.fullmatch(name) is not None


def parse_units(table: Mapping[str, str]) -> UnitPrices:
    """The unit prices of a catalog's price table, ordered by name. Raises MoneyError."""
    found = []
    for name in sorted(filter(is_unit, table)):
        if name in PER_MILLION:
            found.append((name, parse_price(table[name])))
        else:
            found.append((name, parse_usd(table[name]) * PICOUSD_PER_MICROUSD))
    return tuple(found)


def render_units(prices: UnitPrices) -> dict[str, str]:
    """The inverse of `parse_units`."""
    return {
        name: format_price(price)
        if name in PER_MILLION
        else format_usd(price // PICOUSD_PER_MICROUSD)
        for name, price in prices
    }


def check_units(prices: UnitPrices) -> None:
    """Raises MoneyError for an unknown unit, or a price that is no sensible whole number."""
    for name, price in prices:
        if not is_unit(name):
            raise MoneyError(f"price {name} is not known")
        if type(price) is not int or price < 0:
            raise MoneyError(f"price {name} must be a whole number of picousd, at least 0")
        limit, words = MAX_EACH_PICOUSD, "1000 USD"
        if name in PER_MILLION:
            limit, words = MAX_MILLIONTH_PICOUSD, "100000 USD per million"
        if price > limit:
            raise MoneyError(f"price {name} is above {words}; is the decimal point right?")


def rate_units(units: Units, prices: UnitPrices) -> int:
    """The cost in picousd; audio is rounded up to a whole picodollar (10^-12 USD).

    Raises MoneyError for a quantity out of bounds and for a unit that has no price: it is never
    free.
    """
    known = dict(prices)
    cost = 0
    for name, quantity in units:
        if not 0 <= quantity <= MAX_QUANTITY:
            raise MoneyError("a quantity is negative or absurd")
        price = known.get(name)
        if price is None:
            raise MoneyError(f"{name} has no price")
        cost += -(-quantity * price // MS_PER_HOUR) if name == AUDIO else quantity * price
    return cost


def image_unit(prices: UnitPrices, quality: str, size: str) -> str | None:
    """The unit that an image of this quality and size is priced as; None when none fits.

    The most exact price wins: quality and size, then size, then quality, then any image. A quality
    or size that is unknown (empty, `auto`) is priced as the dearest it could be.
    """
    known = dict(prices)
    quality = quality if _QUALITY.fullmatch(quality) and quality != "auto" else ""
    size = size if _SIZE.fullmatch(size) else ""
    if quality and size:
        for name in (f"image_{quality}_{size}", f"image_{size}", f"image_{quality}", IMAGE):
            if name in known and name not in PER_MILLION:
                return name
        return None
    fitting = [name for name in image_units(prices) if _may_be(name, quality, size)]
    return max(fitting, key=lambda name: (known[name], name), default=None)


def image_units(prices: UnitPrices) -> Sequence[str]:
    """The units of these prices that count whole images."""
    return [name for name, _ in prices if name not in PER_MILLION and _VARIANT.fullmatch(name)]


def _may_be(name: str, quality: str, size: str) -> bool:
    """Whether a unit can be that of an image of which only so much is known."""
    parts = name.split("_")[1:]
    sizes = [part for part in parts if _SIZE.fullmatch(part)]
    qualities = [part for part in parts if part not in sizes]
    return (not size or sizes in ([], [size])) and (not quality or qualities in ([], [quality]))
