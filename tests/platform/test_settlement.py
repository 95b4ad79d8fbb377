"""Settlement on a real database: one transaction a batch, idempotent, in agreement throughout."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.base.errors import CreditInUse, InsufficientCredit
from gateway.base.money import MoneyError
from gateway.platform.request_log import query
from tests.fakes.books import Books, make_row

PICO = 1_000_000


async def test_charges_rows_and_rollups_arrive_together(where: Path | str) -> None:
    async with Books(where) as books:
        await books.grant(1, 10_000)
        await books.grant(2, 10_000)
        for number in range(200):
            books.charge(1 + number % 2, 7 * PICO + 500_000)
        books.submit(None, 1, outcome="refused", status=429)
        await books.settled()
        assert books.durable == books.submitted
        assert books.ledger.balance(1) == 10_000 - 750
        hour = books.clock.now_us() // 3_600_000_000
        (total,) = await books.database.read(
            lambda c: query.totals(c, from_hour=hour, until_hour=hour + 1, account_no=1)
        )
        assert (total.requests, total.failures, total.cost_microusd) == (101, 1, 750)
        assert (await books.verify()).findings == []


async def test_two_hundred_clients_spend_a_balance_for_one_hundred(where: Path | str) -> None:
    async with Books(where) as books:
        await books.grant(1, 100 * 50)
        served, refused = 0, 0

        async def client() -> None:
            nonlocal served, refused
            while True:
                try:
                    hold = books.bank.hold(1, 50, 50)
                except CreditInUse:
                    await asyncio.sleep(0)
                    continue
                except InsufficientCredit:
                    refused += 1
                    return
                await asyncio.sleep(0)
                books.submit(hold.settle(50 * PICO), 1)
                served += 1
                return

        await asyncio.gather(*(client() for _ in range(200)))
        await books.settled()
        assert (served, refused, books.ledger.balance(1)) == (100, 100, 0)
        assert (await books.verify()).findings == []


async def test_a_charge_is_submitted_once(where: Path | str) -> None:
    async with Books(where) as books:
        await books.grant(1, 1_000)
        charge = books.bank.hold(1, 10, 10).settle(10 * PICO)
        books.submit(charge, 1)
        with pytest.raises(MoneyError):
            books.submit(charge, 1)
        await books.settled()
        assert books.ledger.balance(1) == 990


async def test_a_request_id_is_charged_once_and_the_credit_comes_back(where: Path | str) -> None:
    async with Books(where) as books:
        await books.grant(1, 1_000)
        first = books.charge(1, 10 * PICO)
        await books.settled()
        books.charge(1, 30 * PICO, id=first)  # across batches
        other = books.charge(1, 5 * PICO)
        books.charge(1, 40 * PICO, id=other)  # and within one
        await books.settled()
        assert books.settlements.healthy
        assert books.settlements.refused == 2
        assert books.ledger.balance(1) == 985
        stored = await books.database.read(lambda c: query.find(c, first))
        assert stored is not None
        assert stored.row.cost_microusd == 10
        assert (await books.verify()).findings == []


async def test_a_batch_whose_commit_took_effect_unseen_is_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an I/O error on the commit: stored, but reported as failed."""
    async with Books(tmp_path / "t.db") as books:
        await books.grant(1, 1_000)
        flush = books.database.writer._flush
        assert flush is not None
        failures = 0

        def commit_then_fail(connection, items, failed):  # type: ignore[no-untyped-def]
            nonlocal failures
            flush(connection, items, failed)
            if failures < 2:
                failures += 1
                connection.commit()
                connection.exec_driver_sql("BEGIN")
                error = OSError("disk")
                error.sqlite_errorcode = 10  # type: ignore[attr-defined]
                raise error

        monkeypatch.setattr(books.database.writer, "_flush", commit_then_fail)
        for _ in range(5):
            books.charge(1, 10 * PICO)
        await books.settled()
        assert failures == 2
        assert books.durable == books.submitted
        assert books.settlements.refused == 0
        assert books.ledger.balance(1) == 950
        assert (await books.verify()).findings == []


async def test_a_free_charge_of_an_account_without_credit_keeps_its_remainder(
    where: Path | str,
) -> None:
    async with Books(where) as books:
        books.charge(9, 400_000)
        books.charge(9, 700_000)
        await books.settled()
        wallet = books.bank.wallets[9]
        assert (wallet.balance_microusd, wallet.remainder_picousd) == (0, 100_000)
        assert (await books.verify()).findings == []
    async with Books(where) as books:
        assert books.bank.wallets[9].remainder_picousd == 100_000


async def test_pending_is_bounded_by_accepting(where: Path | str) -> None:
    async with Books(where, max_pending=3) as books:
        await books.grant(1, 1_000)
        assert books.settlements.accepting
        for _ in range(3):
            books.charge(1, PICO)
        assert not books.settlements.accepting
        books.charge(1, PICO)  # what was delivered is recorded all the same
        assert books.settlements.pending == 4
        await books.settled()
        assert books.settlements.accepting
        assert len(books.durable) == 4


async def test_close_writes_what_is_queued(where: Path | str) -> None:
    async with Books(where, commit_delay_us=1_500) as books:
        await books.grant(1, 1_000_000)
        for _ in range(2_500):
            books.charge(1, PICO)
    assert len(books.durable) == 2_500
    async with Books(where) as books:
        assert books.ledger.balance(1) == 1_000_000 - 2_500
        assert (await books.verify()).findings == []


async def test_a_completion_that_fails_does_not_silence_the_others(where: Path | str) -> None:
    async with Books(where) as books:
        reported: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context["message"]))

        def fail() -> None:
            raise RuntimeError("a fault in a completion")

        books.settlements.submit(None, make_row("req_a", 1), fail)
        books.submit(None, 1)
        await books.settled()
        assert (len(books.durable), len(reported)) == (1, 1)
        loop.set_exception_handler(None)


async def test_no_column_can_hold_content(tmp_path: Path) -> None:
    """The log's columns are an allow-list: a new one has to be argued for here."""
    async with Books(tmp_path / "t.db") as books:
        columns = await books.database.read(
            lambda c: {row[1] for row in c.execute(text("PRAGMA table_info(request_log)"))}
        )
    assert columns == {"seq", *make_row("req_a", 1)._fields}
