"""Usage, price, rounding and wallet with the numbers that break them: nothing is ever negative.

A gateway elsewhere charged negative sums where a product overflowed. Here each case takes counts
and prices near the edges, rates them, carries the remainder and settles a hold; what comes out is
held against integers that cannot overflow, or is refused. MONEY_CASES asks for more (10000000).
"""

import os
import random

import pytest

from gateway.base.money import MAX_MICROUSD, MAX_PICOUSD, PICOUSD_PER_MICROUSD, MoneyError
from gateway.platform.ledger.holds import Bank
from gateway.platform.metering.usage import MAX_TOKENS, Usage
from gateway.platform.pricing.prices import Price
from gateway.platform.pricing.rating import rate
from tests.platform.pricing.sums import exact_text

CASES = int(os.environ.get("MONEY_CASES", "30000"))
EDGES = [0, 1, 2, 999_999, 10**6, 2**31 - 1, 2**31, 2**32, 2**53 - 1, 2**63 - 1, 2**63, 10**30]
COUNTS = [*(each for each in EDGES if each <= MAX_TOKENS), *EDGES, -1, -(2**31), -(2**63)]
MAX_PRICE = 100_000 * 10**6
PRICES = [0, 1, 150_000, 10**6, 75 * 10**6, MAX_PRICE]
ONE_WALLET = 1_000  # cases in a row


def number(rng: random.Random, edges: list[int], top: int) -> int:
    return rng.choice(edges) if rng.random() < 0.5 else rng.randrange(top)


def some_prices(rng: random.Random, many: int) -> list[Price]:
    """Prices, made beforehand: they are checked as they are made, once for many requests."""
    made = []
    for _ in range(many):
        each = [number(rng, PRICES, MAX_PRICE) for _ in range(4)]
        reasoning = rng.choice([None, number(rng, PRICES, MAX_PRICE)])
        request = number(rng, PRICES, 1_000 * 10**12)
        units = (("audio_hour", rng.randrange(10**15)), ("search", rng.randrange(10**15)))
        made.append(Price(1, *each, reasoning, request, units))
    return made


def exact_cost(usage: Usage, price: Price) -> int:
    """What a usage costs, written out once more; an audio hour is rounded up."""
    units, quantity = dict(price.units), dict(usage.units)
    return (
        exact_text(usage, price)
        + -(-quantity.get("audio_hour", 0) * units["audio_hour"] // 3_600_000)
        + quantity.get("search", 0) * units["search"]
    )


def a_usage(rng: random.Random) -> Usage:
    counts = [number(rng, COUNTS, 10**6) for _ in range(4)]
    reasoning = 0 if rng.random() < 0.7 else number(rng, COUNTS, 10**6)
    units: tuple[tuple[str, int], ...] = ()
    if rng.random() < 0.3:
        units = (("audio_hour", number(rng, EDGES[:7], 10**7)), ("search", rng.randrange(50)))
    return Usage(*counts, reasoning, units)


@pytest.mark.timeout(max(120, CASES // 1000))
def test_no_case_gives_a_negative_or_overflowing_sum() -> None:
    rng, rated = random.Random(CASES), 0
    prices = some_prices(rng, 2_000)
    for case in range(CASES):
        if not case % ONE_WALLET:
            bank = Bank()
            credit = number(rng, [1, 10**6, MAX_MICROUSD], 10**9) or 1
            bank.credit(7, 1, "purchased", credit)
            exact = charged = 0
        usage, price = a_usage(rng), rng.choice(prices)
        right = exact_cost(usage, price)
        sound = min(usage[:5]) >= 0 and usage.reasoning <= usage.output and right <= MAX_PICOUSD
        try:
            cost = rate(usage, price)
        except MoneyError:
            assert not sound, (usage, price)
            continue
        assert sound and cost == right >= 0, (usage, price)
        rated += 1
        before, want = bank.balance(7), rng.randrange(10**6)
        charge = bank.hold(7, 0, want).settle(cost)
        wallet = bank.wallets[7]
        exact += cost
        charged += charge.posted_microusd + charge.overrun_microusd
        assert charge.posted_microusd >= 0 <= charge.overrun_microusd
        assert 0 <= bank.balance(7) == before - charge.posted_microusd
        assert wallet.held_microusd == 0 <= wallet.remainder_picousd < PICOUSD_PER_MICROUSD
        assert charged * PICOUSD_PER_MICROUSD + wallet.remainder_picousd == exact
    assert rated > CASES // 20
