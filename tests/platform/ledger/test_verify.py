"""Verification finds every altered, removed, added or swapped row, and every flipped byte."""

import asyncio
import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from gateway.base.clock import ManualClock
from gateway.platform.ledger.reconcile import check_start, verify
from gateway.store.database import Database
from gateway.store.sqlite import reader_engine
from tests.fakes.books import Books

PICO = 1_000_000
# Every column of the ledger and of its folds, and those of the log that money or charts rest on.
COLUMNS = {
    "ledger_entries": (
        *("seq", "transaction_id", "leg", "kind", "debit_no", "credit_no", "amount_microusd"),
        *("at_us", "corrects", "memo", "hash"),
    ),
    "ledger_accounts": ("no", "code", "kind"),
    "ledger_balances": ("ledger_no", "balance_microusd"),
    "lots": (
        *("no", "account_no", "kind", "ledger_no", "granted_microusd", "remaining_microusd"),
        "at_us",
    ),
    "wallets": ("account_no", "balance_microusd", "remainder_picousd"),
    "request_log": (
        *("id", "started_us", "account_no", "key_no", "model", "provider", "upstream_model"),
        *("outcome", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
        *("reasoning_tokens", "reported_output_tokens", "measured_output_tokens"),
        *("cost_picousd", "cost_microusd", "overrun_microusd", "units"),
        "application",
    ),
    "service_daily": ("day", "model", "requests", "failures", "faults", "cost_microusd"),
    "usage_units_hourly": (
        *("hour", "account_no", "key_no", "model", "provider", "unit", "quantity"),
    ),
    "usage_hourly": (
        *("hour", "account_no", "key_no", "model", "provider", "requests", "failures"),
        *("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
        *("reasoning_tokens", "cost_microusd", "overrun_microusd"),
    ),
    "usage_daily": (
        *("account_no", "day", "key_no", "model", "provider", "requests", "failures"),
        *("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
        *("reasoning_tokens", "cost_microusd", "overrun_microusd"),
    ),
    "usage_applications_hourly": (
        *("account_no", "hour", "key_no", "model", "application", "requests", "failures"),
        *("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
        *("reasoning_tokens", "cost_microusd", "overrun_microusd"),
    ),
    "usage_drift_daily": (
        *("day", "provider", "model", "requests", "reported_tokens", "measured_tokens"),
        *("ratio_ppm_sum", "ratio_square_ppm_sum"),
    ),
}
FLIPS = int(os.environ.get("LEDGER_FLIPS", "60"))  # copies of the file with one byte changed
UNITS = '{"image_hd_1024x1024":2,"audio_hour":1500}'
APP = "https://app.example My App"
CASES = [(table, column) for table, columns in COLUMNS.items() for column in columns]


NO_ROW_IDS = (
    *("usage_hourly", "usage_daily", "usage_units_hourly", "usage_drift_daily", "service_daily"),
    "usage_applications_hourly",
)


async def write_ledger(path: Path) -> None:
    """A ledger with grants of each kind, charges over two hours, an overrun and refusals."""
    async with Books(path) as books:
        await books.grant(1, 5_000, "cash:manual")
        await books.grant(1, 700, "promotion")
        await books.grant(2, 300, "adjustment")
        for number in range(30):
            books.charge(1 + number % 2, 40 * PICO + 137_001 + number, units=UNITS, application=APP)
            if number == 15:
                books.clock.advance(90_000)
        books.submit(None, 2, outcome="refused", status=402)
        await books.grant(1, 90, "cash:manual")
        await books.settled()
        assert (await books.verify()).findings == []


@pytest.fixture(scope="module")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("books") / "t.db"
    asyncio.run(write_ledger(path))
    return path


def altered(path: Path, folder: Path, *statements: str, values: tuple[object, ...] = ()) -> Path:
    """A copy of the file with some statements run on it, past every trigger and check."""
    copy = folder / "altered.db"
    shutil.copy(path, copy)
    raw = sqlite3.connect(copy, isolation_level=None)
    for name in ("ledger_entries_no_update", "ledger_entries_no_delete"):
        raw.execute(f"DROP TRIGGER {name}")
    raw.execute("PRAGMA ignore_check_constraints=ON")
    for statement in statements:
        cursor = raw.execute(statement, values)
        assert cursor.rowcount != 0, f"{statement} changed nothing"
    raw.close()
    return copy


def findings(path: Path) -> list[str]:
    engine = reader_engine(path, 1)
    with engine.connect() as connection:
        found = verify(connection).findings
    engine.dispose()
    return found


@pytest.mark.parametrize(("table", "column"), CASES)
def test_every_altered_column_is_found(
    ledger_file: Path, tmp_path: Path, table: str, column: str
) -> None:
    raw = sqlite3.connect(ledger_file)
    order = "rowid" if table not in NO_ROW_IDS else "1"
    rows = raw.execute(f"SELECT {column} FROM {table} ORDER BY {order}").fetchall()
    raw.close()
    if table == "request_log":
        rows.pop()  # the refused request: nothing was charged, so nothing seals its row
    for index in {0, len(rows) // 2, len(rows) - 1}:
        (value,) = rows[index]
        other: object
        if isinstance(value, int):
            other = value + (10**12 if column == "started_us" else 100_000)
        elif isinstance(value, bytes):
            other = bytes([value[0] ^ 1]) + value[1:]
        else:
            other = "x" if value is None else value[:-1] + chr(ord(value[-1]) ^ 1)
        if (table, column) == ("ledger_accounts", "kind"):
            other = "asset" if value != "asset" else "income"
        if (table, column) == ("lots", "kind"):
            other = "purchased" if value != "purchased" else "adjustment"
        where = f"rowid = (SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET {index})"
        if order == "1":  # without row ids: change whatever has this value
            quoted = value if isinstance(value, int) else f"'{value}'"
            where = f"{column} = {quoted}"
        copy = altered(
            ledger_file, tmp_path, f"UPDATE {table} SET {column} = ? WHERE {where}", values=(other,)
        )
        assert findings(copy), f"{table}.{column} row {index}: {value!r} -> {other!r}"


@pytest.mark.parametrize(
    "statement",
    [
        *(f"DELETE FROM {table} WHERE rowid = 1" for table in ("lots", "wallets", "request_log")),
        "DELETE FROM ledger_entries WHERE seq = 1",
        "DELETE FROM ledger_entries WHERE seq = 9",
        "DELETE FROM ledger_entries WHERE seq = (SELECT max(seq) FROM ledger_entries)",
        "DELETE FROM ledger_accounts WHERE code = 'revenue'",
        "DELETE FROM ledger_accounts WHERE code = 'lot:1'",
        "DELETE FROM ledger_balances WHERE ledger_no = 1",
        "DELETE FROM usage_hourly",
        "DELETE FROM usage_daily",
        "DELETE FROM usage_units_hourly",
        "DELETE FROM usage_applications_hourly",
        "DELETE FROM usage_drift_daily",
        "DELETE FROM service_daily",
        "INSERT INTO ledger_entries SELECT seq + 1, 'grant:x', 0, kind, debit_no, credit_no, 1, "
        "at_us, NULL, 'x', hash FROM ledger_entries ORDER BY seq DESC LIMIT 1",
        "INSERT INTO lots VALUES (99, 1, 'purchased', 1099, 10, 10, 0)",
        "INSERT INTO wallets VALUES (99, 10, 0)",
        "UPDATE lots SET remaining_microusd = -1 WHERE no = 1",
        "UPDATE ledger_entries SET seq = CASE seq WHEN 4 THEN -5 WHEN 5 THEN 4 END "
        "WHERE seq IN (4, 5)",
    ],
)
def test_every_removed_added_or_swapped_row_is_found(
    ledger_file: Path, tmp_path: Path, statement: str
) -> None:
    assert findings(altered(ledger_file, tmp_path, statement))


def test_a_flipped_byte_of_a_ledger_row_is_found_or_changes_nothing(
    ledger_file: Path, tmp_path: Path
) -> None:
    """Bytes of the file itself: either every row still reads the same, or there is a finding."""
    query = "SELECT * FROM ledger_entries NOT INDEXED ORDER BY seq"
    original = ledger_file.read_bytes()
    raw = sqlite3.connect(ledger_file)
    rows = raw.execute(query).fetchall()
    raw.close()
    rng = random.Random(20)
    # Aim at the table's own cells: around each stored hash lies the row that it seals.
    each = max(4, -(-2 * FLIPS // len(rows)))
    places = [original.index(row[-1]) + rng.randrange(-60, 32) for row in rows for _ in range(each)]
    changed = 0
    for place in rng.sample(places, FLIPS):
        data = bytearray(original)
        data[place] ^= 1 << rng.randrange(8)
        copy = tmp_path / "flipped.db"
        copy.write_bytes(data)
        raw = sqlite3.connect(copy)
        try:
            same = raw.execute(query).fetchall() == rows
        except sqlite3.DatabaseError:
            same = False
        raw.close()
        if not same:
            changed += 1
            assert findings(copy), f"the flip at {place} was not found"
    assert changed > FLIPS // 2


async def test_the_check_at_start_reads_the_whole_of_a_small_ledger(
    ledger_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = "UPDATE ledger_entries SET memo = 'y' WHERE seq = ?"
    early = altered(ledger_file, tmp_path, change, values=(2,))
    database = Database.open(early, clock=ManualClock())
    report = await database.read(check_start)
    assert report.complete
    assert len(report.findings) == 1
    monkeypatch.setattr("gateway.platform.ledger.reconcile.START_ENTRIES", 10)
    report = await database.read(check_start)
    assert (report.complete, report.entries, report.findings) == (False, 10, [])
    assert len((await database.read(verify)).findings) == 1
    await database.close()
    last = altered(ledger_file, tmp_path, change, values=(30,))
    database = Database.open(last, clock=ManualClock())
    assert (await database.read(check_start)).findings == [
        "ledger entry 30 was altered, or one before it was removed"
    ]
    await database.close()


def test_findings_are_bounded_plain_lines(ledger_file: Path, tmp_path: Path) -> None:
    copy = altered(ledger_file, tmp_path, "UPDATE ledger_entries SET hash = randomblob(32)")
    found = findings(copy)
    assert len(found) <= 101
    assert all("\n" not in line and line for line in found)
