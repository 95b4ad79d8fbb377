"""A generated installation is one the gateway itself would accept: its books agree."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from benchmarks.load.scale import generate

TALLYGATE = str(Path(sys.executable).parent / "tallygate")


def test_generated_rows_keep_the_books_in_agreement(tmp_path: Path) -> None:
    data = tmp_path / "data"

    def say(*words: str) -> str:
        command = [TALLYGATE, *words, "--data", str(data)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    say("accounts", "create", "bench@example.com")
    say("keys", "create", "bench@example.com", "--name", "bench", "--json")
    generate(data, keys=50, rows=2_000)
    connection = sqlite3.connect(data / "tallygate.db")
    assert connection.execute("SELECT count(*) FROM request_log").fetchone() == (2_000,)
    connection.close()
    say("ledger", "verify")
    assert len(json.loads(say("keys", "list", "--json"))) == 50
