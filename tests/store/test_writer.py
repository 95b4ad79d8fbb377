"""The group writer under real faults: locked, full and failing storage, and its recovery."""

import asyncio
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from gateway.base.errors import StorageUnavailable
from tests.fakes.books import Books
from tests.fakes.disk import small_file_system

PICO = 1_000_000
MIB = 1024 * 1024


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must happen; the test's own time limit is the bound."""
    while not condition():
        await asyncio.sleep(0.005)


async def check_recovered(books: Books, path: Path) -> None:
    await books.settled()
    assert books.settlements.healthy
    assert books.settlements.accepting
    assert books.durable == books.submitted
    assert (await books.verify()).findings == []
    await books.database.close()
    async with Books(path) as again:
        assert again.bank.wallets[1].balance_microusd == books.ledger.balance(1)


async def test_what_queues_during_a_commit_goes_into_the_next_one(tmp_path: Path) -> None:
    async with Books(tmp_path / "t.db") as books:
        await books.grant(1, 1_000_000)
        before = books.database.writer.batches
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()

        def block(_: object) -> None:
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

        blocked = asyncio.ensure_future(books.database.write(block))
        await asyncio.sleep(0)
        for _ in range(700):
            books.charge(1, PICO)
        gate.set()
        await blocked
        await books.settled()
        assert books.database.writer.batches == before + 2
        assert books.durable == books.submitted


async def test_what_is_patient_waits_for_company_and_no_longer(tmp_path: Path) -> None:
    async with Books(tmp_path / "t.db") as books:
        await books.grant(1, 1_000_000)
        writer = books.database.writer
        before = writer.batches
        for _ in range(3):
            books.charge(1, PICO, patience_s=3600.0)
        await asyncio.sleep(0.05)
        assert writer.batches == before and not books.durable
        books.charge(1, PICO)  # takes them along
        await books.settled()
        assert writer.batches == before + 1
        assert books.durable == books.submitted
        first = books.charge(1, PICO, patience_s=0.05)
        second = books.charge(1, PICO, patience_s=3600.0)  # whoever waits for the first has both
        await books.settled()
        assert books.durable[-2:] == [first, second]
        assert writer.batches == before + 2
        patient = books.charge(1, PICO, patience_s=3600.0)
        less = books.charge(1, PICO, patience_s=0.05)  # nobody waits longer than they would
        await books.settled()
        assert books.durable[-2:] == [patient, less]
        assert writer.batches == before + 3


async def test_what_is_patient_is_written_by_calls_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    async with Books(path) as books:
        await books.grant(1, 1_000_000)
        before = books.database.writer.batches
        books.charge(1, PICO, patience_s=3600.0)
        await books.database.write(lambda _: None)
        assert books.database.writer.batches == before + 2
        await books.settled()
        books.charge(1, PICO, patience_s=3600.0)
    assert books.durable == books.submitted
    async with Books(path) as again:
        assert again.bank.wallets[1].balance_microusd == 1_000_000 - 2


async def test_whenever_they_come_none_is_forgotten(tmp_path: Path) -> None:
    """The patient and the urgent, while the thread sleeps, wakes or writes."""
    rng = random.Random(7)
    async with Books(tmp_path / "t.db") as books:
        await books.grant(1, 1_000_000)
        for number in range(2_000):
            books.charge(1, PICO, patience_s=rng.choice((0.0, 0.0005, 0.002)))
            if rng.random() < 0.5:
                await asyncio.sleep(rng.choice((0.0, 0.0, 0.0003, 0.003)))
            if number % 100 == 99:  # and alone
                await books.settled()
        await books.settled()
        assert books.durable == books.submitted


def test_the_least_patience_is_kept_by_uvloop(tmp_path: Path) -> None:
    """Its timers count in milliseconds, and one of less is no timer."""

    async def run() -> None:
        async with Books(tmp_path / "t.db") as books:
            await books.grant(1, 1_000_000)
            for patience_s in (0.0001, 0.05, 0.0001, 0.002, 0.0001):
                books.charge(1, PICO, patience_s=patience_s)
            await books.settled()
            assert books.durable == books.submitted

    uvloop.run(run())


async def test_a_batch_is_capped(tmp_path: Path) -> None:
    async with Books(tmp_path / "t.db") as books:
        await books.grant(1, 1_000_000)
        before = books.database.writer.batches
        for _ in range(3_500):
            books.charge(1, PICO)
        await books.settled()
        assert books.database.writer.batches - before >= 4
        assert len(books.durable) == 3_500


async def test_locked_by_another_connection(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    async with Books(path) as books:
        await books.grant(1, 1_000_000)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(50):
            books.charge(1, PICO)
        await until(lambda: not books.settlements.healthy)
        assert not books.settlements.accepting
        assert books.durable == []
        assert books.settlements.pending == 50
        books.charge(1, PICO)
        other.execute("ROLLBACK")
        other.close()
        await check_recovered(books, path)


async def test_a_write_while_locked_is_refused_not_queued_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    async with Books(path) as books:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageUnavailable):
            await books.grant(1, 10)
        other.execute("ROLLBACK")
        other.close()
        await books.grant(1, 10)
        assert books.ledger.balance(1) == 10


async def test_a_database_at_its_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    async with Books(path) as books:
        await books.grant(1, 1_000_000)
        raw = books.database.writer._connection.connection.driver_connection
        assert raw is not None
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count={pages}")
        for _ in range(500):
            books.charge(1, PICO)
        await until(lambda: not books.settlements.healthy)
        assert len(books.durable) < 500
        raw.execute("PRAGMA max_page_count=1000000")
        await check_recovered(books, path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_file_system(tmp_path / "disk", 2) as folder:
        yield folder


async def test_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "t.db"
    async with Books(path) as books:
        await books.grant(1, 1_000_000)
        room = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(max(room - 20_000, 0)))
        for _ in range(400):
            books.charge(1, PICO)
        await until(lambda: not books.settlements.healthy)
        acknowledged = len(books.durable)
        assert acknowledged < 400
        ballast.unlink()
        await check_recovered(books, path)


async def test_an_io_error_reopens_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.db"
    async with Books(path) as books:
        await books.grant(1, 1_000_000)
        writer = books.database.writer
        before = writer._connection
        flush = writer._flush
        assert flush is not None
        failures = 0

        def fail_first(connection, items, failed):  # type: ignore[no-untyped-def]
            nonlocal failures
            flush(connection, items, failed)
            if failures < 2:
                failures += 1
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = 10
                raise error

        monkeypatch.setattr(writer, "_flush", fail_first)
        for _ in range(20):
            books.charge(1, PICO)
        await books.settled()
        assert failures == 2
        assert writer._connection is not before
        await check_recovered(books, path)


async def test_close_gives_up_on_a_storage_that_stays_locked(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    books = await Books(path).start()
    await books.grant(1, 1_000)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for _ in range(5):
        books.charge(1, PICO)
    assert await books.database.close(timeout_s=0.3) == 5
    other.execute("ROLLBACK")
    other.close()
    assert books.durable == []
    async with Books(path) as again:  # never acknowledged, so never promised
        assert again.ledger.balance(1) == 1_000
        assert (await again.verify()).findings == []


async def test_a_closed_writer_refuses(tmp_path: Path) -> None:
    books = await Books(tmp_path / "t.db").start()
    await books.database.close()
    with pytest.raises(StorageUnavailable):
        await books.database.write(lambda _: None)
