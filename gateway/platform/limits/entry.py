"""An entry: the live state of the limits of one account, key or member of an organisation.

The parts exist only where there is a limit. When limits change, what stays limited keeps what it
has counted; requests that run keep the parts they were granted from.
"""

from collections.abc import Iterator
from typing import Literal

from gateway.platform.limits.budget import PERIODS, Budget
from gateway.platform.limits.concurrency import Gate
from gateway.platform.limits.rate import Bucket
from gateway.platform.limits.terms import Limits

Scope = Literal["account", "key", "member"]


class Parts:
    """What an entry counts with; None or empty where there is no limit."""

    __slots__ = ("budgets", "gate", "requests", "tokens")

    def __init__(
        self,
        requests: Bucket | None = None,
        tokens: Bucket | None = None,
        gate: Gate | None = None,
        budgets: tuple[Budget, ...] = (),
    ) -> None:
        self.requests = requests
        self.tokens = tokens
        self.gate = gate
        self.budgets = budgets


class Entry:
    """The limits of one account, key or member in use. `warm`: the limiter looks after it."""

    __slots__ = ("_saved", "limits", "no", "parts", "scope", "warm")

    def __init__(self, scope: Scope, no: int) -> None:
        self.scope = scope
        self.no = no
        self.limits: Limits | None = None
        self.parts = Parts()
        self.warm = False
        self._saved = [0, 0]  # the moments that were saved, in nanoseconds

    def change(self, limits: Limits, now_ns: int, *, seeded: bool) -> None:
        """Other limits from now on. `seeded`: budgets that are new start with nothing spent."""
        old, parts = self.parts, Parts()
        parts.requests = _bucket(old.requests, limits.requests_per_minute, now_ns)
        parts.tokens = _bucket(old.tokens, limits.tokens_per_minute, now_ns)
        if limits.concurrent_requests is not None:
            parts.gate = old.gate or Gate(0)
            parts.gate.limit = limits.concurrent_requests
        kept = {budget.period: budget for budget in old.budgets}
        budgets = []
        for period, limit_microusd in zip(PERIODS, limits[3:], strict=True):
            if limit_microusd is None:
                continue
            budget = kept.get(period) or Budget(self.scope, period, limit_microusd, seeded)
            budget.limit_microusd = limit_microusd
            budgets.append(budget)
        parts.budgets = tuple(budgets)
        self.parts, self.limits = parts, limits

    def changed(self, now_ns: int) -> Iterator[tuple[str, int]]:
        """(kind, nanoseconds until nothing is counted) of each rate taken from since last asked."""
        for index, kind in enumerate(("requests", "tokens")):
            bucket: Bucket | None = getattr(self.parts, kind)
            reset_ns = bucket.reset_ns(now_ns) if bucket is not None else 0
            if reset_ns and now_ns + reset_ns != self._saved[index]:
                self._saved[index] = now_ns + reset_ns
                yield kind, reset_ns

    def resting(self, now_ns: int) -> bool:
        """Whether nothing is counted, reserved or running any more; budgets aside."""
        parts = self.parts
        for bucket in (parts.requests, parts.tokens):
            if bucket is not None and (bucket.reserved or bucket.debt(now_ns)):
                return False
        return parts.gate is None or parts.gate.running == 0


def _bucket(old: Bucket | None, limit: int | None, now_ns: int) -> Bucket | None:
    if limit is None:
        return None
    if old is None:
        return Bucket(limit)
    old.change_limit(limit, now_ns)
    return old
