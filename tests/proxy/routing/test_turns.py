"""Targets that break by turns, many requests at once: no request fails while a target answers.

The real course of a request and the real health, on a clock of the test's own, so that hundreds of
clients and seconds of time take a moment. The same is shown of a whole gateway, more slowly, in
tests/scenarios/test_failover.py.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.base.errors import UpstreamFailed
from gateway.proxy.routing.health import BreakerLimits, TargetHealth
from gateway.proxy.routing.retry import Course, RetryLimits
from gateway.proxy.routing.router import Step

RETRIES = RetryLimits(attempts=3, budget_s=5.0, key_retry_s=300.0)
Fails = Callable[[int, float], bool]


class Keys:
    """A pool of one key that works."""

    troubled = False

    def live(self, now_s: float) -> bool:
        return True

    def pick(self, now_s: float) -> int:
        return 0


class Place:
    """A candidate, as far as a course looks at one."""

    full = False
    judged = True

    def __init__(self, number: int, health: TargetHealth) -> None:
        self.number = number
        self.health = health
        self.keys = Keys()

    def available(self, now_s: float) -> bool:
        return self.health.allows(now_s)


@dataclass
class Asked:
    """A request under way."""

    order: list[Any]
    step: Any
    course: Course | None = None
    attempt: int = 0
    fails: bool = False
    waking: bool = False


class World:
    """Clients that ask without end until `until_s`, or until so many requests were made."""

    def __init__(self, targets: int, fails: Fails, *, open_s: float, shuffled: bool) -> None:
        self.random = random.Random(7)
        limits = BreakerLimits(open_s=open_s)
        self.places = [
            Place(number, TargetHealth(f"{number}", "m", limits, self.random.random))
            for number in range(targets)
        ]
        self.fails = fails
        self.shuffled = shuffled
        self.requests = self.attempts = self.failed = 0
        self._queue: list[tuple[float, int, Asked]] = []
        self._numbers = itertools.count()

    def run(self, clients: int, *, until_s: float = 1e9, requests: int = 10**9) -> None:
        for number in range(clients):
            self._ask(number * 1e-5)
        while self.requests < requests:
            now_s, _, asked = heapq.heappop(self._queue)
            if now_s > until_s:
                return
            self._go_on(asked, now_s)

    def _go_on(self, asked: Asked, now_s: float) -> None:
        health = asked.step.candidate.health
        if asked.waking:
            assert asked.course is not None
            asked.waking = False
            self._attempt(asked, asked.course.woken(asked.step, now_s), now_s)
        elif not asked.fails:
            if health.troubled:
                health.succeeded(now_s)
            self._ask(now_s)
        else:
            asked.course = asked.course or self._course(asked.order)
            follow = asked.course.after(asked.step, UpstreamFailed(), now_s)
            if follow is None:
                self.failed += 1
                self._ask(now_s)
            elif follow.wait_s:
                asked.step, asked.waking = follow, True
                self._later(now_s + follow.wait_s, asked)
            else:
                self._attempt(asked, follow, now_s)

    def _course(self, order: list[Any]) -> Course:
        return Course(order, RETRIES, self.random.random)

    def _ask(self, now_s: float) -> None:
        self.requests += 1
        order: list[Any] = list(self.places)
        if self.shuffled:
            self.random.shuffle(order)
        asked = Asked(order, Step(order[0], 0))
        step: Step | None = asked.step
        if order[0].health.troubled:
            asked.course = self._course(order)
            step = asked.course.first(now_s)
        assert step is not None
        step.candidate.health.requests += 1
        self._attempt(asked, step, now_s)

    def _attempt(self, asked: Asked, step: Step, now_s: float) -> None:
        place: Any = step.candidate
        if place.health.troubled:
            place.health.started(now_s)
        self.attempts += 1
        asked.step, asked.fails = step, self.fails(place.number, now_s)
        usual_s = 0.001 if asked.fails else 0.004
        self._later(now_s + usual_s * self.random.uniform(0.5, 1.5), asked)

    def _later(self, at_s: float, asked: Asked) -> None:
        heapq.heappush(self._queue, (at_s, next(self._numbers), asked))


@pytest.mark.parametrize("shuffled", [False, True], ids=["ordered", "weighted"])
@pytest.mark.parametrize("open_s", [0.15, 5.0])
@pytest.mark.parametrize(
    ("targets", "broken", "clients"), [(2, 1, 16), (3, 1, 16), (3, 2, 16), (3, 1, 200)]
)
def test_nothing_fails_while_one_target_answers(
    targets: int, broken: int, clients: int, open_s: float, shuffled: bool
) -> None:
    """A quarter of a second each, and the next one a twentieth later; or two at once."""

    def fails(number: int, now_s: float) -> bool:
        turn, at_s = divmod(now_s, 0.3)
        return at_s < 0.25 and (number - int(turn)) % targets < broken

    world = World(targets, fails, open_s=open_s, shuffled=shuffled)
    world.run(clients, until_s=1.0 if clients > 100 else 4.0)
    assert world.requests > 5_000
    assert world.failed == 0
    assert world.attempts <= 1.1 * world.requests


@pytest.mark.parametrize("shuffled", [False, True], ids=["ordered", "weighted"])
@pytest.mark.parametrize("targets", [1, 2, 3])
@pytest.mark.parametrize("requests", [1_500, 10_000])
def test_targets_that_fail_half_the_time_meet_no_storm(
    targets: int, requests: int, shuffled: bool
) -> None:
    draw = random.Random(3)
    world = World(targets, lambda *_: draw.random() < 0.5, open_s=5.0, shuffled=shuffled)
    world.run(16, requests=requests)
    assert world.attempts <= 1.2 * world.requests


def test_a_target_that_came_back_is_noticed_within_the_probe_interval() -> None:
    """Open for a second and a fifth at the most, the first breaks and comes back at 0.5 s."""
    served_at: list[float] = []

    def fails(number: int, now_s: float) -> bool:
        if number == 0 and now_s > 0.5:
            served_at.append(now_s)
        return number == 0 and now_s < 0.5

    world = World(2, fails, open_s=1.0, shuffled=False)
    world.run(16, until_s=2.0)
    assert world.failed == 0
    assert served_at[0] <= 1.2 + 0.01
    assert len(served_at) > 1_000
