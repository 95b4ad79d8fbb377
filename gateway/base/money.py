"""Integer money: micro-dollars in the ledger, picodollars per token in prices, one rounding rule.

1 USD = 1,000,000 micro-dollars (microusd) = 10^12 picodollars (picousd). A price of 1 USD per
million tokens is 1,000,000 picousd per token. No float may appear here (a test reads this file).
Money invariants raise `MoneyError`; they are never asserts, because asserts can be switched off.
"""

import re

MICROUSD_PER_USD = 1_000_000
PICOUSD_PER_MICROUSD = 1_000_000
MAX_MICROUSD = 2**53 - 1  # every amount also survives a reader that only has IEEE doubles
MAX_PICOUSD = MAX_MICROUSD * PICOUSD_PER_MICROUSD

_DECIMAL = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,6}))?")


class MoneyError(ValueError):
    """An amount is malformed or out of bounds; nothing was moved."""


def checked(amount_microusd: int) -> int:
    """Return the amount unchanged, or raise MoneyError when |amount| >= 2^53 or not an int."""
    if type(amount_microusd) is not int or not -MAX_MICROUSD <= amount_microusd <= MAX_MICROUSD:
        raise MoneyError("amount is not an integer within 2^53 micro-dollars")
    return amount_microusd


def parse_usd(text: str) -> int:
    """Decimal dollars ("12.5", at most six decimals) to micro-dollars. Raises MoneyError."""
    match = _DECIMAL.fullmatch(text.strip().removeprefix("$"))
    if match is None:
        raise MoneyError(f"not an amount in USD with at most six decimals: {text[:32]!r}")
    sign, whole, fraction = match.groups()
    amount = int(whole) * MICROUSD_PER_USD + int((fraction or "").ljust(6, "0"))
    return checked(-amount if sign else amount)


def format_usd(amount_microusd: int) -> str:
    """Micro-dollars as exact decimal dollars: at least two decimals, never rounded."""
    sign = "-" if amount_microusd < 0 else ""
    whole, fraction = divmod(abs(amount_microusd), MICROUSD_PER_USD)
    decimals = f"{fraction:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"


def parse_price(text: str) -> int:
    """USD per million units (decimal string, at most six decimals) to picousd per unit.

    One USD per million is 10^6 picousd per unit, so the digits are those of `parse_usd`.
    Raises MoneyError, also for a negative price.
    """
    price = parse_usd(text)
    if price < 0:
        raise MoneyError("a price cannot be negative")
    return price


def format_price(price_picousd: int) -> str:
    """The inverse of `parse_price`, without trailing zeros: 150000 -> "0.15"."""
    whole, fraction = divmod(price_picousd, MICROUSD_PER_USD)
    decimals = f"{fraction:06d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def carry(cost_picousd: int, remainder_picousd: int) -> tuple[int, int]:
    """The one rounding rule: (whole microusd to post, remainder carried to the next charge).

    The customer carries the sub-micro remainder, so n charges differ from the exact sum by less
    than one micro-dollar for every n. Raises MoneyError on a negative or absurd input.
    """
    if cost_picousd < 0 or not 0 <= remainder_picousd < PICOUSD_PER_MICROUSD:
        raise MoneyError("a cost cannot be negative and a remainder is below one micro-dollar")
    if cost_picousd > MAX_PICOUSD:
        raise MoneyError("cost exceeds 2^53 micro-dollars")
    return divmod(cost_picousd + remainder_picousd, PICOUSD_PER_MICROUSD)


def ceil_microusd(cost_picousd: int) -> int:
    """The smallest whole micro-dollar amount that covers a cost; for holds, never for charges."""
    return -(-cost_picousd // PICOUSD_PER_MICROUSD)
