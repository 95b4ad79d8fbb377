"""Prices over time: what rises is announced, the last decision counts, and nothing is rewritten."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.platform.catalog import Catalog
from gateway.platform.catalog.schedule import DAY_US, NOTICE_DAYS, pending, rises
from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.prices import Price, parse
from gateway.platform.pricing.rating import rate
from gateway.platform.refusals import Refusal

MODEL = """
[[models]]
name = "m"
context_tokens = 1000
max_output_tokens = 100
encoding = "o200k_base"
[[models.targets]]
provider = "sandbox"
model = "lorem"
"""
PROVIDER = '[[providers]]\nname = "sandbox"\nkind = "sandbox"\n'

small = st.integers(0, 5)
prices = st.builds(
    Price,
    st.just(0),
    *(small, small, small, small),
    st.none() | small,
    small,
    st.dictionaries(st.sampled_from(["search", "character"]), small).map(
        lambda units: tuple(sorted(units.items()))
    ),
)


@given(prices, prices, st.tuples(*[st.integers(0, 9)] * 4), st.integers(0, 9), st.data())
def test_what_does_not_rise_makes_no_usage_dearer(
    old: Price, new: Price, tokens: tuple[int, ...], reasoning: int, data: Any
) -> None:
    assume(not rises(old, new))
    fresh, read, written, output = tokens
    units = tuple((name, data.draw(st.integers(0, 9))) for name, _ in old.units)
    usage = Usage(fresh, read, written, output, min(reasoning, output), units)
    assert rate(usage, new) <= rate(usage, old)


@given(prices)
def test_a_price_does_not_rise_over_itself(price: Price) -> None:
    assert not rises(price, price)


def test_a_unit_priced_apart_is_a_rise() -> None:
    plain = parse({"input": "1", "output": "2"})
    assert rises(plain, parse({"input": "1", "output": "2", "cache_write_1h": "9"}))
    assert rises(parse({"image": "1"}), parse({"image": "1", "image_hd": "5"}))
    assert rises(parse({"image": "5", "image_hd": "1"}), parse({"image": "5"}))


@pytest.fixture
async def catalog(rooms: Any) -> AsyncIterator[Catalog]:
    made = Catalog(rooms.database, rooms.secrets, rooms.clock, environ={})
    await made.apply(PROVIDER + MODEL, "test")
    yield made


def usd(amount: str) -> Price:
    return parse({"input": amount, "output": amount})


def now(catalog: Catalog) -> int | None:
    price = catalog.snapshot.models["m"].price
    return None if price is None else price.input // 1_000_000


async def test_a_first_price_begins_at_once(catalog: Catalog) -> None:
    assert now(catalog) is None
    await catalog.schedule_price("m", usd("5"), None)
    assert now(catalog) == 5


async def test_a_rise_waits_and_begins_by_itself(catalog: Catalog, rooms: Any) -> None:
    await catalog.schedule_price("m", usd("5"), None)
    start_us = rooms.clock.now_us()
    for early_us in (None, start_us, start_us + NOTICE_DAYS * DAY_US - 1):
        with pytest.raises(Refusal, match="announced 7 days ahead"):
            await catalog.schedule_price("m", usd("6"), early_us)
    await catalog.schedule_price("m", usd("6"), start_us + NOTICE_DAYS * DAY_US)
    rooms.clock.advance(NOTICE_DAYS * 86_400 - 1)
    assert not await catalog.refresh_due() and now(catalog) == 5
    rooms.clock.advance(1)
    assert await catalog.refresh_due() and now(catalog) == 6


async def test_a_rise_over_a_scheduled_fall_is_a_rise(catalog: Catalog, rooms: Any) -> None:
    await catalog.schedule_price("m", usd("5"), None)
    start_us = rooms.clock.now_us()
    await catalog.schedule_price("m", usd("3"), start_us + 2 * DAY_US)
    with pytest.raises(Refusal, match="announced"):
        await catalog.schedule_price("m", usd("4"), start_us + 3 * DAY_US)
    await catalog.schedule_price("m", usd("4"), start_us + 8 * DAY_US)
    waiting = pending(await catalog.price_versions("m"), rooms.clock.now_us())
    assert [each.price.input // 1_000_000 for each in waiting if each.price] == [3, 4]
    for days, price in ((2, 3), (6, 4)):
        rooms.clock.advance(days * 86_400)
        assert await catalog.refresh_due() and now(catalog) == price


async def test_what_is_taken_back_never_begins(catalog: Catalog, rooms: Any) -> None:
    await catalog.schedule_price("m", usd("5"), None)
    with pytest.raises(Refusal, match="no price is scheduled"):
        await catalog.keep_price("m")
    await catalog.schedule_price("m", usd("9"), rooms.clock.now_us() + 8 * DAY_US)
    await catalog.keep_price("m")
    assert pending(await catalog.price_versions("m"), rooms.clock.now_us()) == []
    rooms.clock.advance(30 * 86_400)
    await catalog.load()
    assert now(catalog) == 5
    versions = await catalog.price_versions("m")
    assert [each.no for each in versions] == [3, 2, 1]  # all of them are still there
