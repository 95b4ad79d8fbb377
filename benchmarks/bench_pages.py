"""How long pages take in a large installation: python -m benchmarks.bench_pages

100,000 accounts, a tenth of them with credit, 10,000,000 rows of request log over ninety days and
forty models, half of them the visitor's own. The visitor is an administrator and opens each page of
the console and of the administration again and again, one at a time. Ends with 1 when the median of
a page is above 100 ms. Rows are generated straight into the database and summed into every rollup;
accounts are made as anybody's are. The full size needs about 4 GB of disk and some minutes before
it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import re
import sqlite3
import statistics
import sys
import time
from pathlib import Path

import aiohttp

from benchmarks.bench_console import session_of
from benchmarks.load.contenders import Launch, Recipe, Running, Site, Unavailable, tallygate
from benchmarks.load.scale import DATABASE_FILE, fill_log
from benchmarks.load.upstream import Upstream
from gateway.base.config import load
from gateway.platform.assembly import Platform, open_platform
from gateway.web.admin.commands import run_command

GOAL_MS = 100.0
VISITOR = "bench@example.com"
DAYS = 90
MODELS = 40
AT_ONCE = 1_000  # accounts made in one transaction
WARM = 3
START_TIMEOUT_S = 120.0
PAGES = (
    *("/", "/models", "/docs", "/docs/reference", "/status"),
    *("/console", "/console/keys", "/console/billing", "/console/organisations"),
    *("/console/usage", "/console/usage?range=90d&by=key", "/console/usage?range=90d&by=model"),
    *("/console/logs", "/console/logs?model=model-7", "/console/logs?state=failed"),
    *("/console/logs/{request}", "/console/playground", "/settings/profile", "/settings/security"),
    *("/admin", "/admin/providers", "/admin/models", "/admin/prices"),
    *("/admin/users", "/admin/users?q=person77", "/admin/users?q=none-of-these"),
    *("/admin/users/{user}", "/admin/organisations", "/admin/letters", "/admin/adjustments"),
    *("/admin/ledger", "/admin/drift", "/admin/audit", "/admin/settings"),
)


async def settle_people(data: Path, people: int) -> None:
    """Make accounts, each with credit, and the visitor an administrator. No server is running."""
    platform = await open_platform(load(environ={}), data, first_start=False)
    try:
        await run_command(platform, "accounts.role", {"email": VISITOR, "role": "administrator"})
        for first in range(0, people, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, people))
            await _settle(platform, [f"person{n}@example.com" for n in numbers])
    finally:
        await platform.close()


async def _settle(platform: Platform, addresses: list[str]) -> None:
    accounts = platform.accounts
    made = await platform.database.write(lambda c: [accounts.insert(c, each) for each in addresses])
    for account in made:
        accounts.keep(account)
    # A grant is a commit of its own, and flushed to disk.
    grants = ({"email": each, "usd": "5", "reason": "bench"} for each in addresses[::10])
    await asyncio.gather(*(run_command(platform, "credits.grant", each) for each in grants))


def fill(data: Path, people: int, rows: int) -> None:
    """Bring a data folder with one account and one key to the size."""
    asyncio.run(settle_people(data, people))
    connection = sqlite3.connect(data / DATABASE_FILE, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        account, key = connection.execute("SELECT account_no, no FROM api_keys").fetchone()
        fill_log(
            connection,
            rows,
            {"account": account, "key": key, "people": people},
            gap_us=DAYS * 86_400_000_000 // max(rows, 1),
            account="CASE WHEN n % 2 THEN :account ELSE 2 + (n / 2) % :people END",
            model=f"'model-' || (n / 7 % {MODELS})",
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def prepare(site: Site, people: int, rows: int) -> Launch:
    """Tallygate over a folder of this size."""
    return tallygate(site, functools.partial(fill, people=people, rows=rows))


async def measure(url: str, token: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds until the last byte of each page, for each time it was opened."""
    took: dict[str, list[float]] = {}
    cookie = {"Cookie": f"token={token}"}
    async with aiohttp.ClientSession(headers=cookie) as session:
        named = {
            "request": await _first(session, f"{url}/console/logs", r"/console/logs/(req_\w+)"),
            "user": await _first(
                session, f"{url}/admin/users?q=person77", r"/admin/users/(acc_\w+)"
            ),
        }
        for page in PAGES:
            for _ in range(WARM + rounds):
                started = time.perf_counter()
                async with session.get(url + page.format(**named)) as answer:
                    await answer.read()
                    if answer.status != 200 or str(answer.url).count("/sign-in"):
                        raise Unavailable(f"{page}: {answer.status}")
                took.setdefault(page, []).append((time.perf_counter() - started) * 1000)
            took[page] = took[page][WARM:]
    return took


async def _first(session: aiohttp.ClientSession, address: str, pattern: str) -> str:
    async with session.get(address) as answer:
        found = re.search(pattern, await answer.text())
    if found is None:
        raise Unavailable(f"{address} names none")
    return found[1]


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.bench_pages", description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20, help="each page is opened so often")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Prints a line a page, slowest first."""
    options = parse_options(arguments)
    recipe = Recipe(
        "pages",
        functools.partial(prepare, people=options.people, rows=options.rows),
        str,
        start_timeout_s=START_TIMEOUT_S,
    )
    cpus = sorted(os.sched_getaffinity(0))
    with (
        Upstream() as upstream,
        Running(recipe, upstream.port, cpus[0] if len(cpus) > 1 else None) as running,
    ):
        url = f"http://127.0.0.1:{running.port}"
        print(f"serving after {running.started_s:.1f} s", flush=True)
        took = asyncio.run(measure(url, session_of(running), options.rounds))
    medians = {page: statistics.median(times) for page, times in took.items()}
    for page in sorted(medians, key=lambda each: -medians[each]):
        print(f"{medians[page]:8.1f} ms, most {max(took[page]):8.1f} ms  {page}")
    if options.json:
        options.json.write_text(json.dumps(took))
    return int(max(medians.values()) > GOAL_MS)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Unavailable as problem:
        print(f"benchmarks: {problem}", file=sys.stderr)
        sys.exit(2)
