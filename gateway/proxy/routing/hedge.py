"""Hedging: a second attempt beside one whose first token is late; the first with output wins.

For streams of models with `hedge = true`, once the first token is later than the target's 95th
percentile, and where another healthy target of the same model, kind, dialects and price is free.
The loser is cancelled the moment the other shows output: the client pays for what it saw, never
for both.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from gateway.base.errors import UpstreamTimeout
from gateway.proxy.dialects.translation import spoken_by
from gateway.proxy.routing.router import Candidate, Step

Sent = TypeVar("Sent")


class Race:
    """The attempts that run side by side for one exchange. `winner` has shown output."""

    __slots__ = ("attempts", "exchange", "winner")

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        self.attempts: list[Any] = []
        self.winner: Any = None

    def won(self, attempt: Any) -> None:
        """This attempt is about to show output: it is the exchange's own, the others are ended."""
        if self.winner is not None:
            return
        self.winner = attempt
        x, step = self.exchange, attempt.step
        x.attempt, x.step = attempt, step
        x.target = step.candidate.targets[step.key_no]
        for other in self.attempts:
            if other is not attempt:
                other.stop(UpstreamTimeout())
                other.step.candidate.health.abandoned(x.plane.router.now_s())

    def client_gone(self) -> None:
        """The client left before any of them showed output."""
        for attempt in self.attempts:
            if self.winner is None or attempt is self.winner:
                attempt.client_gone()


def rival_of(candidates: Sequence[Candidate], step: Step, now_s: float) -> Step | None:
    """Where a second attempt may go, beside the one at `step`."""
    mine = step.candidate.targets[step.key_no]
    for each in candidates:
        target = each.targets[0]
        if each is step.candidate or each.model is not step.candidate.model:
            continue
        theirs, ours = target.provider, mine.provider
        # What they speak decides the one dialect in which the exchange is metered and translated.
        alike = theirs.kind == ours.kind and spoken_by(target) == spoken_by(mine)
        alike = alike and target.price is mine.price
        if alike and each.available(now_s) and each.health.healthy(now_s):
            key_no = each.keys.pick(now_s)
            if key_no is not None:
                return Step(each, key_no)
    return None


async def first_that_answers(race: Race, tasks: Sequence["asyncio.Task[Sent]"]) -> Sent:
    """The result of the attempt that won or whose client left; else of the last that failed."""
    pending = set(tasks)
    while True:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            attempt = None if task.exception() is not None else race_attempt(task.result())
            if attempt is not None and (attempt is race.winner or attempt.gone):
                return task.result()
        if not pending:
            return done.pop().result()
        if race.winner is None:
            for task in done:
                if task.exception() is None:
                    health = race_attempt(task.result()).step.candidate.health
                    health.failed(race.exchange.plane.router.now_s())


def race_attempt(sent: Any) -> Any:
    """The attempt of what a sender returned, which is (attempt, upstream)."""
    return sent[0]
