"""Opening, migrating, reading and writing a real SQLite file."""

import asyncio
import sqlite3
import stat
import threading
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gateway.base.clock import ManualClock
from gateway.store.bulk import bulk_add, bulk_change, bulk_insert
from gateway.store.database import Database, DatabaseError, newest_revision
from gateway.store.schema.tables import metadata


@pytest.fixture
async def database(tmp_path: Path):  # type: ignore[no-untyped-def]
    opened = Database.open(tmp_path / "t.db", clock=ManualClock())
    yield opened
    await opened.close()


async def test_migrations_lead_to_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await database.read(differences) == []


async def test_every_check_of_the_code_is_in_the_migrated_tables(database: Database) -> None:
    for table in metadata.tables.values():
        wanted = {
            str(constraint.sqltext)
            for constraint in table.constraints
            if isinstance(constraint, sa.CheckConstraint)
        }
        query = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
        sql = await database.read(lambda c, n=table.name, q=query: c.scalar(q, {"name": n}))
        assert sql is not None
        assert all(check in sql for check in wanted), table.name


async def test_settings_of_the_writing_connection(database: Database) -> None:
    def pragmas(connection: sa.Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    assert await database.write(pragmas) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }


def _churn(connection: sa.Connection) -> None:
    """Rows that split and join pages, and are gone in the end."""
    connection.execute(text("CREATE TABLE t (no INTEGER PRIMARY KEY, k TEXT)"))
    connection.execute(text("CREATE INDEX i ON t (k)"))
    random = Random(1)
    for row in range(2_000):
        values = {"no": random.getrandbits(40), "k": f"canary-{row}".ljust(random.randint(20, 300))}
        connection.execute(text("INSERT INTO t VALUES (:no, :k)"), values)
    for no in list(connection.scalars(text("SELECT no FROM t"))):
        connection.execute(text("UPDATE t SET k = '-' WHERE no = :no"), {"no": no})


async def test_what_was_scrubbed_is_in_no_file(database: Database, tmp_path: Path) -> None:
    await database.write(_churn)
    assert await database.scrub()
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found["t.db-wal"] == b"" and len(found["t.db"]) > 10_000
    assert [name for name, content in found.items() if b"canary-" in content] == []


async def test_a_reader_in_the_way_is_waited_for(database: Database, tmp_path: Path) -> None:
    opened, go_on = threading.Event(), threading.Event()

    def look(connection: sa.Connection) -> None:
        connection.scalar(text("SELECT count(*) FROM accounts"))
        opened.set()
        go_on.wait(20)

    reading = asyncio.create_task(database.read(look))
    await asyncio.to_thread(opened.wait, 20)
    await database.write(_churn)
    scrubbing = asyncio.create_task(database.scrub())
    await asyncio.sleep(0.3)
    assert not scrubbing.done()
    go_on.set()
    await reading
    assert await scrubbing and (tmp_path / "t.db-wal").read_bytes() == b""


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(sa.exc.OperationalError, match="readonly"):
        await database.read(lambda c: c.execute(text("DELETE FROM wallets")))


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    def fail(connection: sa.Connection) -> None:
        connection.execute(text("INSERT INTO wallets VALUES (1, 5, 0)"))
        raise LookupError("after the insert")

    with pytest.raises(LookupError):
        await database.write(fail)
    count = text("SELECT count(*) FROM wallets")
    assert await database.write(lambda c: c.scalar(count)) == 0
    assert database.writer.healthy


async def test_a_faulty_statement_is_the_callers_own_error(database: Database) -> None:
    with pytest.raises(sa.exc.OperationalError, match="no such table"):
        await database.write(lambda c: c.execute(text("SELECT * FROM nowhere")))
    assert database.writer.healthy


async def test_writes_run_in_the_order_they_were_asked_for(database: Database) -> None:
    order: list[int] = []
    await asyncio.gather(*(database.write(lambda _, n=n: order.append(n)) for n in range(50)))
    assert order == list(range(50))


async def test_the_file_is_the_owners_alone_and_opens_again(tmp_path: Path) -> None:
    for _ in range(2):
        opened = Database.open(f"sqlite:///{tmp_path}/t.db", clock=ManualClock())
        version = await opened.read(lambda c: c.scalar(text("SELECT * FROM alembic_version")))
        assert version == newest_revision()
        await opened.close()
    assert stat.S_IMODE((tmp_path / "t.db").stat().st_mode) == 0o600


async def test_what_cannot_be_opened_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, " * 100)
    newer = tmp_path / "newer.db"
    raw = sqlite3.connect(newer)
    raw.execute("CREATE TABLE alembic_version (version_num TEXT)")
    raw.execute("INSERT INTO alembic_version VALUES ('9999')")
    raw.commit()
    raw.close()
    for where, words in (
        (tmp_path / "text.db", "not a database"),
        (tmp_path / "missing" / "t.db", "unable to open"),
        (newer, "newer version"),
        ("mysql://127.0.0.1/x", "not supported"),
    ):
        with pytest.raises(DatabaseError, match=words) as refusal:
            Database.open(where, clock=ManualClock())
        assert "\n" not in str(refusal.value)


def _memory() -> tuple[sa.Table, sa.Engine]:
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("no", sa.Integer, primary_key=True),
        sa.Column("a", sa.Integer),
        sa.Column("b", sa.Integer),
    )
    engine = sa.create_engine("sqlite://")
    table.metadata.create_all(engine)
    return table, engine


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(1, 9))
def test_bulk_statements_do_what_single_ones_would(rows: int, step: int) -> None:
    table, engine = _memory()
    with engine.connect() as connection:
        flat = [value for no in range(rows) for value in (no, no * 2, -no)]
        bulk_insert(table, ("no", "a", "b")).run(connection, flat)
        bulk_add(table, ("no", "a", "b")).run(connection, [0, 1, 1, 500, 7, 7])
        wanted = {no: (no * 2, -no) for no in range(rows)}
        a, b = wanted.get(0, (0, 0))
        wanted |= {0: (a + 1, b + 1), 500: (7, 7)}
        change = bulk_change(table, "no", ("a",), ("b",))
        some = range(0, 600, step)
        touched = change.run(connection, [v for no in some for v in (no, 3, 9)])
        assert touched == len([no for no in some if no in wanted])
        for no in some:
            if no in wanted:
                wanted[no] = (wanted[no][0] - 3, 9)
        stored = connection.execute(sa.select(table))
        assert {no: (a, b) for no, a, b in stored} == wanted
    engine.dispose()
