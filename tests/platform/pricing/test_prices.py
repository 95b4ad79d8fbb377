import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.money import MAX_PICOUSD, MoneyError
from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.prices import MAX_TOKEN_PICOUSD, Price, parse, render
from gateway.platform.pricing.rating import rate
from gateway.platform.pricing.units import PER_MILLION
from tests.platform.pricing.sums import exact_text

amounts = st.integers(0, MAX_TOKEN_PICOUSD)
microusd = st.integers(0, 10**9).map(lambda amount: amount * 10**6)
unit_prices = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(PER_MILLION, amounts),
        **dict.fromkeys(("audio_hour", "search", "image", "image_hd_1024x1024"), microusd),
    },
).map(lambda table: tuple(sorted(table.items())))
price_values = st.builds(
    Price,
    version=st.just(0),
    input=amounts,
    cache_read=amounts,
    cache_write=amounts,
    output=amounts,
    reasoning=st.none() | amounts,
    request=st.integers(0, 10**9).map(lambda microusd: microusd * 10**6),
    units=unit_prices,
)
counts = st.integers(0, 2**31 - 1)


@st.composite
def usages(draw):
    output = draw(counts)
    return Usage(draw(counts), draw(counts), draw(counts), output, draw(st.integers(0, output)))


def test_decimal_strings_become_picousd_per_token():
    price = parse({"input": "0.15", "cache_read": "0.075", "output": "0.60"}, version=7)
    assert price == Price(7, 150_000, 75_000, 150_000, 600_000, None, 0)


def test_unset_cache_prices_are_the_input_price():
    price = parse({"input": "3", "output": "15"})
    assert (price.cache_read, price.cache_write) == (3_000_000, 3_000_000)


def test_a_request_fee_is_dollars_for_each_request():
    price = parse({"input": "0", "output": "0", "request": "0.005"})
    assert rate(Usage(), price) == 5_000 * 10**6


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"output": "1"}, "input is missing"),
        ({"input": "1"}, "output is missing"),
        ({"input": "-1", "output": "1"}, "negative"),
        ({"input": "1e3", "output": "1"}, "not an amount"),
        ({"input": "0.0000001", "output": "1"}, "not an amount"),
        ({"input": "100001", "output": "1"}, "decimal point"),
        ({"input": "1", "output": "1", "request": "1001"}, "decimal point"),
        ({"input": "1", "output": "1", "request": "-1"}, "at least 0"),
    ],
)
def test_wrong_prices_are_refused(table, words):
    with pytest.raises(MoneyError, match=words):
        parse(table)


def test_a_float_is_no_price():
    with pytest.raises(MoneyError):
        Price(0, 1.0, 1, 1, 1)


@given(price_values)
def test_writing_and_reading_a_price_is_exact(price):
    assert parse(render(price)).same_as(price)


@given(price_values, usages())
def test_a_cost_is_the_exact_sum_of_its_parts(price, usage):
    exact = exact_text(usage, price)
    if exact > MAX_PICOUSD:
        with pytest.raises(MoneyError):
            rate(usage, price)
    else:
        assert rate(usage, price) == exact


@given(price_values, usages(), st.integers(0, 3), st.integers(1, 1000))
def test_more_tokens_never_cost_less(price, usage, field, more):
    bigger = usage._replace(**{Usage._fields[field]: usage[field] + more})
    try:
        dearer = rate(bigger, price)
    except MoneyError:
        return
    assert dearer >= rate(usage, price)


@pytest.mark.parametrize(
    "usage", [Usage(-1), Usage(0, -1), Usage(0, 0, -1), Usage(0, 0, 0, -1), Usage(0, 0, 0, 1, 2)]
)
def test_an_impossible_usage_is_refused(usage):
    with pytest.raises(MoneyError):
        rate(usage, Price(1, 1, 1, 1, 1))


def test_a_million_tokens_cost_the_printed_price():
    assert rate(Usage(input=10**6), parse({"input": "0.15", "output": "0.6"})) == 150_000 * 10**6
