"""Grants and the journal on a real database: durable, idempotent, append-only, chained."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from gateway.base.money import MoneyError
from gateway.platform.ledger import balances, journal
from gateway.platform.ledger.ledger import LedgerDamaged
from tests.fakes.books import Books

GRANT = {"source": "cash:manual", "reason": "invoice 1", "transaction_id": "grant:1"}


async def test_a_grant_is_a_transfer_a_lot_and_a_balance(where: Path | str) -> None:
    async with Books(where) as books:
        lot = await books.ledger.grant(3, 5_000_000, **GRANT)
        assert (lot.kind, lot.remaining_microusd) == ("purchased", 5_000_000)
        assert books.ledger.balance(3) == 5_000_000
        rows = await books.database.read(lambda c: journal.find(c, "grant:1"))
        assert [(r.debit_no, r.credit_no, r.amount_microusd) for r in rows] == [
            (6, lot.ledger_no, 5_000_000)
        ]
        assert (await books.verify()).findings == []


async def test_repeating_a_grant_returns_the_lot_and_other_fields_are_refused(
    where: Path | str,
) -> None:
    async with Books(where) as books:
        first, second = await asyncio.gather(
            books.ledger.grant(3, 100, **GRANT), books.ledger.grant(3, 100, **GRANT)
        )
        assert first == second
        books.charge(3, 100_000_000)
        await books.settled()
        again = await books.ledger.grant(3, 100, **GRANT)
        assert (again.no, again.remaining_microusd) == (first.no, 0)
        assert books.ledger.balance(3) == 0
        for account_no, amount, changes in (
            (4, 100, {}),
            (3, 101, {}),
            (3, 100, {"reason": "another"}),
            (3, 100, {"source": "promotion"}),
        ):
            with pytest.raises(journal.TransactionConflict):
                await books.ledger.grant(account_no, amount, **{**GRANT, **changes})
        assert (await books.verify()).findings == []


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_microusd": 0},
        {"amount_microusd": -5},
        {"amount_microusd": 2**53},
        {"source": "elsewhere"},
        {"source": "cash:"},
        {"kind": "promotional"},
        {"reason": ""},
        {"reason": "two\nlines"},
        {"transaction_id": "charge:req_1"},
        {"transaction_id": "x" * 201},
        {"corrects": "grant:unknown"},
    ],
)
async def test_wrong_grants_are_refused(where: Path | str, changes: dict[str, object]) -> None:
    async with Books(where) as books:
        with pytest.raises(MoneyError):
            await books.ledger.grant(
                **{"account_no": 3, "amount_microusd": 100, **GRANT, **changes}
            )
        assert books.ledger.balance(3) == 0
        assert (await books.verify()).entries == 0


async def test_a_correction_names_what_it_corrects(where: Path | str) -> None:
    async with Books(where) as books:
        await books.ledger.grant(3, 100, **GRANT)
        request_id = books.charge(3, 40_000_000)
        await books.settled()
        lot = await books.ledger.grant(
            3,
            40,
            source="adjustment",
            reason="answer was empty",
            transaction_id="grant:2",
            corrects=f"charge:{request_id}",
        )
        assert (lot.kind, books.ledger.balance(3)) == ("adjustment", 100)
        assert (await books.verify()).findings == []


async def test_a_grant_outlives_its_caller(where: Path | str) -> None:
    async with Books(where) as books:
        task = asyncio.ensure_future(books.ledger.grant(3, 100, **GRANT))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await books.ledger.grant(3, 1, **{**GRANT, "transaction_id": "grant:2"})
        assert books.ledger.balance(3) == 101


async def test_a_new_processor_opens_its_cash_account(where: Path | str) -> None:
    async with Books(where) as books:
        await books.grant(3, 100, "cash:stripe")
        await books.grant(3, 100, "cash:stripe")
        rows = await books.database.read(
            lambda c: c.execute(
                text("SELECT no, kind FROM ledger_accounts WHERE code LIKE 'c%e'")
            ).all()
        )
        assert rows == [(7, "asset")]
        assert (await books.verify()).findings == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET amount_microusd = 1",
        "UPDATE ledger_entries SET memo = 'x' WHERE seq = 1",
        "DELETE FROM ledger_entries",
    ],
)
async def test_triggers_refuse_update_and_delete(where: Path | str, statement: str) -> None:
    async with Books(where) as books:
        await books.grant(3, 100)
        with pytest.raises(IntegrityError, match="append-only"):
            await books.database.write(lambda c: c.execute(text(statement)))
        assert (await books.verify()).entries == 1


@pytest.mark.parametrize("amount", [0, -1, 2**53])
async def test_a_transfer_moves_a_positive_bounded_amount(where: Path | str, amount: int) -> None:
    async with Books(where) as books:
        transfer = journal.Transfer("t", 0, "test", 1, 2, amount, 0)
        with pytest.raises(MoneyError):
            await books.database.write(lambda c: journal.append(c, [transfer]))


async def test_a_restart_finds_the_same_wallets(where: Path | str) -> None:
    async with Books(where) as books:
        await books.grant(3, 100)
        await books.grant(3, 50, "adjustment")
        await books.grant(4, 70)
        books.charge(3, 120_000_000 + 7)
        await books.settled()
        before = {
            no: (w.balance_microusd, w.remainder_picousd, [lot.no for lot in w.lots])
            for no, w in books.bank.wallets.items()
        }
    async with Books(where) as books:
        after = {
            no: (w.balance_microusd, w.remainder_picousd, [lot.no for lot in w.lots])
            for no, w in books.bank.wallets.items()
        }
        lots = await books.database.read(lambda c: balances.lots_of(c, 3))
    assert after == before == {3: (30, 7, [2]), 4: (70, 0, [3])}
    assert [lot.remaining_microusd for lot in lots] == [0, 30]


async def test_an_altered_ledger_does_not_start(where: Path | str) -> None:
    async with Books(where) as books:
        await books.grant(3, 100)
        drop = "DROP TRIGGER ledger_entries_no_update"
        if not isinstance(where, Path):
            drop = "DROP TRIGGER ledger_entries_append_only ON ledger_entries"
        change = "UPDATE ledger_entries SET amount_microusd = 101"
        await books.database.write(lambda c: [c.execute(text(s)) for s in (drop, change)])
    books = Books(where)
    try:
        with pytest.raises(LedgerDamaged, match="ledger entry 1 was altered"):
            await books.start()
    finally:
        await books.database.close()
