"""Budgets: calendar periods in UTC, and spending that belongs to the period it began in."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import BudgetExceeded, BudgetInUse
from gateway.platform.limits.budget import PERIODS, Budget, period_no, period_start_us

moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
DAY_US = 86_400 * 10**6


def us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@given(moments)
def test_periods_are_those_of_the_calendar(moment: datetime) -> None:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = {
        "day": midnight,
        "week": midnight - timedelta(days=midnight.weekday()),
        "month": midnight.replace(day=1),
    }
    for period in PERIODS:
        number = period_no(period, us(moment))
        assert period_start_us(period, number) == us(starts[period])
        end_us = period_start_us(period, number + 1)
        assert us(moment) < end_us
        assert period_no(period, end_us) == number + 1
        assert period_no(period, end_us - 1) == number


def test_a_budget_refuses_what_it_cannot_cover_and_says_until_when() -> None:
    budget = Budget("account", "day", 1_000, seeded=True)
    at_us = us(datetime(2026, 2, 28, 23, 59, tzinfo=UTC))
    window = budget.window(at_us)
    window.spent_microusd = 600
    assert window.bound(1, 1_000) == 400
    window.held_microusd = 300
    assert window.bound(100, 1_000) == 100
    with pytest.raises(BudgetInUse):
        window.bound(101, 1_000)
    window.spent_microusd = 950
    with pytest.raises(BudgetExceeded, match=r"account for this day \(0.001 USD\).*2026-03-01T00"):
        window.bound(101, 1_000)
    assert budget.window(at_us + 60 * 10**6).bound(1, 5_000) == 1_000


def test_a_request_that_began_before_midnight_counts_there() -> None:
    budget = Budget("key", "day", 1_000, seeded=True)
    before = budget.window(5 * DAY_US - 1)
    after = budget.window(5 * DAY_US)
    assert before is not after
    assert budget.window(5 * DAY_US - 1) is before
    assert budget.window(5 * DAY_US + 9) is after


def test_a_clock_that_steps_back_opens_no_new_period() -> None:
    budget = Budget("key", "day", 1_000, seeded=True)
    budget.window(9 * DAY_US).spent_microusd = 1_000
    assert budget.window(3 * DAY_US).available_microusd == 0


def test_past_spending_is_added_once() -> None:
    budget = Budget("account", "month", 1_000, seeded=False)
    budget.window(DAY_US).spent_microusd = 5
    budget.seed(DAY_US, 100)
    budget.seed(DAY_US, 100)
    assert budget.window(DAY_US).spent_microusd == 105
