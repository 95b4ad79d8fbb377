"""A generated installation is one the gateway itself would accept: its books agree."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from benchmarks.bench_pages import VISITOR, fill
from benchmarks.load.scale import generate

TALLYGATE = str(Path(sys.executable).parent / "tallygate")


def say(data: Path, *words: str) -> str:
    command = [TALLYGATE, *words, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def begun(data: Path) -> Path:
    """A data folder with one account and one key."""
    say(data, "accounts", "create", VISITOR)
    say(data, "keys", "create", VISITOR, "--name", "bench", "--json")
    return data


def asked(data: Path, question: str) -> list[tuple[int, ...]]:
    connection = sqlite3.connect(data / "tallygate.db")
    found = connection.execute(question).fetchall()
    connection.close()
    return found


def test_generated_rows_keep_the_books_in_agreement(tmp_path: Path) -> None:
    data = begun(tmp_path / "data")
    generate(data, keys=50, rows=2_000)
    assert asked(data, "SELECT count(*) FROM request_log") == [(2_000,)]
    say(data, "ledger", "verify")
    assert len(json.loads(say(data, "keys", "list", "--json"))) == 50


def test_so_do_those_of_many_people(tmp_path: Path) -> None:
    data = begun(tmp_path / "data")
    fill(data, people=30, rows=3_000)
    counted = "SELECT count(*), count(DISTINCT account_no), count(DISTINCT model) FROM request_log"
    assert asked(data, counted) == [(3_000, 31, 40)]
    assert asked(data, "SELECT count(*) FROM request_log WHERE account_no = 1") == [(1_500,)]
    assert asked(data, "SELECT count(*), sum(balance_microusd) FROM wallets") == [(3, 15_000_000)]
    say(data, "ledger", "verify")
