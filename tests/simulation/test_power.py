"""Power cuts and failing disks: what was acknowledged before the cut is in the books after it.

One run of the settler is journalled (`disk.c`); the power is then cut at many of its moments.
`make crash` cuts two hundred times; the ordinary run fewer.
"""

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.simulation.disk import Disk, build, read_journal
from tests.simulation.test_kill import check

LINES = 600


@pytest.fixture
def cuts(crash_rounds: int) -> int:
    return 2 * crash_rounds if crash_rounds > 50 else 6


def journalled(tmp_path: Path, lines: int = LINES, fails: int = 0, seed: int = 1) -> Path:
    """A run of the settler that said so many lines and was killed; its journal."""
    if shutil.which("cc") is None:
        pytest.skip("a C compiler is needed")
    folder, journal = tmp_path / "disk", tmp_path / "journal"
    folder.mkdir()
    environ = os.environ | {
        "LD_PRELOAD": str(build(tmp_path)),
        "DISK_FOLDER": str(folder),
        "DISK_JOURNAL": str(journal),
        "DISK_FAILS": str(fails),
        "DISK_SEED": str(seed),
    }
    words = [sys.executable, "-m", "tests.simulation.settler", str(folder / "t.db")]
    log = tmp_path / "stderr.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, env=environ) as child,
    ):
        assert child.stdout is not None
        guard = threading.Timer(90, child.kill)
        guard.start()
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        guard.cancel()
    assert said[-1], log.read_text()[-2000:]
    return journal


def acknowledged(said: bytes) -> dict[str, int]:
    """The charges of whole lines; the first says only that the settler is ready."""
    lines = said.decode().split("\n")[1:-1]
    return {id: int(posted) for id, posted in (line.split(" ") for line in lines)}


def lost(path: Path, promised: dict[str, int]) -> list[str]:
    """What is wrong with the books that a cut left; empty when nothing is."""
    findings = asyncio.run(check(path))
    raw = sqlite3.connect(path)
    stored = raw.execute("SELECT id, cost_microusd FROM request_log").fetchall()
    charged = dict(
        raw.execute(
            "SELECT substr(transaction_id, 8), sum(amount_microusd) FROM ledger_entries "
            "WHERE kind = 'charge' GROUP BY transaction_id"
        )
    )
    sound = raw.execute("PRAGMA integrity_check").fetchall()
    raw.close()
    findings += [str(row) for row in sound if row != ("ok",)]
    findings += [f"{id} is lost" for id in promised.items() - dict(stored).items()]
    findings += [] if len(stored) == len(dict(stored)) else ["a request is stored twice"]
    if charged != {id: cost for id, cost in stored if cost}:
        findings.append("ledger and log disagree")
    return findings


def cut_often(tmp_path: Path, journal: Path, cuts: int) -> list[str]:
    """What is wrong after any of so many cuts, each at another moment since the settler began."""
    records = list(read_journal(journal))
    first = next(n for n, each in enumerate(records) if each.what == "a")
    moments = sorted(random.Random(3).sample(range(first, len(records)), cuts))
    disk, at, wrong = Disk(), 0, []
    for number, moment in enumerate(moments):
        for record in records[at : moment + 1]:
            disk.apply(record)
        at = moment + 1
        folder = tmp_path / f"cut-{number}"
        folder.mkdir()
        disk.cut(folder, number)
        wrong += [
            f"cut {number}: {each}" for each in lost(folder / "t.db", acknowledged(disk.said))
        ]
        shutil.rmtree(folder)
    assert len(acknowledged(disk.said)) > 100
    return wrong


@pytest.mark.timeout(900)
def test_a_power_cut_loses_and_doubles_nothing(tmp_path: Path, cuts: int) -> None:
    assert cut_often(tmp_path, journalled(tmp_path), cuts) == []


@pytest.mark.timeout(900)
def test_syncs_and_writes_that_fail_lose_nothing(tmp_path: Path, cuts: int) -> None:
    """One sync in seven, for the whole run; and then the power is cut, too."""
    journal = journalled(tmp_path, fails=150)
    failed = sum(each.what == "f" for each in read_journal(journal))
    assert failed
    assert cut_often(tmp_path, journal, cuts // 2) == []


def test_a_loss_would_be_seen(tmp_path: Path) -> None:
    """Books of the moment the settler began, held against all that it acknowledged later."""
    disk = Disk()
    records = read_journal(journalled(tmp_path, lines=50))
    for record in records:
        disk.apply(record)
        if disk.said:
            break
    folder = tmp_path / "cut"
    folder.mkdir()
    disk.cut(folder, 0)
    assert lost(folder / "t.db", {}) == []
    for record in records:
        disk.apply(record)
    assert len(lost(folder / "t.db", acknowledged(disk.said))) == len(acknowledged(disk.said))
