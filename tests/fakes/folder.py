"""New SQLite databases without the migrations of each: one is migrated in a run, and copied.

Migrations take half of a gateway's start. What they do is the business of tests/store and of every
test that starts the command on a folder of its own.
"""

import functools
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gateway.platform.assembly import DATABASE_FILE
from gateway.store import sqlite
from gateway.store.database import _migrate
from gateway.store.lock import DataFolder
from gateway.store.secrets import Secrets


@functools.cache
def migrated() -> bytes:
    """The file of a database that has all tables and no row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        engine = sqlite.writer_engine(path)
        with engine.connect() as connection:
            _migrate(sqlite, connection, None)
        engine.dispose()
        return path.read_bytes()


def new_database(where: Path | str) -> Path | str:
    """Put a database there if there is none and `where` is a path; returns `where`."""
    if isinstance(where, Path) and not where.exists():
        where.touch(0o600)
        where.write_bytes(migrated())
    return where


def new_folder(folder: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Make a data folder with its key and a database that no gateway has opened, if it is new."""
    if not (folder / DATABASE_FILE).exists():
        with DataFolder(folder):
            Secrets.open(folder, environ)
            new_database(folder / DATABASE_FILE)
    return folder
