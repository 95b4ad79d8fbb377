"""The price of a model: integers in picousd, one immutable version at a time.

One USD per million tokens is 10^6 picousd per token. A version never changes: another price is
another version with its own number, and each charge names the version that made it. Reading the
decimal strings of a catalog file and writing them back is exact. No float may appear here, and
this file does not know where versions are stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.base.money import (
    PICOUSD_PER_MICROUSD,
    MoneyError,
    format_price,
    format_usd,
    parse_price,
    parse_usd,
)
from gateway.platform.pricing.units import (
    UNIT_FIELDS,
    UnitPrices,
    check_units,
    is_unit,
    parse_units,
    render_units,
)

# Above this no real price lies; a slip of the decimal point is refused instead of billed.
MAX_TOKEN_PICOUSD = 100_000 * 10**6  # 100,000 USD per million tokens
MAX_REQUEST_PICOUSD = 1_000 * 10**12  # 1,000 USD per request
TOKEN_FIELDS = ("input", "cache_read", "cache_write", "output", "reasoning")
FIELDS = (*TOKEN_FIELDS, "request", *UNIT_FIELDS)


@dataclass(frozen=True, slots=True)
class Price:
    """One version of a price. Token prices in picousd per token, `request` in picousd each.

    `reasoning` None means: reasoning tokens cost what output tokens cost. `version` is 0 for a
    price that is not stored yet. `units` are the prices of everything that is not a text token.
    `tokens` False: text tokens have no price here, so what is metered by them is refused.
    """

    version: int
    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int | None = None
    request: int = 0
    units: UnitPrices = ()
    tokens: bool = True

    def __post_init__(self) -> None:
        check_units(self.units)
        for field in TOKEN_FIELDS:
            _bounded(field, getattr(self, field), MAX_TOKEN_PICOUSD, "100000 USD per million")
        _bounded("request", self.request, MAX_REQUEST_PICOUSD, "1000 USD per request")

    def same_as(self, other: "Price | None") -> bool:
        """Whether both charge the same for every usage; the version is not compared."""
        return other is not None and self._amounts() == other._amounts()

    def _amounts(self) -> tuple[object, ...]:
        # A reasoning price equal to output's is no different from none at all.
        reasoning = None if self.reasoning == self.output else self.reasoning
        return (
            self.input,
            self.cache_read,
            self.cache_write,
            self.output,
            reasoning,
            self.request,
            self.units,
            self.tokens,
        )


def _bounded(field: str, amount: int | None, limit: int, words: str) -> None:
    if amount is None and field == "reasoning":
        return
    if type(amount) is not int or amount < 0:
        raise MoneyError(f"price {field} must be a whole number of picousd, at least 0")
    if amount > limit:
        raise MoneyError(f"price {field} is above {words}; is the decimal point right?")


def parse(table: Mapping[str, str], version: int = 0) -> Price:
    """A catalog file's `price` table: decimal strings, tokens in USD per million, request in USD.

    Unset `cache_read` and `cache_write` cost what `input` costs, an unset `output` is free only
    where it is "0" in writing: it must be given, and so must `input`, unless the table has prices
    of other units and none of text tokens. Raises MoneyError.
    """
    units = parse_units(table)
    tokens = not units or any(field in table for field in TOKEN_FIELDS)
    if not tokens:
        request = parse_usd(table.get("request", "0")) * PICOUSD_PER_MICROUSD
        return Price(version, 0, 0, 0, 0, None, request, units, tokens=False)
    for field in ("input", "output"):
        if field not in table:
            raise MoneyError(f'price {field} is missing; write {field} = "0" if it is free')
    amounts = {field: parse_price(table[field]) for field in TOKEN_FIELDS if field in table}
    request = parse_usd(table.get("request", "0")) * PICOUSD_PER_MICROUSD
    return Price(
        version=version,
        input=amounts["input"],
        cache_read=amounts.get("cache_read", amounts["input"]),
        cache_write=amounts.get("cache_write", amounts["input"]),
        output=amounts["output"],
        reasoning=amounts.get("reasoning"),
        request=request,
        units=units,
    )


def known_fields(table: Mapping[str, object]) -> tuple[str, ...]:
    """The keys a price table may have; images of a quality and size have names of their own."""
    return (*FIELDS, *(name for name in table if is_unit(name)))


def shown(amount: int | None) -> str | None:
    """A price of tokens in USD per million, as a catalog writes it."""
    return None if amount is None else format_price(amount)


def render(price: Price) -> dict[str, str]:
    """The inverse of `parse`, shortest form: fields equal to their default are left out."""
    table: dict[str, str] = {}
    if price.tokens:
        table |= _render_tokens(price)
    if price.request:
        table["request"] = format_usd(price.request // PICOUSD_PER_MICROUSD)
    return table | render_units(price.units)


def _render_tokens(price: Price) -> dict[str, str]:
    table = {"input": format_price(price.input)}
    if price.cache_read != price.input:
        table["cache_read"] = format_price(price.cache_read)
    if price.cache_write != price.input:
        table["cache_write"] = format_price(price.cache_write)
    table["output"] = format_price(price.output)
    if price.reasoning is not None and price.reasoning != price.output:
        table["reasoning"] = format_price(price.reasoning)
    return table
