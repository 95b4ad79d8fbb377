"""How many networks use a key: exact at the limit and at the window's edge, bounded, nameless."""

import pickle
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from gateway.platform.keys.spread import KEY_PLACES, MOST_ORIGINS, Crowd, Spread

HOUR = 3_600 * 1_000_000
DAY = 24 * HOUR
START = 1_700_000_000_000_000


def made(most=3, window_us=DAY, **more):
    return Spread(most, window_us, secret=b"s" * 32, **more)


def use(spread, networks, key_no=1, now_us=START):
    return [spread.note(key_no, bytes(name), now_us) for name in networks]


def nets(*numbers):
    return [(10, 0, number) for number in numbers]


def test_the_limit_is_no_crowd_and_one_more_is():
    spread = made()
    assert use(spread, nets(1, 2, 3, 1, 2, 3)) == [None] * 6
    assert use(spread, nets(4)) == [Crowd(4, START)]


def test_another_keys_networks_do_not_count():
    spread = made()
    use(spread, nets(1, 2, 3))
    assert use(spread, nets(4, 5, 6), key_no=2) == [None] * 3
    assert use(spread, nets(4)) == [Crowd(4, START)]


def test_what_is_a_window_old_counts_no_more():
    for after_us, found in ((DAY - 1, Crowd(4, START)), (DAY, None)):
        spread = made()
        use(spread, nets(1, 2, 3))
        assert use(spread, nets(4), now_us=START + after_us) == [found]
    spread = made()
    use(spread, nets(1, 2, 3))
    use(spread, nets(1), now_us=START + HOUR)  # seen again: 2 is the oldest now
    assert use(spread, nets(2, 3), now_us=START + DAY + 1) == [None, None]
    assert use(spread, nets(4), now_us=START + DAY + 2) == [Crowd(4, START + HOUR)]


def test_a_crowd_is_told_once_in_a_slice_of_the_window():
    spread = made()
    assert use(spread, nets(1, 2, 3, 4))[-1] is not None
    assert use(spread, nets(5, 6, 1, 2)) == [None] * 4
    [again] = use(spread, nets(7), now_us=START + HOUR)
    assert again is not None and again.networks == 4


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), max_size=80),
    st.integers(1, 5),
    st.integers(1, 30),
)
def test_it_finds_what_counting_everything_finds(steps, most, window):
    """Beside a list of every use: a crowd is told exactly when the window holds one."""
    spread = made(most, window)
    uses, now_us = deque(), START
    for network, later in steps:
        now_us += later
        uses.append((now_us, network))
        crowd = len({name for at, name in uses if now_us - at < window}) > most
        seen = spread._keys.get(1)
        if seen is not None:
            seen.told_until_us = 0
        assert (spread.note(1, bytes([network]), now_us) is not None) == crowd


def test_networks_are_few_of_each_key_and_few_in_all():
    spread = made(most_places=100)
    for number in range(10_000):
        spread.note(1, number.to_bytes(3, "big"), START + number)
    assert len(spread) == 4
    for key_no in range(2, 10_000):
        spread.note(key_no, b"abc", START)
    assert len(spread) <= 100 // (KEY_PLACES + 1)
    assert spread._places <= 100


def test_the_keys_used_longest_ago_are_forgotten_first():
    spread = made(most_places=4 * (KEY_PLACES + 1))
    for key_no in (1, 2, 3, 4):
        use(spread, nets(1), key_no)
    use(spread, nets(1), 1)
    use(spread, nets(1), 5)
    assert list(spread._keys) == [3, 4, 1, 5]


def test_one_key_may_hold_what_its_limit_says_whatever_the_room():
    spread = made(most=50, most_places=10)
    crowds = use(spread, nets(*range(51)))
    assert crowds[-1] == Crowd(51, START)


def test_an_origin_is_new_once_in_a_slice_and_they_are_bounded():
    spread = made()
    assert spread.is_new(1, b"a", START) and not spread.is_new(1, b"a", START + 1)
    assert spread.is_new(2, b"a", START) and spread.is_new(1, b"b", START)
    until_us = spread.until_us(START)
    assert START < until_us <= START + HOUR
    assert not spread.is_new(1, b"a", until_us - 1) and spread.is_new(1, b"a", until_us)
    for number in range(MOST_ORIGINS + 10):
        spread.is_new(1, number.to_bytes(4, "big"), until_us)
    assert len(spread._origins) <= MOST_ORIGINS


def test_nothing_of_a_network_is_held():
    """Not its octets, and not a digest that another process would make of it."""
    spread = made()
    networks = [b"\xc6\x33\x64", b"\x20\x01\x0d\xb8\x00\x77"]
    for network in networks:
        spread.note(7, network, START)
        spread.is_new(7, b"198.51.100.7 " + network, START)
    marks = {seen for key in spread._keys.values() for seen in key.networks} | spread._origins
    assert len(marks) == 4 and all(isinstance(mark, int) for mark in marks)
    held = pickle.dumps(sorted(marks))
    assert not any(network in held for network in (*networks, b"198.51.100"))
    other = Spread(3, DAY, secret=b"t" * 32)
    for network in networks:
        other.note(7, network, START)
    assert not marks & set(other._keys[7].networks)
    spread.note(8, networks[0], START)
    assert not set(spread._keys[8].networks) & marks  # nor the same under another key
