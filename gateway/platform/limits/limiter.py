"""The limiter: admits a request under all limits that bind it, or refuses it and changes nothing.

The limits of an account, a key and a share are asked together: first every one whether it has
room, then every one is taken from, without an await in between. What was taken is a Grant,
resolved exactly once: by `cancel` in the same step, which leaves no trace, or by `finish` when the
request ends. Only what is in use has an entry; `tick` forgets the idle ones. Knows no database:
what must outlive the process is handed out and taken in as plain values.
"""

from collections.abc import Iterable
from typing import NamedTuple

from gateway.base.clock import Clock
from gateway.base.errors import (
    ConcurrencyLimitExceeded,
    RateLimitExceeded,
    RequestOverTokenLimit,
    TokenLimitExceeded,
)
from gateway.platform.limits.budget import Window
from gateway.platform.limits.entry import Entry, Scope
from gateway.platform.limits.rate import Bucket
from gateway.platform.limits.terms import NO_LIMITS, Limits, Terms

SECOND_NS = 10**9
BUSY_RETRY_S = 1  # when the wait depends on running requests
MAX_RESTORED_S = 600  # of a debt; more can only come from a wall clock that was set back


class Standing(NamedTuple):
    """How one rate stands: its limit, what would fit now, and when nothing is counted any more."""

    limit: int
    remaining: int
    reset_ns: int


class Saved(NamedTuple):
    """A rate's state that outlives the process: when, by the wall clock, nothing is counted."""

    scope: str
    no: int
    kind: str
    reset_us: int


class Grant:
    """What one request was granted. `windows` are the budgets that its hold must keep to."""

    __slots__ = ("_entries", "_limiter", "_open", "tokens", "windows")

    def __init__(
        self,
        limiter: "Limiter",
        entries: tuple[Entry, ...],
        tokens: int,
        windows: tuple[Window, ...],
    ) -> None:
        self._limiter = limiter
        self._entries = tuple(entry.parts for entry in entries)
        self._open = True
        self.tokens = tokens
        self.windows = windows

    def finish(self, used_tokens: int) -> None:
        """The request has ended: leave, and count the tokens it used. Once; later calls do
        nothing."""
        if not self._open:
            return
        self._open = False
        now_ns = self._limiter.now_ns()
        for parts in self._entries:
            if parts.gate is not None:
                parts.gate.leave()
            if parts.tokens is not None:
                parts.tokens.settle(self.tokens, used_tokens, now_ns)

    def cancel(self) -> None:
        """The request was refused after all, in the same step: as if it had not been granted."""
        if not self._open:
            return
        self.finish(0)
        for parts in self._entries:
            if parts.requests is not None:
                parts.requests.give_back(1)


class Limiter:
    """Every limit in use, by the number of its account, key or share."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[Scope, dict[int, Entry]] = {"account": {}, "key": {}, "member": {}}
        self._warm: set[Entry] = set()
        self._seeding = False

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def now_ns(self) -> int:
        """The monotonic clock in nanoseconds."""
        return int(self._clock.monotonic_s() * SECOND_NS)

    # --- requests -------------------------------------------------------------------------------

    def check(self, account_no: int, key_no: int, terms: Terms) -> None:
        """Refuse early what `admit` would refuse whatever the prompt is. Takes nothing."""
        now_ns = self.now_ns()
        for entry in self._bound(account_no, key_no, terms, now_ns):
            _refuse_request(entry, now_ns)

    def admit(
        self,
        account_no: int,
        key_no: int,
        terms: Terms,
        *,
        prompt_tokens: int,
        output_tokens: int,
        started_us: int,
    ) -> Grant:
        """Take one request, a place, and room for the tokens of the prompt and of the output.

        A reserve of output that is beyond a whole minute's tokens is cut to it. Raises
        RateLimitExceeded, TokenLimitExceeded, RequestOverTokenLimit or ConcurrencyLimitExceeded.
        """
        now_ns = self.now_ns()
        entries = self._bound(account_no, key_no, terms, now_ns)
        tokens = prompt_tokens + output_tokens
        for entry in entries:
            bucket = entry.parts.tokens
            if bucket is not None:
                tokens = min(tokens, bucket.limit)
        for entry in entries:
            _refuse_request(entry, now_ns)
            _refuse_tokens(entry, prompt_tokens, tokens, now_ns)
        windows: tuple[Window, ...] = ()
        for entry in entries:
            parts = entry.parts
            if parts.requests is not None:
                parts.requests.take(1, now_ns)
            if parts.gate is not None:
                parts.gate.enter()
            if parts.tokens is not None:
                parts.tokens.reserved += tokens
            if parts.budgets:
                windows += tuple(budget.window(started_us) for budget in parts.budgets)
            self._keep_warm(entry)
        return Grant(self, entries, tokens, windows)

    def spend(
        self, account_no: int, key_no: int, terms: Terms, started_us: int, amount_microusd: int
    ) -> None:
        """Count what a request was charged against the budgets of the period it began in."""
        for entry in self._bound(account_no, key_no, terms, self.now_ns()):
            for budget in entry.parts.budgets:
                budget.window(started_us).spent_microusd += amount_microusd

    def standing(
        self, account_no: int, key_no: int, terms: Terms
    ) -> tuple[Standing | None, Standing | None]:
        """How requests and tokens a minute stand: of account and key, the one with less left."""
        now_ns = self.now_ns()
        requests = tokens = None
        for entry in self._bound(account_no, key_no, terms, now_ns):
            requests = _tighter(requests, entry.parts.requests, now_ns)
            tokens = _tighter(tokens, entry.parts.tokens, now_ns)
        return requests, tokens

    def _bound(self, account_no: int, key_no: int, terms: Terms, now_ns: int) -> tuple[Entry, ...]:
        """The entries that bind a request: its account's, its key's and the key's share's, where
        those have limits."""
        account = self._entry("account", account_no, terms.account, now_ns)
        own, share = terms.keys.get(key_no), terms.shares.get(key_no)
        bound = (account,) if own is None else (account, self._entry("key", key_no, own, now_ns))
        if share is None:
            return bound
        return (*bound, self._entry("member", share.no, share.limits, now_ns))

    def _entry(self, scope: Scope, no: int, limits: Limits, now_ns: int) -> Entry:
        entries = self._entries[scope]
        entry = entries.get(no)
        if entry is None:
            entry = entries[no] = Entry(scope, no)
            self._keep_warm(entry)
        if entry.limits is not limits:
            entry.change(limits, now_ns, seeded=not self._seeding)
        return entry

    def _keep_warm(self, entry: Entry) -> None:
        if not entry.warm:
            entry.warm = True
            self._warm.add(entry)

    def entry(self, scope: Scope, no: int, limits: Limits = NO_LIMITS) -> Entry:
        """The entry of an account or key, made or adapted to these limits; for reports."""
        return self._entry(scope, no, limits, self.now_ns())

    def adapt(self, scope: Scope, no: int, limits: Limits) -> None:
        """Let an entry in use, if there is one, have other limits at once.

        A limit that is lifted forgets what it had counted: nobody counts on while it is lifted.
        """
        if no in self._entries[scope]:
            self.entry(scope, no, limits)

    # --- what outlives the process --------------------------------------------------------------

    def begin_seeding(self) -> None:
        """From now on budgets that are made await their past spending."""
        self._seeding = True

    def seed(
        self, at_us: int, spent: Iterable[tuple[Scope, int, Limits, tuple[int, int, int]]]
    ) -> None:
        """Add past spending of this moment's day, week and month to the budgets that await it."""
        for scope, no, limits, sums in spent:
            for budget in self.entry(scope, no, limits).parts.budgets:
                budget.seed(at_us, sums[("day", "week", "month").index(budget.period)])
        self._seeding = False
        for entries in self._entries.values():
            for entry in entries.values():
                for budget in entry.parts.budgets:
                    budget.seeded = True  # nothing had been spent

    @property
    def warm(self) -> bool:
        """Whether anything is being counted, so that `tick` has something to look at."""
        return bool(self._warm)

    def tick(self) -> list[Saved]:
        """The state that changed since the last call; forgets entries that have become idle."""
        now_ns, now_us = self.now_ns(), self._clock.now_us()
        changed: list[Saved] = []
        for entry in list(self._warm):
            for kind, reset_ns in entry.changed(now_ns):
                changed.append(Saved(entry.scope, entry.no, kind, now_us + -(-reset_ns // 1000)))
            if entry.resting(now_ns):
                self._warm.discard(entry)
                entry.warm = False
                if not any(budget.used for budget in entry.parts.budgets):
                    del self._entries[entry.scope][entry.no]
        return changed

    def restore(self, saved: Iterable[tuple[Saved, Limits]]) -> None:
        """Count again what an earlier process had counted."""
        now_ns, now_us = self.now_ns(), self._clock.now_us()
        for state, limits in saved:
            scope: Scope = "key" if state.scope == "key" else "account"
            entry = self._entry(scope, state.no, limits, now_ns)
            left_us = min(state.reset_us - now_us, MAX_RESTORED_S * 10**6)
            parts = entry.parts
            bucket = parts.requests if state.kind == "requests" else parts.tokens
            if bucket is not None and left_us > 0:
                bucket.restore(left_us * 1000, now_ns)
            self._keep_warm(entry)


def _tighter(best: Standing | None, bucket: Bucket | None, now_ns: int) -> Standing | None:
    if bucket is None:
        return best
    remaining = bucket.remaining(now_ns)
    if best is not None and best.remaining <= remaining:
        return best
    return Standing(bucket.limit, remaining, bucket.reset_ns(now_ns))


def _refuse_request(entry: Entry, now_ns: int) -> None:
    parts, owner = entry.parts, entry.scope
    requests, gate = parts.requests, parts.gate
    if requests is not None and requests.excess(1, now_ns):
        raise RateLimitExceeded(
            f"The {owner} is limited to {requests.limit} requests a minute.",
            retry_after_s=_seconds(requests.wait_ns(1, now_ns)),
        )
    if gate is not None and gate.full:
        raise ConcurrencyLimitExceeded(
            f"The {owner} is limited to {gate.limit} requests at once.",
            retry_after_s=BUSY_RETRY_S,
        )


def _refuse_tokens(entry: Entry, prompt_tokens: int, tokens: int, now_ns: int) -> None:
    bucket = entry.parts.tokens
    if bucket is None:
        return
    if prompt_tokens > bucket.limit:
        raise RequestOverTokenLimit(
            f"The prompt has {prompt_tokens} tokens; the {entry.scope} is limited to "
            f"{bucket.limit} a minute."
        )
    if bucket.excess(tokens, now_ns):
        raise TokenLimitExceeded(
            f"The {entry.scope} is limited to {bucket.limit} tokens a minute; "
            f"{bucket.remaining(now_ns)} are left and this request needs up to {tokens}.",
            retry_after_s=_seconds(bucket.wait_ns(tokens, now_ns)),
        )


def _seconds(wait_ns: int) -> int:
    return max(-(-wait_ns // SECOND_NS), BUSY_RETRY_S)
