"""A state machine of bank, settlements and database against a model that only adds and subtracts.

After every step: no wallet below zero, nothing held beyond the balance, memory equal to the model.
After every drain and restart: disk equal to the model and verification clean. Hypothesis looks for
the shortest way to a fault; a walk by seed goes far (MODEL_WALK=1000000).
"""

import asyncio
import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.base.errors import CreditInUse, InsufficientCredit
from gateway.platform.ledger import balances, journal
from gateway.platform.ledger.holds import Charge, Hold
from tests.fakes.books import Books
from tests.fakes.folder import new_database

PICO = 1_000_000
ACCOUNTS = st.integers(1, 3)
WHICH = st.integers(0, 10**6)  # of the holds that are open
SOURCE_NAMES = ["promotion", "adjustment", "cash:manual"]
SOURCES = st.sampled_from(SOURCE_NAMES)


class Account:
    """The model of an account: what it was given, what it cost exactly, what it held."""

    def __init__(self) -> None:
        self.granted = 0
        self.exact_picousd = 0
        self.overrun = 0
        self.held = 0

    @property
    def balance(self) -> int:
        return self.granted - (self.exact_picousd // PICO - self.overrun)


class Money(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.books = self.run(self.open())
        self.model = {number: Account() for number in range(1, 4)}
        self.holds: list[tuple[int, Hold]] = []
        self.granted: list[dict[str, object]] = []

    def run(self, coroutine):  # type: ignore[no-untyped-def]
        return self.loop.run_until_complete(coroutine)

    async def open(self) -> Books:
        return await Books(new_database(self.folder / "t.db")).start()

    @rule(account=ACCOUNTS, amount=st.integers(1, 500), source=SOURCES)
    def grant(self, account: int, amount: int, source: str) -> None:
        self.granted.append(
            {
                "account_no": account,
                "amount_microusd": amount,
                "source": source,
                "reason": "test",
                "transaction_id": f"grant:{len(self.granted)}",
            }
        )
        self.run(self.books.ledger.grant(**self.granted[-1]))  # type: ignore[arg-type]
        self.model[account].granted += amount

    @precondition(lambda self: self.granted)
    @rule(which=WHICH, change=st.sampled_from(["", "account_no", "amount_microusd"]))
    def grant_again(self, which: int, change: str) -> None:
        """The same id moves nothing: with the same fields it is done, with others refused."""
        one = dict(self.granted[which % len(self.granted)])
        if not change:
            self.run(self.books.ledger.grant(**one))  # type: ignore[arg-type]
            return
        one[change] = int(str(one[change])) + 1
        with pytest.raises(journal.TransactionConflict):
            self.run(self.books.ledger.grant(**one))  # type: ignore[arg-type]

    @rule(account=ACCOUNTS, least=st.integers(0, 300), more=st.integers(0, 300))
    def hold(self, account: int, least: int, more: int) -> None:
        model = self.model[account]
        available = model.balance - model.held
        try:
            hold = self.books.bank.hold(account, least, least + more)
        except InsufficientCredit:
            assert model.balance < least
        except CreditInUse:
            assert available < least <= model.balance
        else:
            assert available >= least
            assert hold.amount_microusd == min(least + more, available)
            model.held += hold.amount_microusd
            self.holds.append((account, hold))

    @precondition(lambda self: self.holds)
    @rule(amount=st.integers(0, 700), which=WHICH)
    def grow(self, amount: int, which: int) -> None:
        account, hold = self.holds[which % len(self.holds)]
        before, model = hold.amount_microusd, self.model[account]
        fits = amount <= before or amount - before <= model.balance - model.held
        assert hold.grow_to(amount) == fits
        model.held += hold.amount_microusd - before

    @precondition(lambda self: self.holds)
    @rule(cost=st.integers(0, 400 * PICO), which=WHICH, again=st.booleans())
    def settle(self, cost: int, which: int, again: bool) -> None:
        account, hold = self.holds.pop(which % len(self.holds))
        model = self.model[account]
        spendable = model.balance - model.held + hold.amount_microusd
        whole = (model.exact_picousd + cost) // PICO - model.exact_picousd // PICO
        model.held -= hold.amount_microusd
        charge: Charge = hold.settle(cost)
        assert charge.posted_microusd == min(whole, spendable)
        assert charge.posted_microusd + charge.overrun_microusd == whole
        model.exact_picousd += cost
        model.overrun += charge.overrun_microusd
        self.run(self.submit(charge, account, again and not cost))

    async def submit(self, charge: Charge, account: int, again: bool) -> None:
        request_id = self.books.submit(charge, account)
        if again:  # a repeated id: refused, and nothing moves
            self.books.charge(account, 0, id=request_id)

    @precondition(lambda self: self.holds)
    @rule(which=WHICH)
    def release(self, which: int) -> None:
        account, hold = self.holds.pop(which % len(self.holds))
        self.model[account].held -= hold.amount_microusd
        hold.release()

    @rule()
    def drain(self) -> None:
        self.run(self.books.settled())
        assert self.books.durable == self.books.submitted
        self.check_disk()

    @rule()
    def restart(self) -> None:
        """Stop with holds open: they end unsettled, as after a crash, and cost nothing."""
        self.run(self.books.database.close())
        self.holds.clear()
        for model in self.model.values():
            model.held = 0
        self.books = self.run(self.open())
        self.check_disk()

    def check_disk(self) -> None:
        report = self.run(self.books.verify())
        assert report.findings == []
        for number, model in self.model.items():
            lots = self.run(self.books.database.read(lambda c, n=number: balances.lots_of(c, n)))
            assert sum(lot.remaining_microusd for lot in lots) == model.balance

    @invariant()
    def memory_is_the_model(self) -> None:
        for number, model in self.model.items():
            wallet = self.books.bank.wallets.get(number)
            if wallet is None:
                assert model.balance == 0
                continue
            assert wallet.balance_microusd == model.balance
            assert wallet.held_microusd == model.held
            assert wallet.remainder_picousd == model.exact_picousd % PICO
            assert 0 <= wallet.held_microusd <= wallet.balance_microusd
            assert wallet.balance_microusd == sum(lot.remaining_microusd for lot in wallet.lots)

    def teardown(self) -> None:
        self.run(self.books.settled())
        self.check_disk()
        self.run(self.books.database.close())
        self.loop.close()
        shutil.rmtree(self.folder)


Money.TestCase.settings = settings(
    max_examples=int(os.environ.get("MODEL_RUNS", "12")),
    stateful_step_count=int(os.environ.get("MODEL_STEPS", "40")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestMoney = Money.TestCase


STEPS = int(os.environ.get("MODEL_WALK", "3000"))
ONE_WALK = 10_000  # steps on one ledger, whose verification takes longer the longer it is


def step(money: Money, rng: random.Random) -> None:
    """One step of a walk; what costs a commit of its own comes seldom."""
    act, account, which = rng.random(), rng.randrange(1, 4), rng.randrange(10**6)
    if act < 0.002:
        money.restart() if act < 0.0004 else money.drain()
    elif act < 0.04:
        money.grant(account, rng.randrange(1, 500), rng.choice(SOURCE_NAMES))
    elif act < 0.06 and money.granted:
        money.grant_again(which, rng.choice(["", "account_no", "amount_microusd"]))
    elif act < 0.45 or not money.holds:
        money.hold(account, rng.randrange(300), rng.randrange(300))
    elif act < 0.62:
        money.grow(rng.randrange(700), which)
    elif act < 0.92:
        cost = rng.choice([0, 1, PICO - 1, PICO, rng.randrange(400 * PICO)])
        money.settle(cost, which, rng.random() < 0.1)
    else:
        money.release(which)
    money.memory_is_the_model()


@pytest.mark.timeout(max(120, STEPS // 100))
def test_a_long_walk_stays_with_the_model() -> None:
    for seed in range(-(-STEPS // ONE_WALK)):
        money, rng = Money(), random.Random(seed)
        for number in range(min(ONE_WALK, STEPS - seed * ONE_WALK)):
            try:
                step(money, rng)
            except BaseException as error:
                error.add_note(f"seed {seed}, step {number}")
                raise
        money.teardown()
