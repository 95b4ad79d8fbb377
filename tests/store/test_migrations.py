"""Older databases become the present one: what stood in them is still there, and sealed."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from gateway.base.clock import ManualClock
from gateway.base.ids import IdFactory
from gateway.platform.accounts import Accounts
from gateway.store import sqlite
from gateway.store.database import MIGRATIONS, Database, DatabaseError
from gateway.store.secrets import Secrets


def older(path: Path, revision: str) -> None:
    """A database of an older version, with an account that other rows refer to."""
    engine = sqlite.writer_engine(path)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with connection.begin():
            command.upgrade(config, revision)
        with connection.begin():
            connection.execute(
                text(
                    "INSERT INTO accounts VALUES "
                    "(7, 'acc_7', 'old@example.com', 'administrator', 'active', 5)"
                )
            )
            connection.execute(
                text("INSERT INTO sign_in_links VALUES (:digest, 7, 1, 2, NULL)"),
                {"digest": b"d" * 32},
            )
    engine.dispose()


async def test_addresses_of_an_older_version_are_sealed(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    older(path, "0003")
    secrets = Secrets.open(tmp_path, {})
    clock = ManualClock()
    database = Database.open(path, clock=clock, secrets=secrets)
    accounts = Accounts(database, secrets, clock, IdFactory(clock))
    await accounts.load()
    found = accounts.named("OLD@example.com")
    assert (found.no, found.id, found.role, found.state) == (7, "acc_7", "administrator", "active")

    def columns(connection: sa.Connection) -> list[object]:
        return list(connection.execute(text("SELECT * FROM accounts")).one())

    row = await database.read(columns)
    assert all(b"example" not in str(value).encode() for value in row)
    with pytest.raises(sa.exc.IntegrityError):  # references are enforced again
        await database.write(
            lambda c: c.execute(text("INSERT INTO profiles VALUES (99, x'00', 0)"))
        )
    await database.close()


async def test_without_the_key_an_older_version_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    older(path, "0003")
    with pytest.raises(DatabaseError, match="start the gateway once"):
        Database.open(path, clock=ManualClock())
    engine = sqlite.writer_engine(path)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT email FROM accounts")) == "old@example.com"
    engine.dispose()
