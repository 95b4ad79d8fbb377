"""What runs right now for one account, read from the data plane's memory; no content, no key.

Output is what our own counter has counted so far, and its cost what it can be at most: what is
charged is known at the end.
"""

from collections.abc import Iterable
from typing import NamedTuple

from gateway.base.money import ceil_microusd
from gateway.proxy.exchange import Exchange, Plane


class RunningRequest(NamedTuple):
    """A request that has not ended. Times in milliseconds since it began."""

    id: str
    started_us: int
    key_no: int
    model: str
    endpoint: str
    attempts: int
    elapsed_ms: int
    first_token_ms: int | None
    output_tokens: int | None  # None while there is no answer that is counted as it comes
    cost_microusd: int  # the prompt and these tokens, each at its dearest


class Running:
    """Looks into the plane; at most SHOWN requests are told."""

    SHOWN = 20

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    @property
    def stopping(self) -> bool:
        """Whether the gateway is about to stop."""
        return self._plane.stopping

    def counts(self) -> dict[int, int]:
        """How many requests run, by account."""
        found: dict[int, int] = {}
        for x in self._plane.active:
            if x.key is not None:
                no = x.key.account.no
                found[no] = found.get(no, 0) + 1
        return found

    def of(self, account_no: int, key_nos: frozenset[int] | None = None) -> list[RunningRequest]:
        """An account's running requests, or those of some of its keys, the newest first."""
        mine: Iterable[Exchange] = (
            x
            for x in self._plane.active
            if x.key is not None
            and x.key.account.no == account_no
            and (key_nos is None or x.key.no in key_nos)
        )
        newest = sorted(mine, key=lambda x: x.id, reverse=True)[: self.SHOWN]
        return [self._told(x) for x in newest]

    def _told(self, x: Exchange) -> RunningRequest:
        now_s = self._plane.clock.monotonic_s()
        first_s, tokens = x.first_token_s, _output_tokens(x)
        return RunningRequest(
            x.id,
            x.started_us,
            x.key.no if x.key is not None else 0,
            x.model.name if x.model is not None else "",
            x.endpoint.name,
            x.attempts,
            round((now_s - x.started_s) * 1000),
            None if first_s is None else round((first_s - x.started_s) * 1000),
            tokens,
            ceil_microusd(x.input_picousd + (tokens or 0) * x.output_picousd),
        )


def _output_tokens(x: Exchange) -> int | None:
    """The running count of a stream, which its relay tells while the meter is away with it."""
    attempt = x.attempt
    if attempt is None or attempt.meter is None:
        return None
    relay = attempt.relay
    return int(attempt.meter.tokens if relay is None else relay.counted())
