"""A PostgreSQL server of the tests' own: on a Unix socket in a temporary folder, no fsync.

Its programs are found on the machine; where there are none, tests that need it are skipped with
one line. It refuses to run as root, so root runs it as another user.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from gateway.base.clock import ManualClock
from gateway.store.database import Database

SKIPPED = "no PostgreSQL server was found (initdb, postgres); on Debian: apt-get install postgresql"
START_TIMEOUT_S = 30.0
OPTIONS = ("fsync=off", "listen_addresses=", "max_connections=60", "shared_buffers=32MB")


def binaries() -> Path | None:
    """The folder of initdb and postgres, the newest version's."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    found = shutil.which("initdb")
    candidates = [*reversed(places), *([Path(found).resolve().parent] if found else [])]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def unprivileged() -> str | None:
    """The user to run as; None where this one will do."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None


class Server:
    """A running server."""

    def __init__(self, folder: Path, user: str) -> None:
        self._folder = folder
        self._user = user
        self._made = 0
        self._migrated = ""

    def url(self, name: str) -> str:
        return f"postgresql://{self._user}@/{name}?host={self._folder}"

    def empty(self, template: str = "template1") -> str:
        """A database without a table; its URL."""
        self._made += 1
        name = f"test_{self._made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[arg-type]
        return self.url(name)

    def database(self) -> str:
        """A database with all tables, copied from one that was migrated once; its URL."""
        if not self._migrated:
            url = self.empty()
            opened = Database.open(url, clock=ManualClock())
            with ThreadPoolExecutor(1) as pool:  # a loop may be running in this thread
                pool.submit(asyncio.run, opened.close()).result()
            self._migrated = url.partition("?")[0].rpartition("/")[2]
        return self.empty(self._migrated)


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A new server, stopped and removed at the end; skips where there is none."""
    found = binaries()
    if found is None:
        pytest.skip(SKIPPED)
    folder = Path(tempfile.mkdtemp(prefix="tallygate-pg-"))
    user = unprivileged()
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    words = [found / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-N", "--no-instructions"]
    subprocess.run(list(map(str, words)), check=True, capture_output=True, user=user, cwd=folder)
    command = [str(found / "postgres"), "-D", str(data), "-k", str(folder)]
    for option in OPTIONS:
        command += ["-c", option]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=folder)
    try:
        running = Server(folder, "tester")
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(running.url("postgres")).close()
                break
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise AssertionError((folder / "server.log").read_text()) from None
                time.sleep(0.05)
        yield running
    finally:
        process.terminate()  # SIGTERM waits for its clients; SIGINT does not
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.send_signal(2)
            process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
