"""CPU per settled request: holds, queue, hash chain, inserts, balances, rollups, commit.

    python benchmarks/bench_settlement.py [--requests N] [--accounts N] [--batch N] [--profile]

Submits charges in waves of a fixed size to a real file (WAL, synchronous=FULL) and waits for each
wave, so a wave is one commit. Prints one JSON line: CPU of the whole process and of the writer's
thread in microseconds per request, of which `hold_us` is the loop's own part (hold, settle, row,
submit); then the batches seen. `--profile` adds where the writer's thread spends its time.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from gateway.base.clock import SystemClock
from gateway.base.ids import IdFactory
from gateway.platform.ledger import Ledger
from gateway.platform.ledger.holds import Bank, Charge
from gateway.platform.request_log.record import RequestRow
from gateway.platform.settlement import Settlements
from gateway.store.database import Database


def request_row(request_id: str, account_no: int, charge: Charge, started_us: int) -> RequestRow:
    return RequestRow(
        id=request_id,
        started_us=started_us,
        account_no=account_no,
        key_no=account_no,
        model="gpt-4o-mini",
        provider="openai",
        upstream_model="gpt-4o-mini",
        endpoint="chat",
        stream=True,
        status=200,
        outcome="completed",
        error_code="",
        attempts=1,
        duration_ms=812,
        first_token_ms=204,
        basis="reported",
        input_tokens=512,
        cache_read_tokens=0,
        cache_write_tokens=0,
        output_tokens=128,
        reasoning_tokens=0,
        reported_input_tokens=512,
        reported_output_tokens=128,
        measured_input_tokens=511,
        measured_output_tokens=128,
        measured_exact=True,
        cost_picousd=charge.cost_picousd,
        cost_microusd=charge.posted_microusd,
        overrun_microusd=charge.overrun_microusd,
        price_version=3,
    )


async def run(
    args: argparse.Namespace, folder: Path, profiler: cProfile.Profile
) -> dict[str, object]:
    clock = SystemClock()
    ids = IdFactory(clock)
    database = Database.open(folder / "bench.db", clock=clock)
    bank = Bank()
    ledger = Ledger(database, bank)
    await database.read(ledger.load)
    settlements = Settlements(database, bank, 1_000_000, commit_delay_us=1_500)
    if args.profile:
        flush: Any = settlements._flush
        database.writer.flush_with(partial(profiler.runcall, flush), 1_500)
    for account_no in range(1, args.accounts + 1):
        await ledger.grant(account_no, 10**12, reason="bench", transaction_id=f"grant:{account_no}")
    gate = asyncio.Event()
    waiting = 0

    def on_durable() -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting:
            gate.set()

    async def waves(count: int) -> float:
        nonlocal waiting
        loop_s, number = 0.0, 0
        for _ in range(count // args.batch):
            start_s = time.thread_time()
            gate.clear()
            waiting = args.batch
            now_us = clock.now_us()
            for _ in range(args.batch):
                number += 1
                account_no = 1 + number % args.accounts
                hold = bank.hold(account_no, 100, 3_000)
                charge = hold.settle(153_600_000 + number)
                row = request_row(ids.make("req"), account_no, charge, now_us)
                settlements.submit(charge, row, on_durable)
            loop_s += time.thread_time() - start_s
            await gate.wait()
        return loop_s

    await waves(args.batch * 20)
    batches = database.writer.batches
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    loop_s = await waves(args.requests)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    done = args.requests // args.batch * args.batch
    result = {
        "accounts": args.accounts,
        "batch": args.batch,
        "requests": done,
        "batches": database.writer.batches - batches,
        "cpu_us": round(cpu_s / done * 1e6, 2),
        "hold_us": round(loop_s / done * 1e6, 2),
        "writer_us": round((cpu_s - loop_s) / done * 1e6, 2),
        "wall_us": round(wall_s / done * 1e6, 2),
    }
    await database.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=64_000)
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    profiler = cProfile.Profile()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        print(json.dumps(asyncio.run(run(args, Path(folder), profiler))))
    if args.profile:
        pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(18)


if __name__ == "__main__":
    main()
