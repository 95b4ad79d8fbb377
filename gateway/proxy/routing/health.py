"""The health of one target: its circuit breaker, its load, its latency, its retry budget.

The breaker is closed, open, or half-open (one request at a time probes). It opens after so many
failures in a row, or when so large a part of the answers in a window were failures; for a jittered
time that doubles from opening to opening. A window begins with a failure, so a target without one
costs a test of `troubled` per request and nothing else. Times are seconds of the monotonic clock
and arguments, as is randomness; nothing here does I/O or knows of requests.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

CLOSED, HALF_OPEN, OPEN = "closed", "half-open", "open"
STATES = (CLOSED, HALF_OPEN, OPEN)

WINDOW_S = 10.0
LEAST_WINDOW_FAILURES = 10  # fewer say nothing about a ratio
LONGEST_OPEN_S = 60.0
LONGEST_REQUESTED_S = 120.0  # a provider's Retry-After is followed this far
JITTER = 0.2  # of an open time, up and down
PROBE_TIMEOUT_S = 60.0  # a probe that is silent for longer does not keep others from probing
# A retry in vain costs the target that it was made for a token; each first attempt earns a part of
# one. At half of all attempts failing, two retries cost one token: 1.1 attempts a request.
RETRY_RATIO = 0.05
RETRY_BURST = 10.0
RETRY_DEBT = 1_000.0  # retries that ran at once may all be in vain
DECAY_S = 10.0  # of the latency average, after a peak
SAMPLES = 64  # latest latencies that a percentile is taken of
LEAST_SAMPLES = 20


class BreakerLimits(NamedTuple):
    """When a breaker opens: failures in a row, percent in the window; and its first open time."""

    failures: int = 5
    ratio_percent: int = 50
    open_s: float = 5.0


class TargetHealth:
    """What is known of one target from the requests it got. `in_flight` is the callers' to keep."""

    def __init__(
        self, provider: str, model: str, limits: BreakerLimits, random: Callable[[], float]
    ) -> None:
        self.provider = provider
        self.model = model
        self.state = CLOSED
        self.troubled = False  # False: closed, and no failure lately
        self.in_flight = 0
        self.requests = 0  # first attempts
        self.retries = 0
        self.failures = 0
        self.open_until_s = 0.0
        self.latency_s = 0.0
        self._limits = limits
        self._random = random
        self._consecutive = 0
        self._failed_s = -math.inf
        self._openings = 0
        self._window_s = 0.0
        self._window_failures = self._window_successes = 0
        self._probing_s = 0.0
        self._tokens = RETRY_BURST
        self._earned_at = 0
        self._latency_at_s = 0.0
        self._samples: deque[float] = deque(maxlen=SAMPLES)

    # --- breaker --------------------------------------------------------------------------------

    def allows(self, now_s: float) -> bool:
        """Whether a request may go here now; in an open breaker whose time is over, as a probe."""
        if self.state == CLOSED:
            return True
        if self.state == OPEN:
            return now_s >= self.open_until_s
        return now_s - self._probing_s > PROBE_TIMEOUT_S

    def healthy(self, now_s: float) -> bool:
        """Whether it is closed and nothing failed for as long as a breaker first opens."""
        return not self.troubled and now_s - self._failed_s > self._limits.open_s

    def started(self, now_s: float) -> None:
        """An attempt begins. Call it where `troubled`; else it changes nothing."""
        if self.state != CLOSED and self.allows(now_s):
            self.state = HALF_OPEN
            self._probing_s = now_s

    def succeeded(self, now_s: float) -> None:
        """The target answered. Call it where `troubled`; else it changes nothing.

        Only a probe closes an open breaker: the answers of one that fails half the time would.
        """
        if self.state == OPEN:
            return
        if self.state == HALF_OPEN:
            self.state = CLOSED
            self._openings = 0
            self._clear()
        elif now_s - self._window_s > WINDOW_S:
            self._clear()
        else:
            self._consecutive = 0
            self._window_successes += 1

    def failed(self, now_s: float, retry_after_s: float | None = None) -> None:
        """The target failed a request; it asked for `retry_after_s` of quiet, or did not."""
        self.failures += 1
        self.troubled = True
        self._failed_s = now_s
        if self.state == HALF_OPEN:
            self._open(now_s)
        elif self.state == CLOSED:
            if now_s - self._window_s > WINDOW_S:
                self._window_s = now_s
                self._window_failures = self._window_successes = 0
            self._window_failures += 1
            self._consecutive += 1
            if self._consecutive >= self._limits.failures or self._too_many():
                self._open(now_s)
        if retry_after_s is not None and self.state == OPEN:
            until_s = now_s + min(retry_after_s, LONGEST_REQUESTED_S)
            self.open_until_s = max(self.open_until_s, until_s)

    def probe_soon(self, now_s: float) -> None:
        """The target seems to be back: let the next request probe it."""
        if self.state == OPEN:
            self.open_until_s = min(self.open_until_s, now_s)

    def abandoned(self, now_s: float) -> None:
        """An attempt ended without a verdict: if it was the probe, the next one is."""
        if self.state == HALF_OPEN:
            self.state = OPEN
            self.open_until_s = now_s

    def _too_many(self) -> bool:
        failures = self._window_failures
        total = failures + self._window_successes
        enough = failures >= LEAST_WINDOW_FAILURES
        return enough and failures * 100 >= self._limits.ratio_percent * total

    def _open(self, now_s: float) -> None:
        longest_s = max(LONGEST_OPEN_S, self._limits.open_s)
        open_s = min(self._limits.open_s * 2 ** min(self._openings, 16), longest_s)
        self._openings += 1
        self.state = OPEN
        self.open_until_s = now_s + open_s * (1 - JITTER + 2 * JITTER * self._random())

    def _clear(self) -> None:
        self._consecutive = self._window_failures = self._window_successes = 0
        self._window_s = -math.inf
        self.troubled = False

    # --- retries --------------------------------------------------------------------------------

    def may_retry(self) -> bool:
        """Whether the budget has a token left for a retry, which costs it only if in vain."""
        earned = (self.requests - self._earned_at) * RETRY_RATIO
        self._earned_at = self.requests
        self._tokens = min(RETRY_BURST, self._tokens + earned)
        return self._tokens >= 1

    def charge_retry(self) -> None:
        """A retry that was made for this target was in vain."""
        self._tokens = max(self._tokens - 1, -RETRY_DEBT)

    def spend_retry(self) -> bool:
        """Take a token of the retry budget, if there is one."""
        allowed = self.may_retry()
        if allowed:
            self.charge_retry()
        return allowed

    @property
    def failing(self) -> bool:
        """Whether it is open, or failed more than once in a row: once may be chance."""
        return self.state != CLOSED or self._consecutive > 1

    @property
    def failed_s(self) -> float:
        """When it failed last; minus infinity for one that never did."""
        return self._failed_s

    # --- latency --------------------------------------------------------------------------------

    def observe(self, latency_s: float, now_s: float) -> None:
        """One more latency: a higher one counts at once, a lower one by and by (peak-EWMA)."""
        self._samples.append(latency_s)
        if latency_s >= self.latency_s:
            self.latency_s = latency_s
        else:
            kept = math.exp(-max(now_s - self._latency_at_s, 0.0) / DECAY_S)
            self.latency_s = self.latency_s * kept + latency_s * (1 - kept)
        self._latency_at_s = now_s

    def late_after_s(self) -> float | None:
        """The 95th percentile of the latest latencies; None while there are too few."""
        if len(self._samples) < LEAST_SAMPLES:
            return None
        ordered = sorted(self._samples)
        return ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]

    def cost_s(self, now_s: float) -> float:
        """Latency times load, what the policy `latency` compares; 0 where nothing is known.

        What was seen long ago fades, and a broken target waits for a probe: else one that was slow
        once would never be asked again.
        """
        if self.state != CLOSED:
            return 0.0
        fresh = math.exp(-max(now_s - self._latency_at_s, 0.0) / DECAY_S)
        return self.latency_s * fresh * (self.in_flight + 1)
