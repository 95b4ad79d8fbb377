"""Long checks: one of a kind at once, counted, kept, interrupted by a stop and by nothing else."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.base.clock import SystemClock
from gateway.base.errors import StorageUnavailable
from gateway.base.progress import Progress
from gateway.platform.checks import Checks
from gateway.platform.ledger.reconcile import verify
from tests.fakes.books import Books

ENDLESS = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
)


async def until(holds) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


async def test_who_asks_while_one_runs_waits_for_that_one(where: Path | str) -> None:
    async with Books(where) as books:
        checks, go, begun = Checks(books.database, SystemClock()), threading.Event(), []

        def check(connection, progress):
            begun.append(1)
            progress.begin(2, 3, 10)
            progress.count(4)
            go.wait(20)
            return "found"

        first = asyncio.create_task(checks.run("a", check))
        await until(lambda: checks.progress("a") is not None and checks.progress("a").rows == 4)
        second = asyncio.create_task(checks.run("a", check))
        assert (checks.progress("a").part, checks.progress("a").parts) == (2, 3)
        assert checks.progress("b") is None and checks.last("a") is None
        first.cancel()  # who asked has left: the check goes on
        await checks.run_for("a", check, 0.05)
        assert checks.progress("a") is not None
        go.set()
        assert await second == "found" and begun == [1]
        assert checks.progress("a") is None and checks.last("a").report == "found"
        assert await checks.run("a", lambda c, p: "again") == "again"
        assert checks.last("a").report == "again"


async def test_a_check_that_fails_is_kept_as_one_without_a_result(where: Path | str) -> None:
    async with Books(where) as books:
        checks = Checks(books.database, SystemClock())

        def check(connection, progress):
            raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            await checks.run("a", check)
        assert checks.last("a").report is None and checks.progress("a") is None


async def test_a_stop_interrupts_a_check_in_one_long_query(where: Path | str) -> None:
    async with Books(where) as books:
        checks, running = Checks(books.database, SystemClock()), threading.Event()

        def check(connection, progress):
            running.set()
            return connection.scalar(ENDLESS)

        task = asyncio.create_task(checks.run("a", check))
        await asyncio.to_thread(running.wait, 20)
        await asyncio.sleep(0.05)  # into the query
        async with asyncio.timeout(20):
            await checks.close()
        with pytest.raises(StorageUnavailable):
            await task
        assert checks.last("a").report is None
        # The connection that was interrupted serves the next.
        assert await books.database.read(lambda c: c.scalar(text("SELECT 7"))) == 7


async def test_the_ledger_is_checked_in_counted_parts_and_stops_between_them(
    where: Path | str,
) -> None:
    async with Books(where) as books:
        await books.grant(1, 5_000, "cash:manual")
        checks, seen = Checks(books.database, SystemClock()), []

        class Watched(Progress):
            def begin(self, *of):
                seen.append(of)
                super().begin(*of)

        report = await checks.run("ledger", lambda c, _: verify(c, Watched()))
        assert report.findings == [] and len(seen) > 5
        assert [of[:2] for of in seen] == [(n, len(seen)) for n in range(1, len(seen) + 1)]
        assert seen[0][2] == report.entries == 1  # the chain's

        def stopped(connection, progress):
            progress.stopping = True
            return verify(connection, progress)

        with pytest.raises(StorageUnavailable):
            await checks.run("ledger", stopped)
