from hypothesis import given
from hypothesis import strategies as st

from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.arithmetic import lines_of
from gateway.platform.pricing.prices import Price
from gateway.platform.pricing.rating import rate

COUNTS = st.integers(0, 10**7)
PRICES = st.integers(0, 10**8)


@given(
    st.tuples(COUNTS, COUNTS, COUNTS, COUNTS),
    st.integers(0, 100),
    st.tuples(PRICES, PRICES, PRICES, PRICES),
    st.none() | PRICES,
    PRICES,
    st.integers(0, 10**6),
)
def test_the_lines_add_up_to_the_charge(counts, share, each, reasoning, request, audio_ms):
    price = Price(1, *each, reasoning, request, (("audio_hour", 7), ("search", 10**10)))
    units = (("audio_hour", audio_ms), ("search", share))
    usage = Usage(*counts, counts[3] * share // 100, units)
    lines = lines_of(usage, price)
    assert sum(line.cost_picousd for line in lines) == rate(usage, price)
    for line in lines:
        if line.what != "audio_hour":
            assert line.quantity * line.price_picousd == line.cost_picousd


def test_reasoning_stands_apart_only_where_it_has_a_price():
    usage = Usage(output=10, reasoning=4)
    plain = lines_of(usage, Price(1, 1, 1, 1, 2))
    assert [(line.what, line.quantity) for line in plain] == [("output", 10)]
    own = lines_of(usage, Price(1, 1, 1, 1, 2, 5))
    assert [(line.what, line.quantity) for line in own] == [("output", 6), ("reasoning", 4)]
