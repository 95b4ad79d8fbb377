"""A state machine of bank, settlements and database against a model that only adds and subtracts.

After every step: no wallet below zero, nothing held beyond the balance, memory equal to the model.
After every drain and restart: disk equal to the model and verification clean.
"""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.base.errors import CreditInUse, InsufficientCredit
from gateway.platform.ledger import balances
from gateway.platform.ledger.holds import Charge, Hold
from tests.fakes.books import Books

PICO = 1_000_000
ACCOUNTS = st.integers(1, 3)
SOURCES = st.sampled_from(["promotion", "adjustment", "cash:manual"])


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

    def run(self, coroutine):  # type: ignore[no-untyped-def]
        return self.loop.run_until_complete(coroutine)

    async def open(self) -> Books:
        return await Books(self.folder / "t.db").start()

    @rule(account=ACCOUNTS, amount=st.integers(1, 500), source=SOURCES)
    def grant(self, account: int, amount: int, source: str) -> None:
        self.run(self.books.grant(account, amount, source))
        self.model[account].granted += amount

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
    @rule(amount=st.integers(0, 700), data=st.data())
    def grow(self, amount: int, data: st.DataObject) -> None:
        account, hold = data.draw(st.sampled_from(self.holds))
        before, model = hold.amount_microusd, self.model[account]
        fits = amount <= before or amount - before <= model.balance - model.held
        assert hold.grow_to(amount) == fits
        model.held += hold.amount_microusd - before

    @precondition(lambda self: self.holds)
    @rule(cost=st.integers(0, 400 * PICO), data=st.data(), again=st.booleans())
    def settle(self, cost: int, data: st.DataObject, again: bool) -> None:
        account, hold = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
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
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        account, hold = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
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
