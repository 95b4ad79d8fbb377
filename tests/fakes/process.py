"""The gateway as its users run it: the installed command, in a process of its own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "gateway"]
EMAIL = "someone@example.com"


def tallygate(data_dir: Path, *words: str, check: bool = True) -> Any:
    """Run one command with --json; its parsed output."""
    done = subprocess.run(
        [*COMMAND, *words, "--data", str(data_dir), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if check and done.returncode:
        raise AssertionError(f"{words}: {done.stderr or done.stdout}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def all_requests(data_dir: Path) -> list[dict[str, Any]]:
    """The whole request log, page by page, newest first."""
    rows: list[dict[str, Any]] = []
    page = tallygate(data_dir, "requests", "list", "--limit", "10000")
    while page:
        rows += page
        page = tallygate(
            data_dir, "requests", "list", "--limit", "10000", "--before", str(page[-1]["seq"])
        )
    return rows


@dataclass
class Process:
    """A serving gateway; `start` may be called again after `kill`."""

    data_dir: Path
    words: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    under: tuple[str, ...] = ()  # the command that runs it, such as prlimit
    port: int = 0
    key: str = ""
    banner: str = ""
    _process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until the whole banner has come."""
        first = not (self.key or (self.data_dir / "tallygate.db").exists())
        log = (self.data_dir.parent / "stderr.log").open("a")
        self._process = subprocess.Popen(
            [
                *self.under,
                *COMMAND,
                "serve",
                "--data",
                str(self.data_dir),
                "--port",
                str(self.port),
                *self.words,
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **self.environ, "PYTHONUNBUFFERED": "1"},
        )
        log.close()
        assert self._process.stdout is not None
        deadline = time.monotonic() + 30
        self.banner = ""
        for line in self._process.stdout:
            self.banner += line
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
            key = re.search(r"sk-tg-[A-Za-z0-9_-]{20,}", line)
            if key:
                self.key = key[0]
            if "-d '" in line or (not first and found) or time.monotonic() > deadline:
                break
        assert self.port, self.banner + (self.data_dir.parent / "stderr.log").read_text()

    def kill(self) -> None:
        """kill -9, and reap."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        self._close()

    def terminate(self, timeout_s: float = 40) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout_s)
        self._close()
        return code

    def _close(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        self.banner += self._process.stdout.read()  # what it said after its banner
        self._process.stdout.close()

    def ended(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def run(self, *words: str) -> Any:
        """A command against this data folder, through the running server."""
        return tallygate(self.data_dir, *words)

    def fund(self, usd: str, email: str = EMAIL) -> str:
        """A new account with credit and a key; returns the key."""
        self.run("accounts", "create", email)
        self.run("credits", "grant", email, usd, "--reason", "test")
        return str(self.run("keys", "create", email, "--name", "test")["key"])


@contextlib.contextmanager
def serving(
    data_dir: Path, *words: str, under: tuple[str, ...] = (), **environ: str
) -> Iterator[Process]:
    """A gateway process for the length of a test."""
    process = Process(data_dir, list(words), environ, under)
    process.start()
    try:
        yield process
    finally:
        if not process.ended():
            process.terminate()
