"""The circuit breaker, the retry budget and the latency average of one target."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.routing.health import (
    CLOSED,
    HALF_OPEN,
    LONGEST_OPEN_S,
    OPEN,
    RETRY_BURST,
    BreakerLimits,
    TargetHealth,
)


def fresh(**limits):
    return TargetHealth("p", "m", BreakerLimits(**limits), lambda: 0.5)


def failing(health, now_s=0.0, times=5):
    for _ in range(times):
        health.failed(now_s)


def test_failures_in_a_row_open_it_and_a_probe_closes_it():
    health = fresh()
    failing(health, times=4)
    assert health.state == CLOSED and health.troubled and health.allows(0.0)
    health.failed(0.0)
    assert health.state == OPEN and not health.allows(4.9)
    assert health.allows(5.0)
    health.started(5.0)
    assert health.state == HALF_OPEN and not health.allows(5.1)  # one probe at a time
    health.succeeded(5.2)
    assert health.state == CLOSED and not health.troubled


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_a_bound():
    health = fresh()
    failing(health)
    now_s, lengths = 0.0, []
    for _ in range(7):
        now_s = health.open_until_s
        health.started(now_s)
        health.failed(now_s)
        lengths.append(round(health.open_until_s - now_s, 3))
    assert lengths == [10, 20, 40, 60, 60, 60, 60] and lengths[-1] == LONGEST_OPEN_S


def test_a_probe_without_a_verdict_makes_room_for_the_next():
    health = fresh()
    failing(health)
    health.started(5.0)
    health.abandoned(6.0)
    assert health.allows(6.0)
    health.started(6.0)
    assert not health.allows(60.0) and health.allows(67.0)  # a probe that is never heard of again


def test_a_success_between_them_keeps_failures_from_counting_in_a_row():
    health = fresh()
    for _ in range(3):
        failing(health, times=4)
        for _ in range(10):
            health.succeeded(1.0)
    assert health.state == CLOSED


def test_a_large_part_of_failures_opens_it():
    health = fresh()
    for number in range(20):
        health.failed(0.1 * number)
        if health.state == OPEN:
            break
        health.succeeded(0.1 * number)
    assert health.state == OPEN and health.failures == 10


def test_few_failures_are_forgotten_after_the_window():
    health = fresh()
    failing(health, times=4)
    health.succeeded(11.0)
    assert not health.troubled
    failing(health, 11.0, times=4)
    assert health.state == CLOSED


def test_a_provider_may_ask_for_longer_quiet():
    health = fresh()
    for _ in range(5):
        health.failed(0.0, retry_after_s=30)
    assert health.open_until_s == 30
    health.failed(1.0, retry_after_s=10_000)
    assert health.open_until_s == 121  # bounded


@given(st.lists(st.tuples(st.sampled_from("fsax"), st.floats(0, 20)), max_size=80), st.integers())
def test_whatever_happens_it_recovers_with_the_first_probe_that_succeeds(events, seed):
    health = TargetHealth("p", "m", BreakerLimits(), random.Random(seed).random)
    now_s = 0.0
    for what, later_s in events:
        now_s += later_s
        if what == "f":
            health.failed(now_s)
        elif what == "s":
            if health.troubled:
                health.succeeded(now_s)
        elif what == "a":
            health.abandoned(now_s)
        else:
            health.started(now_s)
        assert health.state == CLOSED or health.troubled
        assert health.open_until_s <= now_s + LONGEST_OPEN_S * 1.2
    now_s += LONGEST_OPEN_S * 1.2 + 1
    assert health.allows(now_s)
    health.started(now_s)
    if health.troubled:
        health.succeeded(now_s)
    assert health.state == CLOSED and health.allows(now_s)


def test_retries_in_vain_are_a_twentieth_of_requests_after_the_burst():
    health = fresh()
    granted = 0
    for _ in range(10_000):
        health.requests += 1
        granted += health.spend_retry()
    assert 500 <= granted <= 500 + RETRY_BURST


def test_a_retry_that_helps_costs_nothing_and_debts_are_paid_back():
    health = fresh()
    assert all(health.may_retry() for _ in range(1_000))
    for _ in range(60):  # they ran at once, and none helped
        health.charge_retry()
    assert not health.may_retry()
    health.requests += 1_000
    assert not health.may_retry()
    health.requests += 30
    assert health.may_retry()


def test_a_peak_counts_at_once_and_fades():
    health = fresh()
    health.observe(0.1, 0.0)
    health.observe(2.0, 1.0)
    assert health.latency_s == 2.0
    health.observe(0.1, 2.0)
    assert 1.7 < health.latency_s < 2.0
    health.observe(0.1, 60.0)
    assert health.latency_s == pytest.approx(0.1, abs=0.01)
    health.in_flight = 3
    assert health.cost_s(60.0) == pytest.approx(0.4, abs=0.04)
    assert health.cost_s(600.0) < 0.001
    failing(health, 60.0)
    assert health.cost_s(60.0) == 0.0


def test_a_percentile_needs_samples():
    health = fresh()
    for number in range(19):
        health.observe(number, 0.0)
    assert health.late_after_s() is None
    for number in range(100):
        health.observe(number, 0.0)
    assert health.late_after_s() == 96.0  # of the latest 64, 36 to 99
