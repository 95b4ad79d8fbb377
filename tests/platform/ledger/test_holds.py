"""Holds and charges: pure decisions, against the rules of money.md written as properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import CreditInUse, InsufficientCredit
from gateway.base.money import MoneyError
from gateway.platform.ledger.chart import LOT_BASE, OVERRUN_LOSS, REVENUE
from gateway.platform.ledger.holds import Bank

PICO = 1_000_000


def bank_with(*lots: tuple[str, int]) -> Bank:
    bank = Bank()
    for number, (kind, amount) in enumerate(lots, 1):
        assert bank.credit(7, number, kind, amount)
    return bank


def test_a_hold_takes_what_it_wants_or_what_there_is() -> None:
    bank = bank_with(("purchased", 100))
    first = bank.hold(7, 10, 60)
    second = bank.hold(7, 10, 60)
    assert (first.amount_microusd, second.amount_microusd) == (60, 40)
    assert bank.wallets[7].available_microusd == 0
    assert bank.balance(7) == 100


def test_too_little_credit_and_credit_in_use_are_different_refusals() -> None:
    bank = bank_with(("purchased", 100))
    with pytest.raises(InsufficientCredit):
        bank.hold(7, 101, 200)
    hold = bank.hold(7, 50, 50)
    with pytest.raises(CreditInUse) as refusal:
        bank.hold(7, 51, 51)
    assert refusal.value.retry_after_s == 1
    hold.release()
    assert bank.hold(7, 51, 51).amount_microusd == 51


def test_an_unknown_account_may_only_do_what_is_free() -> None:
    bank = Bank()
    with pytest.raises(InsufficientCredit):
        bank.hold(1, 1, 1)
    charge = bank.hold(1, 0, 0).settle(0)
    assert (charge.legs, charge.posted_microusd) == ((), 0)


@pytest.mark.parametrize(("least", "want"), [(-1, 5), (5, 4), (-5, -5)])
def test_negative_and_inverted_holds_are_refused(least: int, want: int) -> None:
    with pytest.raises(MoneyError):
        bank_with(("purchased", 100)).hold(7, least, want)


def test_lots_are_used_promotional_first_then_adjustments_then_oldest_purchase() -> None:
    bank = bank_with(("purchased", 10), ("purchased", 10), ("adjustment", 10), ("promotional", 10))
    charge = bank.hold(7, 0, 40).settle(35 * PICO)
    assert charge.legs == (
        (LOT_BASE + 4, REVENUE, 10),
        (LOT_BASE + 3, REVENUE, 10),
        (LOT_BASE + 1, REVENUE, 10),
        (LOT_BASE + 2, REVENUE, 5),
    )


def test_a_hold_grows_only_into_what_nobody_holds() -> None:
    bank = bank_with(("purchased", 100))
    hold, other = bank.hold(7, 0, 10), bank.hold(7, 0, 50)
    assert hold.grow_to(50)
    assert not hold.grow_to(51)
    assert hold.amount_microusd == 50
    other.release()
    assert hold.grow_to(100)
    assert hold.grow_to(20)
    assert hold.amount_microusd == 100


def test_a_cost_beyond_hold_and_balance_is_the_operators_loss() -> None:
    bank = bank_with(("purchased", 100))
    other = bank.hold(7, 30, 30)
    charge = bank.hold(7, 10, 10).settle(90 * PICO)
    assert (charge.posted_microusd, charge.overrun_microusd) == (70, 20)
    assert charge.legs[-1] == (OVERRUN_LOSS, REVENUE, 20)
    assert bank.balance(7) == other.amount_microusd == 30


def test_a_hold_is_resolved_exactly_once() -> None:
    bank = bank_with(("purchased", 100))
    hold = bank.hold(7, 10, 10)
    hold.settle(PICO)
    for again in (hold.release, lambda: hold.settle(PICO), lambda: hold.grow_to(20)):
        with pytest.raises(MoneyError):
            again()
    with bank.hold(7, 10, 10):
        assert bank.wallets[7].held_microusd == 10
    assert bank.wallets[7].held_microusd == 0


@pytest.mark.parametrize("cost", [-1, 2**80])
def test_an_absurd_cost_moves_nothing_and_keeps_the_hold(cost: int) -> None:
    bank = bank_with(("purchased", 100))
    hold = bank.hold(7, 10, 10)
    with pytest.raises(MoneyError):
        hold.settle(cost)
    assert not hold.resolved
    assert bank.balance(7) == 100


def test_a_lot_is_credited_once_whatever_is_repeated() -> None:
    bank = Bank()
    bank.load([(7, 5)], [(1, 7, "purchased", 0), (2, 7, "purchased", 40)])
    assert not bank.credit(7, 1, "purchased", 99)
    assert not bank.credit(7, 2, "purchased", 40)
    assert bank.credit(7, 3, "purchased", 1)
    assert not bank.credit(7, 3, "purchased", 1)
    assert bank.balance(7) == 41
    assert bank.wallets[7].remainder_picousd == 5


@given(st.lists(st.integers(0, 40 * PICO), max_size=40), st.integers(0, 500))
def test_many_small_charges_differ_from_the_exact_sum_by_less_than_one(
    costs: list[int], credit: int
) -> None:
    bank = bank_with(("purchased", credit or 1))
    posted = overrun = 0
    for cost in costs:
        charge = bank.hold(7, 0, 20).settle(cost)
        posted += charge.posted_microusd
        overrun += charge.overrun_microusd
        wallet = bank.wallets[7]
        assert 0 <= wallet.held_microusd <= wallet.balance_microusd
        assert wallet.balance_microusd == sum(lot.remaining_microusd for lot in wallet.lots)
    exact = sum(costs)
    assert (posted + overrun) * PICO <= exact < (posted + overrun + 1) * PICO
    assert bank.balance(7) == (credit or 1) - posted
