"""Policies: every order is a permutation, and says what its policy promises."""

import json
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.routing import policy
from gateway.proxy.routing.sticky import WINDOW_BYTES, session_key

seeds = st.integers(0, 2**32).map(lambda seed: random.Random(seed).random)


@given(st.lists(st.integers(0, 100), max_size=8), seeds)
def test_weighted_is_a_permutation_with_standbys_last(weights, draw):
    order = policy.weighted(weights, draw)
    assert sorted(order) == list(range(len(weights)))
    standby = [place for place in order if weights[place] == 0]
    assert order[len(order) - len(standby) :] == standby == sorted(standby)


def test_weighted_draws_by_weight():
    draw = random.Random(1).random
    first = Counter(policy.weighted([3, 1, 0], draw)[0] for _ in range(4000))
    assert 2850 < first[0] < 3150 and first[2] == 0


@given(st.lists(st.floats(0, 100), max_size=8), seeds)
def test_latency_is_a_permutation_and_never_prefers_the_worst(costs, draw):
    order = policy.latency(costs, draw)
    assert sorted(order) == list(range(len(costs)))
    if len(costs) > 1:
        assert costs[order[0]] <= max(costs)
        assert [costs[p] for p in order[1:]] == sorted(costs[p] for p in order[1:])


def test_latency_avoids_the_slow_one_of_two():
    draw = random.Random(2).random
    assert {policy.latency([1.0, 9.0], draw)[0] for _ in range(100)} == {0}


@given(st.lists(st.integers(0, 5), max_size=8))
def test_cheapest_keeps_the_order_of_equals(costs):
    order = policy.cheapest(costs)
    assert order == sorted(range(len(costs)), key=lambda place: (costs[place], place))


def test_sticky_moves_only_the_keys_of_a_target_that_leaves():
    names = ["a:m", "b:m", "c:m"]
    keys = [str(number).encode() for number in range(600)]
    before = {key: policy.sticky(key, names) for key in keys}
    share = Counter(order[0] for order in before.values())
    assert all(130 < share[place] < 270 for place in range(3))
    for key, order in before.items():
        assert policy.sticky(key, names[:2])[0] == next(place for place in order if place < 2)


def body(*messages, **more):
    return json.dumps({"model": "m", **more, "messages": list(messages)}).encode()


SYSTEM = {"role": "system", "content": "be brief"}
USER = {"role": "user", "content": 'hi "messages": ['}
LATER = [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "more"}]


def test_a_conversation_keeps_its_key_while_it_grows():
    first = session_key("a", b"", body(SYSTEM, USER))
    assert session_key("a", b"", body(SYSTEM, USER, *LATER, temperature=1)) == first
    assert session_key("b", b"", body(SYSTEM, USER)) != first
    assert session_key("a", b"", body(SYSTEM, LATER[1])) != first
    assert session_key("a", b"", body({**SYSTEM, "content": "x"}, USER)) != first


def test_other_dialects_have_beginnings_too():
    def key(value):
        return session_key("a", b"", json.dumps(value).encode())

    anthropic = {"system": "s", "messages": [USER]}
    assert key(anthropic) == key({**anthropic, "messages": [USER, *LATER]})
    assert key(anthropic) != key({**anthropic, "system": "t"})
    assert key({"input": "one"}) != key({"input": "two"})
    gemini = {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}
    assert key(gemini) == key({"contents": [*gemini["contents"], {"role": "model"}]})
    assert key({"prompt": "a", "max_tokens": 1}) == key({"prompt": "a", "max_tokens": 2})


def test_a_session_is_known_by_its_name_where_it_has_one():
    named = session_key("a", b"", body(USER, prompt_cache_key="s1"))
    assert session_key("a", b"", body(SYSTEM, prompt_cache_key="s1")) == named
    assert session_key("a", b"s1", body(USER)) == session_key("a", b"s1", body(SYSTEM))
    assert session_key("a", b"s1", body(USER)) != session_key("b", b"s1", body(USER))


@given(st.binary(max_size=200))
def test_any_bytes_have_a_key(data):
    assert len(session_key("a", b"", b'{"messages": [' + data)) == 16


def test_a_long_beginning_is_cut():
    long = body({"role": "user", "content": "x" * 2 * WINDOW_BYTES})
    assert session_key("a", b"", long) == session_key("a", b"", long[:-100] + b"y" * 100)
