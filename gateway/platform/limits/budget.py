"""Budgets: how many micro-dollars may be spent in a calendar day, week or month, in UTC.

A week begins on Monday. Spending belongs to the period in which its request began, as in the
hourly rollup, which is where the sums come from at start: no counter here can disagree with it for
longer than a process lives. A running request holds what it may cost, of the budget as of the
credit, so that requests in parallel cannot spend the same money. Pure: the time is an argument,
in microseconds of the wall clock; a clock that steps back does not open a new period.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

from gateway.base.errors import BudgetExceeded, BudgetInUse, GatewayError
from gateway.base.money import format_usd

Period = Literal["day", "week", "month"]
PERIODS: tuple[Period, ...] = ("day", "week", "month")
DAY_US = 86_400 * 10**6
HOUR_US = 3_600 * 10**6
MONDAY = 3  # the Unix epoch was a Thursday
RETRY_AFTER_S = 1


def period_no(period: Period, at_us: int) -> int:
    """The number of the period that a moment falls into; the next one's is greater by one."""
    day = at_us // DAY_US
    if period == "day":
        return day
    if period == "week":
        return (day + MONDAY) // 7
    moment = datetime.fromtimestamp(at_us // 10**6, UTC)
    return moment.year * 12 + moment.month - 1


def period_start_us(period: Period, number: int) -> int:
    """When a period begins, in epoch microseconds."""
    if period == "day":
        return number * DAY_US
    if period == "week":
        return (number * 7 - MONDAY) * DAY_US
    year, month = divmod(number, 12)
    since_epoch = datetime(year, month + 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since_epoch // timedelta(microseconds=1)


class Window:
    """One period of one budget: what was spent in it, and what running requests hold of it."""

    __slots__ = ("budget", "held_microusd", "number", "spent_microusd")

    def __init__(self, budget: "Budget", number: int) -> None:
        self.budget = budget
        self.number = number
        self.spent_microusd = 0
        self.held_microusd = 0

    @property
    def available_microusd(self) -> int:
        """What may still be spent, beside what is held; not below zero."""
        left = self.budget.limit_microusd - self.spent_microusd - self.held_microusd
        return left if left > 0 else 0

    def bound(self, least_microusd: int, want_microusd: int) -> int:
        """How much of `want` a request may hold. Raises BudgetExceeded or BudgetInUse."""
        available = self.available_microusd
        if available < least_microusd:
            raise self.refusal(least_microusd)
        return min(want_microusd, available)

    def refusal(self, least_microusd: int) -> GatewayError:
        """Why `least_microusd` more cannot be spent: it is used up, or only held."""
        budget = self.budget
        if self.spent_microusd + least_microusd <= budget.limit_microusd:
            return BudgetInUse(retry_after_s=RETRY_AFTER_S)
        end_us = period_start_us(budget.period, self.number + 1)
        end = datetime.fromtimestamp(end_us // 10**6, UTC)
        return BudgetExceeded(
            f"The budget of the {budget.owner} for this {budget.period} "
            f"({format_usd(budget.limit_microusd)} USD) does not cover this request; "
            f"the next one begins at {end:%Y-%m-%dT%H:%M:%SZ}."
        )


class Budget:
    """The budget of an account or a key for one kind of period.

    Requests that began before midnight end after it, so the last window but one is kept.
    `seeded` is False while what was spent before this object was made is still to be added.
    """

    __slots__ = ("_before", "_current", "limit_microusd", "owner", "period", "seeded")

    def __init__(self, owner: str, period: Period, limit_microusd: int, seeded: bool) -> None:
        self.owner = owner
        self.period = period
        self.limit_microusd = limit_microusd
        self.seeded = seeded
        self._current = Window(self, 0)
        self._before = self._current

    def window(self, at_us: int) -> Window:
        """The window for a request that began at this moment."""
        number = period_no(self.period, at_us)
        if number > self._current.number:
            self._before, self._current = self._current, Window(self, number)
        elif number == self._before.number:
            return self._before
        return self._current

    def seed(self, at_us: int, spent_microusd: int) -> None:
        """Add what had been spent in this moment's period before the object was made."""
        if not self.seeded:
            self.window(at_us).spent_microusd += spent_microusd
            self.seeded = True

    @property
    def used(self) -> bool:
        """Whether anything was spent or is held, so that forgetting it would lose something."""
        window = self._current
        return bool(window.spent_microusd or window.held_microusd or self._before.held_microusd)
