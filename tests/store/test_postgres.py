"""What is PostgreSQL's own: one writer at a time, readers that cannot write, lost sessions."""

import asyncio
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from gateway.base.clock import ManualClock
from gateway.base.errors import StorageUnavailable
from gateway.store import postgres as own
from gateway.store.database import Database, DatabaseError
from gateway.store.schema.tables import metadata
from tests.fakes.books import PICO, Books
from tests.fakes.postgres import Server

SORTED_OTHERWISE = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
"""
SLEEPERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"


def end_sessions(url: str) -> None:
    """As an administrator would, or a server that restarts."""
    with psycopg.connect(url, autocommit=True) as connection:
        mine = connection.info.backend_pid
        for (pid,) in connection.execute(SLEEPERS, (mine,)).fetchall():
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


async def test_migrations_lead_to_the_tables_of_the_code(postgres: Server) -> None:
    opened = Database.open(postgres.empty(), clock=ManualClock())

    def differences(connection: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    def sorted_otherwise(connection: sa.Connection) -> list[object]:
        return list(connection.execute(text(SORTED_OTHERWISE)))

    assert await opened.read(differences) == []
    assert await opened.read(sorted_otherwise) == []
    await opened.close()


async def test_a_second_process_is_refused_until_the_first_has_ended(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "LOCK_WAIT_S", 0.0)
    url = postgres.database()
    first = Database.open(url, clock=ManualClock())
    with pytest.raises(DatabaseError, match="in use by another Tallygate"):
        Database.open(url, clock=ManualClock())
    await first.close()
    monkeypatch.setattr(own, "LOCK_WAIT_S", 5.0)
    await Database.open(url, clock=ManualClock()).close()


async def test_readers_cannot_write_and_see_whole_numbers(postgres: Server) -> None:
    opened = Database.open(postgres.database(), clock=ManualClock())
    with pytest.raises(sa.exc.DBAPIError, match="read-only"):
        await opened.read(lambda c: c.execute(text("DELETE FROM wallets")))
    insert = text("INSERT INTO wallets VALUES (1, 5, 0), (2, 6, 0)")
    await opened.write(lambda c: c.execute(insert))
    total = await opened.read(lambda c: c.scalar(text("SELECT sum(balance_microusd) FROM wallets")))
    assert type(total) is int and total == 11
    await opened.close()


async def test_what_is_asked_for_with_a_nul_is_not_there(postgres: Server) -> None:
    """As with SQLite: a search for it finds nothing, and is no fault."""
    opened = Database.open(postgres.database(), clock=ManualClock())
    asked = text("SELECT count(*) FROM api_keys WHERE name = :name OR name LIKE :name")
    for name in ("a\0b", "\0", "it's \\ \0 %"):
        assert await opened.read(lambda c, name=name: c.scalar(asked, {"name": name})) == 0
    same = text("SELECT CAST(:words AS text)")
    for words in ("it's", "\\", "%s", "é中\U0001f600"):
        assert await opened.read(lambda c, words=words: c.scalar(same, {"words": words})) == words
    await opened.close()


async def test_the_database_itself_refuses_to_change_what_was_written(postgres: Server) -> None:
    opened = Database.open(postgres.database(), clock=ManualClock())
    for table in ("ledger_entries", "prices", "audit_log"):
        for statement in (
            f"UPDATE {table} SET no = 1",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
        ):
            words = text(statement.replace("SET no", "SET seq") if table != "prices" else statement)
            with pytest.raises(sa.exc.IntegrityError, match="append-only"):
                await opened.write(lambda c, words=words: c.execute(words))
    await opened.close()


async def test_charges_outlive_a_lost_session(postgres: Server) -> None:
    url = postgres.database()
    async with Books(url) as books:
        await books.grant(1, 1_000)
        books.charge(1, 10 * PICO)
        await books.settled()
        await asyncio.to_thread(end_sessions, url)
        books.charge(1, 20 * PICO)
        await books.settled()
        assert books.settlements.healthy
        assert len(books.durable) == 2
        with pytest.raises(StorageUnavailable):  # its session was ended too; the next is new
            await books.database.read(lambda c: c.execute(text("SELECT 1")))
        assert (await books.verify()).findings == []
        assert books.ledger.balance(1) == 970


async def test_a_session_is_not_taken_up_again_after_another_writer(postgres: Server) -> None:
    url = postgres.database()
    books = await Books(url).start()
    await books.grant(1, 1_000)
    await asyncio.to_thread(end_sessions, url)
    other = await asyncio.to_thread(lambda: Database.open(url, clock=ManualClock()))
    await other.close()
    books.charge(1, 20 * PICO)
    async with asyncio.timeout(20):
        while books.settlements.healthy:
            await asyncio.sleep(0.01)
    assert await books.database.close(0.2) == 1  # what it held back was never written
    async with Books(url) as again:
        assert again.ledger.balance(1) == 1_000


async def test_what_cannot_be_opened_is_one_clear_line(postgres: Server, tmp_path: Path) -> None:
    for url, words in (
        (f"postgresql://u:hunter2@/x?host={tmp_path}", "cannot open the database"),
        ("mysql://u@h/x", "not supported"),
        ("postgresql://u@h:port/x", "not a URL"),
        (postgres.url("nowhere"), "does not exist"),
    ):
        with pytest.raises(DatabaseError, match=words) as refusal:
            Database.open(url, clock=ManualClock())
        assert "\n" not in str(refusal.value)
        assert "hunter2" not in str(refusal.value)
