"""What follows a failed attempt: another key, another target, the same one later, or the end.

One table says for each error whether another target, or the same one, may do better, and whether it
tells against the target. A retry elsewhere than at a healthy target is made while the failing
target's budget has tokens, and costs one if it is in vain: so a provider which fails half of its
requests is not asked twice as often, yet one failing target does not use up what its healthy
neighbours could have answered. A breaker advises and never forbids: where no target is available,
the one whose last failure is the longest ago is asked, and then each other one. Decides on values;
sending, waiting and raising are the caller's.
"""

import email.utils
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.base.errors import (
    DialectNotServed,
    GatewayError,
    Overloaded,
    ResponseTooLarge,
    Untranslatable,
    UpstreamBadResponse,
    UpstreamCredentials,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from gateway.proxy.routing.health import CLOSED, TargetHealth
from gateway.proxy.routing.keys import LIMITED, REFUSED
from gateway.proxy.routing.router import Candidate, Step

FIRST_WAIT_S = 0.05  # before the same target again; doubled each time, with full jitter
LONGEST_WAIT_S = 2.0
LIMITED_S = 1.0  # a rate limited key rests so long where the provider does not say
MAX_ATTEMPTS = 64  # of one request, keys included


class Rule(NamedTuple):
    """What an error means for what comes next."""

    elsewhere: bool  # another target may do better
    again: bool  # so may the same one, a little later
    blames: bool  # counts as a failure of the target; if not `neutral`, as an answer
    neutral: bool = False


RULES: dict[type[GatewayError], Rule] = {
    UpstreamUnreachable: Rule(elsewhere=True, again=True, blames=True),
    UpstreamFailed: Rule(elsewhere=True, again=True, blames=True),
    UpstreamTruncated: Rule(elsewhere=True, again=True, blames=True),
    UpstreamRateLimited: Rule(elsewhere=True, again=True, blames=True),
    UpstreamTimeout: Rule(elsewhere=True, again=False, blames=True),
    UpstreamBadResponse: Rule(elsewhere=True, again=False, blames=True),
    ResponseTooLarge: Rule(elsewhere=False, again=False, blames=False),
    UpstreamCredentials: Rule(elsewhere=True, again=False, blames=False),
    UpstreamRejected: Rule(elsewhere=False, again=False, blames=False),
    Overloaded: Rule(elsewhere=True, again=False, blames=False, neutral=True),
}
# The request could not be put to the target: nothing was sent, and another is asked for free.
UNSAID = (Untranslatable, DialectNotServed)
RULES |= dict.fromkeys(UNSAID, Rule(elsewhere=True, again=False, blames=False, neutral=True))
NO_RULE = Rule(elsewhere=False, again=False, blames=False, neutral=True)


class RetryLimits(NamedTuple):
    """Attempts of a request; seconds it may wait between them in all; seconds a key rests."""

    attempts: int
    budget_s: float
    key_retry_s: float


class Course:
    """The attempts of one request. `worst` is the error to tell when no attempt is left."""

    __slots__ = (
        "_again",
        "_attempts",
        "_candidates",
        "_limits",
        "_payer",
        "_random",
        "_repeats",
        "_tried",
        "_waited_s",
        "worst",
    )

    def __init__(
        self,
        candidates: Sequence[Candidate],
        limits: RetryLimits,
        random: Callable[[], float],
    ) -> None:
        self.worst: GatewayError | None = None
        self._candidates = candidates
        self._limits = limits
        self._random = random
        self._tried: list[Candidate] = []
        self._again: dict[Candidate, float] = {}  # tried, may be asked again: from when on
        self._attempts = 0
        self._repeats = 0
        self._waited_s = 0.0
        self._payer: TargetHealth | None = None  # for whom the present attempt is a retry

    def first(self, now_s: float) -> Step | None:
        """Where to begin; None when as many requests run everywhere as may."""
        for each in self._candidates:
            if each.available(now_s):
                return self._to(each, now_s)
        return self._least_bad(now_s)

    def after(self, step: Step, error: GatewayError, now_s: float) -> Step | None:
        """Book how an attempt failed, and choose the next; None when there is none."""
        rule = RULES.get(type(error), NO_RULE)
        self._book(step, error, rule, now_s)
        payer, self._payer = self._payer, None
        if payer is not None and rule.blames:
            payer.charge_retry()
        silent = isinstance(error, (UpstreamCredentials, *UNSAID))
        if self.worst is None or isinstance(self.worst, UNSAID) or not silent:
            self.worst = error
        here = step.candidate
        if here not in self._tried:
            self._tried.append(here)
        self._attempts += 1
        if not rule.elsewhere or self._attempts >= MAX_ATTEMPTS:
            return None
        if isinstance(error, UpstreamCredentials | UpstreamRateLimited):
            key_no = here.keys.pick(now_s)
            if key_no is not None and here.health.allows(now_s):
                return Step(here, key_no)
        if rule.again:
            self._again[here] = now_s + (error.wait_s or 0.0)
        else:
            self._again.pop(here, None)
        unsaid = isinstance(error, UNSAID)
        return self._elsewhere(here, now_s, free=unsaid) or self._once_more(here, now_s)

    def woken(self, step: Step, now_s: float) -> Step:
        """The step to make now that its wait is over: elsewhere, if its breaker opened meanwhile.

        The requests that fail as a target breaks wait for it all at once; in vain, once one knows.
        """
        if step.candidate.health.allows(now_s):
            return step
        left = [each for each in self._candidates if each not in self._tried and not each.full]
        return self._to(_least_bad(left), now_s) if left else step

    def _book(self, step: Step, error: GatewayError, rule: Rule, now_s: float) -> None:
        health, keys = step.candidate.health, step.candidate.keys
        asked_s = error.wait_s
        if isinstance(error, UpstreamCredentials):
            keys.set_aside(step.key_no, now_s + self._limits.key_retry_s, REFUSED)
        elif isinstance(error, UpstreamRateLimited):
            rest_s = LIMITED_S if asked_s is None else asked_s
            keys.set_aside(step.key_no, now_s + rest_s, LIMITED)
            if keys.live(now_s):  # the limit is the key's, and there are others
                health.abandoned(now_s)
                return
        if not step.candidate.judged or rule.neutral:
            health.abandoned(now_s)
        elif rule.blames:
            health.failed(now_s, asked_s)
        elif health.troubled:
            health.succeeded(now_s)

    def _elsewhere(self, here: Candidate, now_s: float, *, free: bool) -> Step | None:
        """The next target that was not tried."""
        for each in self._candidates:
            if each in self._tried or not each.available(now_s):
                continue
            # What a broken target can no longer take, or a healthy one takes on, is no storm.
            if free or here.health.state != CLOSED or each.health.healthy(now_s):
                return self._to(each, now_s)
            return self._paid(here, self._to(each, now_s))
        return None

    def _paid(self, here: Candidate, step: Step) -> Step | None:
        """The step, if the budget of the target that failed allows for it."""
        if not here.health.may_retry():
            return None
        self._payer = here.health
        return step

    def _once_more(self, here: Candidate, now_s: float) -> Step | None:
        """A target tried before, after a wait, or one whose breaker is open, as a last resort."""
        limits = self._limits
        self._repeats += 1
        ready = [each for each in self._again if each.health.allows(now_s) and not each.full]
        left = [each for each in self._candidates if each not in self._tried and not each.full]
        if left and here.health.failing:
            return self._paid(here, self._to(_least_bad(left), now_s))
        if ready and self._attempts < limits.attempts:
            each = min(ready, key=self._again.__getitem__)
            backoff_s = min(FIRST_WAIT_S * 2 ** (self._repeats - 1), LONGEST_WAIT_S)
            wait_s = max(backoff_s * self._random(), self._again[each] - now_s)
            if self._waited_s + wait_s > limits.budget_s:
                return None
            self._waited_s += wait_s
            key_no = each.keys.pick(now_s + wait_s)
            key_no = each.keys.least_bad() if key_no is None else key_no
            return self._paid(here, Step(each, key_no, wait_s))
        return self._paid(here, self._to(_least_bad(left), now_s)) if left else None

    def _least_bad(self, now_s: float) -> Step | None:
        left = [each for each in self._candidates if not each.full]
        return self._to(_least_bad(left), now_s) if left else None

    def _to(self, each: Candidate, now_s: float) -> Step:
        key_no = each.keys.pick(now_s)
        return Step(each, each.keys.least_bad() if key_no is None else key_no)


def _least_bad(left: Sequence[Candidate]) -> Candidate:
    """Of targets that nothing speaks for: the one that has not failed for longest."""
    return min(left, key=lambda each: each.health.failed_s)


def retry_after_s(headers: dict[bytes, bytes], now_unix_s: float) -> float | None:
    """Seconds a provider asks to wait; None when it does not say, or nothing sensible.

    `retry-after-ms` (OpenAI), `x-ms-retry-after-ms` (Azure), then Retry-After as seconds, whole or
    with a fraction, or as a date (RFC 9110, 10.2.3).
    """
    for name in (b"retry-after-ms", b"x-ms-retry-after-ms"):
        value = _number(headers.get(name))
        if value is not None:
            return value / 1000
    raw = headers.get(b"retry-after")
    value = _number(raw)
    if value is not None or raw is None:
        return value
    try:
        at = email.utils.parsedate_to_datetime(raw.decode("latin-1"))
        return max(0.0, at.timestamp() - now_unix_s)
    except (ValueError, TypeError, OverflowError):
        return None


def _number(raw: bytes | None) -> float | None:
    try:
        value = float(raw) if raw is not None and len(raw) <= 32 else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
