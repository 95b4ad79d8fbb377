"""The limiter: all limits together or none, whatever runs in parallel, restarts or changes."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.base.clock import ManualClock
from gateway.base.errors import (
    ConcurrencyLimitExceeded,
    GatewayError,
    RateLimitExceeded,
    RequestOverTokenLimit,
    TokenLimitExceeded,
)
from gateway.platform.limits.limiter import Grant, Limiter
from gateway.platform.limits.terms import Limits, Terms

ASKED = 10_000


def admit(limiter: Limiter, terms: Terms, key_no: int = 1, prompt: int = 1, out: int = 0) -> Grant:
    return limiter.admit(
        7, key_no, terms, prompt_tokens=prompt, output_tokens=out, started_us=10**15
    )


def state(limiter: Limiter) -> dict[Any, Any]:
    now_ns = limiter.now_ns()
    return {
        (scope, no): (
            parts.requests and parts.requests.debt(now_ns),
            parts.tokens and (parts.tokens.debt(now_ns), parts.tokens.reserved),
            parts.gate and parts.gate.running,
        )
        for scope, entries in limiter._entries.items()
        for no, entry in entries.items()
        for parts in [entry.parts]
    }


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        (Limits(requests_per_minute=1_000), RateLimitExceeded),
        (Limits(tokens_per_minute=3_000), TokenLimitExceeded),
        (Limits(concurrent_requests=1_000), ConcurrencyLimitExceeded),
    ],
)
def test_ten_thousand_at_once_get_the_limit_exactly(
    limits: Limits, refusal: type[GatewayError]
) -> None:
    limiter, terms = Limiter(ManualClock()), Terms(limits)
    granted = refused = 0
    for number in range(ASKED):
        try:
            admit(limiter, terms, key_no=number, prompt=3)
            granted += 1
        except refusal as error:
            refused += 1
            assert error.retry_after_s is not None
            assert error.retry_after_s >= 1
    assert (granted, refused) == (1_000, ASKED - 1_000)


def test_more_keys_buy_nothing_and_a_key_may_be_held_lower() -> None:
    limiter = Limiter(ManualClock())
    terms = Terms(Limits(requests_per_minute=10), {2: Limits(requests_per_minute=3)})
    for _ in range(3):
        admit(limiter, terms, key_no=2)
    with pytest.raises(RateLimitExceeded, match="The key is limited to 3"):
        admit(limiter, terms, key_no=2)
    for number in range(7):
        admit(limiter, terms, key_no=100 + number)
    with pytest.raises(RateLimitExceeded, match="The account is limited to 10"):
        admit(limiter, terms, key_no=200)


def test_a_reserve_beyond_a_minute_is_cut_and_a_prompt_beyond_it_is_refused() -> None:
    limiter, terms = Limiter(ManualClock()), Terms(Limits(tokens_per_minute=100))
    grant = admit(limiter, terms, prompt=40, out=4_096)
    assert grant.tokens == 100
    grant.finish(55)
    assert admit(limiter, terms, prompt=45).tokens == 45
    with pytest.raises(RequestOverTokenLimit):
        admit(limiter, terms, prompt=101)


def test_a_grant_is_resolved_once() -> None:
    limiter = Limiter(ManualClock())
    terms = Terms(Limits(concurrent_requests=1, tokens_per_minute=50))
    first = admit(limiter, terms, prompt=20)
    for _ in range(3):
        first.finish(10)
    first.cancel()
    second = admit(limiter, terms, prompt=40)
    with pytest.raises(ConcurrencyLimitExceeded):
        admit(limiter, terms)
    second.cancel()
    assert limiter.standing(7, 1, terms)[1] == (50, 40, 12 * 10**9)


few = st.one_of(st.none(), st.integers(1, 30))
some_limits = st.builds(Limits, few, few, few)


@settings(deadline=None)
@given(some_limits, some_limits, st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 40))))
def test_a_refusal_changes_nothing(account: Limits, key: Limits, asked: Any) -> None:
    clock = ManualClock()
    limiter, terms = Limiter(clock), Terms(account, {1: key})
    choose = random.Random(1)
    running: list[tuple[Grant, int]] = []
    for pause_ms, tokens in asked:
        clock.advance(pause_ms / 1000)
        limiter.standing(7, 1, terms)
        before = state(limiter)
        try:
            grant = admit(limiter, terms, prompt=min(tokens, 5), out=tokens)
        except GatewayError:
            assert state(limiter) == before
            continue
        if choose.random() < 0.2:
            grant.cancel()
            assert state(limiter) == before
        else:
            running.append((grant, tokens))
        if choose.random() < 0.5 and running:
            finished, used = running.pop(choose.randrange(len(running)))
            finished.finish(used)
    for grant, used in running:
        grant.finish(used)
    for _, _, at_once in state(limiter).values():
        assert not at_once
    clock.advance(7_200)
    limiter.tick()
    assert len(limiter) == 0


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 90), st.integers(0, 90))
def test_a_restart_forgives_nothing(taken: int, tokens: int, ran_s: int, down_s: int) -> None:
    clock = ManualClock()
    terms = Terms(Limits(requests_per_minute=200, tokens_per_minute=200))
    limiter, lasting = Limiter(clock), Limiter(clock)
    for each in (limiter, lasting):
        for _ in range(taken):
            admit(each, terms, prompt=0).finish(0)
        admit(each, terms, prompt=0).finish(tokens) if taken < 200 else None
    clock.advance(ran_s)
    saved = limiter.tick()
    clock.advance(down_s)
    restarted = Limiter(clock)
    restarted.restore((state, terms.account) for state in saved)
    for before, after in zip(
        lasting.standing(7, 1, terms), restarted.standing(7, 1, terms), strict=True
    ):
        assert before is not None
        assert after is not None
        assert 0 <= after.reset_ns - before.reset_ns <= 2_000  # saved in microseconds
        assert before.remaining - 1 <= after.remaining <= before.remaining


def test_only_what_changed_is_saved() -> None:
    clock = ManualClock()
    limiter, terms = Limiter(clock), Terms(Limits(requests_per_minute=60))
    admit(limiter, terms).finish(0)
    assert [saved.kind for saved in limiter.tick()] == ["requests"]
    assert limiter.tick() == []
    admit(limiter, terms).finish(0)
    assert len(limiter.tick()) == 1
    clock.advance(2)
    assert limiter.tick() == []
    assert len(limiter) == 0


def test_other_limits_bind_from_the_next_request_and_running_ones_end_well() -> None:
    limiter = Limiter(ManualClock())
    grant = admit(limiter, Terms(Limits(concurrent_requests=2, tokens_per_minute=100)), prompt=9)
    lower = Terms(Limits(concurrent_requests=1))
    with pytest.raises(ConcurrencyLimitExceeded):
        admit(limiter, lower)
    grant.finish(9)
    admit(limiter, lower).finish(1)


def test_spending_that_is_loaded_late_counts_once() -> None:
    limiter, now_us = Limiter(ManualClock()), 1_700_000_000_000_000
    terms = Terms(Limits(day_microusd=1_000, month_microusd=5_000))
    limiter.begin_seeding()
    limiter.spend(7, 1, terms, now_us, 10)
    limiter.seed(now_us, [("account", 7, terms.account, (100, 200, 300))])
    limiter.begin_seeding()
    limiter.seed(now_us, [("account", 7, terms.account, (110, 210, 310))])
    limiter.spend(8, 1, terms, now_us, 1)
    spent = [
        budget.window(now_us).spent_microusd
        for budget in limiter.entry("account", 7, terms.account).parts.budgets
    ]
    assert spent == [110, 310]
