"""What providers are known to charge: proposals to compare one's own prices with, never a bill.

The source is the package genai-prices (MIT, its data is part of the package); its updater over the
network stays off. Its prices are looked up at a time, because some differ by the hour; of prices in
tiers the first counts, and `tiered` says that there are more. Decimals become whole picodollars,
rounded up.
"""

import functools
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any, NamedTuple

PICOUSD_PER_USD_A_MILLION = 1_000_000
_FIELDS = {
    "input": "input_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "output": "output_mtok",
}


class Reference(NamedTuple):
    """Known prices of a provider's model, in picousd per token; None where none is known."""

    input: int | None
    cache_read: int | None
    cache_write: int | None
    output: int | None
    tiered: bool


def reference_of(base_url: str, model: str, at_us: int) -> Reference | None:
    """The prices of a provider, known by its address, for one of its models; None if unknown."""
    snapshot = _snapshot()
    try:
        _, found = snapshot.find_provider_model(model, None, None, base_url)
    except LookupError:
        return None
    prices: Any = found.get_prices(datetime.fromtimestamp(at_us // 1_000_000, UTC))
    amounts: dict[str, int | None] = {}
    tiered = False
    for name, theirs in _FIELDS.items():
        value = getattr(prices, theirs, None)
        if value is not None and not isinstance(value, Decimal | int):
            tiered, value = True, value.base
        amounts[name] = None if value is None else _picousd(Decimal(value))
    return Reference(tiered=tiered, **amounts)


def source_version() -> str:
    """Which data the comparison is with."""
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"


@functools.cache
def _snapshot() -> Any:
    from genai_prices import data_snapshot  # 120 ms to import, for the few who compare

    return data_snapshot.get_snapshot()


def _picousd(usd_a_million: Decimal) -> int:
    scaled = usd_a_million * PICOUSD_PER_USD_A_MILLION
    return int(scaled.to_integral_value(ROUND_CEILING))
