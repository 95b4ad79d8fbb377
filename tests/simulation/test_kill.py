"""kill -9 at random moments under load: what was acknowledged is stored, once, and adds up."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.base.clock import ManualClock
from gateway.platform.ledger.reconcile import verify
from gateway.store.database import Database

ROUNDS = 20


def run_and_kill(path: Path, acknowledged: dict[str, int], lines: int) -> None:
    """Start the settler, read so many acknowledgements, kill it, read what it still had said."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.simulation.settler", str(path)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        guard = threading.Timer(60, child.kill)
        guard.start()
        try:
            assert child.stdout.readline() == b"ready\n"
            said = [child.stdout.readline() for _ in range(lines)]
            child.kill()
            said += child.stdout.readlines()
        finally:
            guard.cancel()
    for line in said:
        request_id, _, posted = line.decode().partition(" ")
        if posted.endswith("\n"):
            assert request_id not in acknowledged
            acknowledged[request_id] = int(posted)


async def check(path: Path) -> list[str]:
    database = Database.open(path, clock=ManualClock())
    report = await database.read(verify)
    await database.close()
    return report.findings


@pytest.mark.timeout(max(600, 3 * int(os.environ.get("CRASH_ROUNDS", "0"))))
def test_a_killed_process_loses_and_doubles_nothing(tmp_path: Path, crash_rounds: int) -> None:
    path = tmp_path / "t.db"
    acknowledged: dict[str, int] = {}
    rng = random.Random(9)
    for _ in range(max(ROUNDS, crash_rounds)):
        run_and_kill(path, acknowledged, rng.randrange(1, 400))
    assert asyncio.run(check(path)) == []
    raw = sqlite3.connect(path)
    stored = raw.execute("SELECT id, cost_microusd FROM request_log").fetchall()
    charged = dict(
        raw.execute(
            "SELECT substr(transaction_id, 8), sum(amount_microusd) FROM ledger_entries "
            "WHERE kind = 'charge' GROUP BY transaction_id"
        )
    )
    (balance,) = raw.execute("SELECT balance_microusd FROM wallets WHERE account_no = 1").fetchone()
    raw.close()
    assert len(stored) == len(dict(stored))
    assert acknowledged.items() <= dict(stored).items()
    assert charged == {request_id: cost for request_id, cost in stored if cost}
    assert balance == 10**12 - sum(charged.values())
