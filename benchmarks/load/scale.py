"""Is the cost of a request flat as the installation grows? `python -m benchmarks.load.scale`

Starts Tallygate over data folders with more and more keys and request-log rows, generated
straight into its database before it starts. The smallest runs beside each of the others and the
load alternates between the two, so that both see the same machine; a cost over 10 % above the
smallest ends with 1. The load uses one key of all that are loaded.

Generated rows cost nothing and are summed into every rollup, so `ledger verify` stays clean.
The full sizes (1,000,000 keys, 10,000,000 rows) need about 6 GB of disk and some minutes.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import sqlite3
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.load.contenders import Launch, Recipe, Running, Site, Unavailable, tallygate
from benchmarks.load.machine import memory_kib
from benchmarks.load.sections import RATIOS, SECTIONS, Loads, Target
from benchmarks.load.upstream import Upstream

DATABASE_FILE = "tallygate.db"
RESULTS = Path(__file__).resolve().parent.parent / "results"
ROWS_AT_ONCE = 250_000
FLAT_WITHIN = 1.10
START_TIMEOUT_S = 120.0
# The generated rows lie in the past, a tenth of a second apart, so that their ids and times sort
# before those of the load, as they would have.
ROW_GAP_US = 100_000
SECTIONS_RUN = ("json64", "p50x20")

_SERIES = (
    "WITH RECURSIVE series(n) AS (VALUES(:low) UNION ALL SELECT n + 1 FROM series LIMIT :many)"
)
_KEYS = f"""
INSERT INTO api_keys (no, id, account_no, name, prefix, digest, created_us)
{_SERIES}
SELECT n, printf('key_%012x%06x%010x', n, 0, n), :account, 'generated', 'sk-tg-000000',
       randomblob(32), 1700000000000000
FROM series
"""
_ROWS = f"""
INSERT INTO request_log (
  id, started_us, account_no, key_no, model, provider, upstream_model, endpoint, stream, status,
  outcome, error_code, attempts, duration_ms, first_token_ms, basis, input_tokens,
  cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, reported_input_tokens,
  reported_output_tokens, measured_input_tokens, measured_output_tokens, measured_exact,
  cost_picousd, cost_microusd, overrun_microusd, price_version)
{_SERIES}
SELECT printf('req_%012x%06x%010x', (:begin + n * :gap) / 1000, n & 16777215, n),
       :begin + n * :gap, {{account}}, :key, {{model}}, 'mock', {{model}},
       'chat.completions', n & 1, 200, 'completed', '', 1, 900 + n % 700, 80 + n % 90, 'reported',
       120, 0, 0, 200, 0, 120, 200, 118, 200, 1, 0, 0, 0, 1
FROM series
"""
_HOURS = """
INSERT INTO usage_hourly
SELECT started_us / 3600000000, account_no, key_no, model, provider, count(*), 0,
       sum(input_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens),
       sum(reasoning_tokens), 0, 0
FROM request_log GROUP BY 1, 2, 3, 4, 5
"""
_DAYS = """
INSERT INTO usage_daily
SELECT account_no, hour / 24, key_no, model, provider, sum(requests), sum(failures),
       sum(input_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens),
       sum(reasoning_tokens), sum(cost_microusd), sum(overrun_microusd)
FROM usage_hourly GROUP BY 1, 2, 3, 4, 5
"""
_SERVICE = """
INSERT INTO service_daily
SELECT started_us / 86400000000, model, count(*), 0, 0, 0 FROM request_log GROUP BY 1, 2
"""
_DRIFT = """
INSERT INTO usage_drift_daily
SELECT started_us / 86400000000, provider, model, count(*), sum(reported_output_tokens),
       sum(measured_output_tokens), count(*) * 1000000, count(*) * 1000000
FROM request_log GROUP BY 1, 2, 3
"""


def generate(data: Path, keys: int, rows: int) -> None:
    """Brings a data folder that has one account and one key to `keys` keys and `rows` log rows.

    The gateway must not be running. Raises sqlite3.Error when the schema is another.
    """
    connection = sqlite3.connect(data / DATABASE_FILE, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        account, key = connection.execute("SELECT account_no, no FROM api_keys").fetchone()
        (present,) = connection.execute("SELECT max(no) FROM api_keys").fetchone()
        _insert(connection, _KEYS, present + 1, keys, {"account": account})
        fill_log(connection, rows, {"account": account, "key": key})
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def fill_log(
    connection: sqlite3.Connection,
    rows: int,
    values: dict[str, int],
    gap_us: int = ROW_GAP_US,
    account: str = ":account",
    model: str = "'gpt-4o-mini'",
) -> None:
    """So many rows of request log up to now, and their sums in every rollup.

    Whose a row is and of which model are SQL over its number `n`; `values` has "key" and what they
    name. The log is empty before.
    """
    begin_us = time.time_ns() // 1000 - (rows + 1) * gap_us
    statement = _ROWS.format(account=account, model=model)
    _insert(connection, statement, 1, rows, {**values, "begin": begin_us, "gap": gap_us})
    if rows:
        connection.execute(_HOURS)
        connection.execute(_DAYS)
        connection.execute(_DRIFT)
        connection.execute(_SERVICE)


def _insert(
    connection: sqlite3.Connection, statement: str, first: int, last: int, values: dict[str, int]
) -> None:
    for low in range(first, last + 1, ROWS_AT_ONCE):
        many = min(ROWS_AT_ONCE, last + 1 - low)
        connection.execute("BEGIN")
        connection.execute(statement, {**values, "low": low, "many": many})
        connection.execute("COMMIT")


def recipe(keys: int, rows: int) -> Recipe:
    """Tallygate over a folder of this size."""

    def prepare(site: Site) -> Launch:
        return tallygate(site, functools.partial(generate, keys=keys, rows=rows))

    return Recipe(f"tallygate-{keys}-{rows}", prepare, str, start_timeout_s=START_TIMEOUT_S)


def compare(loads: Loads, base: Target, grown: Target, rounds: int) -> dict[str, Any]:
    """The cost of each section at both sizes, and the median of their ratios."""
    found: dict[str, Any] = {}
    for section in SECTIONS_RUN:
        figure, costs = RATIOS[section], []
        for _ in range(rounds):
            pair = []
            for target in (base, grown):
                pair.append(SECTIONS[section](loads, target)[figure])
                loads.wait_until_quiet(target)
            costs.append(pair)
        ratio = statistics.median(large / small for small, large in costs)
        found[section] = {"figure": figure, "costs": costs, "ratio": round(ratio, 3)}
    return found


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line: sizes as "KEYS:ROWS", the first of them the base."""
    parser = argparse.ArgumentParser(prog="benchmarks.load.scale", description=__doc__)
    parser.add_argument(
        "--sizes", default="10:0,1000000:0,10:10000000,1000000:10000000", help="KEYS:ROWS,..."
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="about, of each load")
    options = parser.parse_args(arguments)
    pairs = [size.partition(":") for size in options.sizes.split(",")]
    options.sizes = [(int(keys), int(rows or 0)) for keys, _, rows in pairs]
    return options


def main(arguments: list[str]) -> int:
    """Prints one line a size and writes results/scale.json; 1 when the cost is not flat."""
    options = parse_options(arguments)
    cpus = sorted(os.sched_getaffinity(0))
    gateway_cpu = cpus[0] if len(cpus) > 1 else None
    if gateway_cpu is not None:
        os.sched_setaffinity(0, {cpus[1]})
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    results = []
    with Upstream() as upstream:
        loads = Loads(upstream, options.seconds, files)
        with Running(recipe(*options.sizes[0]), upstream.port, gateway_cpu) as base:
            base_target = Target(base.pid, base.port, base.launch)
            loads.warm(base_target)
            for keys, rows in options.sizes[1:]:
                with Running(recipe(keys, rows), upstream.port, gateway_cpu) as grown:
                    target = Target(grown.pid, grown.port, grown.launch)
                    print(f"{keys:,} keys, {rows:,} rows: serving after {grown.started_s:.2f} s")
                    loads.warm(target)
                    found = compare(loads, base_target, target, options.rounds)
                    size = {"keys": keys, "rows": rows, "memory_kib": memory_kib(grown.pid)}
                    size["started_ms"] = round(grown.started_s * 1000)
                results.append({**size, "sections": found})
                words = [f"{name} {f['ratio']} x" for name, f in found.items()]
                print(f"  cost against the smallest: {', '.join(words)}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    base_size = dict(zip(("keys", "rows"), options.sizes[0], strict=True))
    text = json.dumps({"base": base_size, "sizes": results}, indent=1)
    (RESULTS / "scale.json").write_text(text + "\n", "utf-8")
    worst = max((f["ratio"] for r in results for f in r["sections"].values()), default=1.0)
    return int(worst > FLAT_WITHIN)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Unavailable as problem:
        print(f"benchmarks: {problem}", file=sys.stderr)
        sys.exit(2)
