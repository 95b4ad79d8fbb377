"""Whether an address has an account is told neither by the work done nor by the time it takes.

The work is counted in every run. The time is measured where ENUMERATION_SAMPLES asks for it (`make
enumeration`: 10000), with hashes of ENUMERATION_COST: on a busy machine a clock proves little.
"""

import math
import os
import random
import statistics
import sys
import time

import pytest
from sqlalchemy import event

from gateway.platform.accounts.entrance import set_password
from gateway.platform.accounts.guesses import Visit
from gateway.platform.accounts.sign_up import Wish
from gateway.platform.refusals import Problem
from tests.platform.accounts.conftest import ADULT, PASSWORD

KNOWN, UNKNOWN = "ann@example.com", "bob@example.com"
SAMPLES = int(os.environ.get("ENUMERATION_SAMPLES", "0"))
COST = int(os.environ.get("ENUMERATION_COST", "4"))
STRANGER = Visit("203.0.113.8", "curl")  # on the owner's own device there is nothing to hide
ACTS = ["sign in", "sign up", "reset"]


async def act(owner, what, email):
    if what == "sign in":
        with pytest.raises(Problem):
            await owner.entrance.by_password(email, "wrong password", STRANGER)
    elif what == "sign up":
        await owner.people.sign_up.ask(Wish(email, PASSWORD, True, ADULT), STRANGER)
    else:
        await owner.entrance.ask_reset(email, STRANGER)


class Work:
    """Statements run and hashes made."""

    def __init__(self, owner, monkeypatch):
        self.done = []
        database = owner.rooms.database
        for engine in (database._writer_engine, database._reader_engine):
            event.listen(engine, "before_cursor_execute", self._statement)
        passwords = owner.people.passwords
        for name in ("_hash", "_check"):
            real = getattr(passwords, name)
            monkeypatch.setattr(passwords, name, self._counted(name, real))

    def _statement(self, connection, cursor, statement, *rest):
        self.done.append(statement)

    def _counted(self, name, real):
        def call(*arguments):
            self.done.append(name)
            return real(*arguments)

        return call

    def take(self):
        taken, self.done = self.done, []
        return taken


@pytest.mark.parametrize("what", ACTS)
async def test_the_same_work_is_done_for_any_address(owner, ann, what, monkeypatch):
    work = Work(owner, monkeypatch)
    await act(owner, what, KNOWN)
    known = work.take()
    await act(owner, what, UNKNOWN)
    assert work.take() == known and len(known) > 3


def welch_t(one, other):
    """Welch's t of two samples, the slowest twentieth of each left out: a machine's hiccups."""

    def trimmed(sample):
        return sorted(sample)[: len(sample) * 19 // 20]

    a, b = trimmed(one), trimmed(other)
    spread = statistics.variance(a) / len(a) + statistics.variance(b) / len(b)
    return (statistics.fmean(a) - statistics.fmean(b)) / math.sqrt(spread)


@pytest.mark.skipif(not SAMPLES, reason="ENUMERATION_SAMPLES is not set")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("what", ACTS)
async def test_the_same_time_is_taken_for_any_address(owner, ann, what, capfd):
    if what != "reset" and owner.people.passwords.cost != COST:
        owner.people.passwords.cost = COST
        made = await owner.people.passwords.hash(PASSWORD)  # the owner's own hash costs as much
        await owner.rooms.database.write(lambda c: set_password(c, ann, made, 0))
    taken = {KNOWN: [], UNKNOWN: []}
    for _ in range(SAMPLES):
        order = random.sample(sorted(taken), 2)
        for email in order:
            owner.rooms.clock.advance(1_000)  # past the window of counted tries
            started = time.perf_counter()
            await act(owner, what, email)
            taken[email].append(time.perf_counter() - started)
    t, medians = welch_t(*taken.values()), map(statistics.median, taken.values())
    with capfd.disabled():
        known_us, unknown_us = (round(median * 1e6) for median in medians)
        sys.stdout.write(
            f"{what}: t = {t:+.2f} over {SAMPLES} pairs, {known_us} us, {unknown_us} us\n"
        )
    assert abs(t) < 4.5
