"""What an account or a key may do: plain values, shared by all that have the same.

None is no limit. An account's limits bind all of its keys together; a key's own bind that key
besides, so further keys never buy more. A share binds several keys of an account together: those
of one member of an organisation. Where the values come from, and what has been used of
them, is not known here.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.platform.refusals import Refusal

MAX_RATE = 10**12  # a minute; far above any provider, and still exact in 64 bits when saved
MAX_BUDGET_MICROUSD = 2**53 - 1  # the ledger's own bound


class Limits(NamedTuple):
    """The limits of one account, key or tier; budgets are of calendar periods in UTC."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    day_microusd: int | None = None
    week_microusd: int | None = None
    month_microusd: int | None = None

    @property
    def has_budget(self) -> bool:
        """Whether spending is limited."""
        return self[3:] != (None, None, None)

    def over(self, below: "Limits") -> "Limits":
        """These limits where they are set, `below` where they are not."""
        return Limits(*(b if a is None else a for a, b in zip(self, below, strict=True)))


NO_LIMITS = Limits()


class Share(NamedTuple):
    """What some keys of an account may do together. `no` is unique among all shares."""

    no: int
    limits: Limits


class Terms(NamedTuple):
    """All that binds the requests of one account: its own limits, those of single keys, and the
    shares that keys belong to, both by the key's number."""

    account: Limits
    keys: Mapping[int, Limits] = {}
    shares: Mapping[int, Share] = {}


def checked_limits(limits: Limits) -> Limits:
    """The same limits. Raises Refusal for a value that makes no sense."""
    for name, value in zip(Limits._fields, limits, strict=True):
        if value is None:
            continue
        least, most = (0, MAX_BUDGET_MICROUSD) if name.endswith("_microusd") else (1, MAX_RATE)
        if not least <= value <= most:
            raise Refusal(f"{name.replace('_', '-')} must be from {least} to {most}")
    return limits
