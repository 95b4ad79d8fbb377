"""What metering costs of a paced stream: python -m benchmarks.bench_meter [--rounds N]

One gateway process; before every load the meter of the streams to come is switched off or on again,
and the processor time of a piece is compared: the median of the pairs. Off, a stream passes through
a stand-in that scans and counts nothing; its own cost, a call of a Python method, is measured apart
and given back. The switch is a signal to a process that this module starts (`--serve`); the product
has none. Besides, the cost of scan and count alone, in a loop over the same pieces.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gateway.proxy.meter as metering
from benchmarks.load.contenders import Launch, Recipe, Running, Site, Unavailable, tallygate
from benchmarks.load.sections import SECTIONS, Loads, Target
from benchmarks.load.upstream import Upstream
from gateway._native.sse import StreamMeter
from gateway._native.tokens import Counter

ROOT = Path(__file__).resolve().parents[1]
SECTION = "p500x10"
GOAL = 0.03  # of a piece's processor time
DONE = b"data: [DONE]\n\n"
PIECE = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"%s"},'
    b'"finish_reason":null}]}\n\n'
)
WORDS = (
    b"the of and quick brown fox over lazy dogs stream counting tokens while text passes".split()
)


class Passing:
    """Stands in for a stream's meter and meters nothing; it knows the end, which is withheld."""

    tokens = reasoning_tokens = events = malformed_events = usage_events = 0
    usage = usage_start = error = model = service_tier = None
    too_large = truncated = usage_overflow = ending = False
    output_seen = finish_seen = True

    def __init__(self) -> None:
        self.done = False
        self.held = b""

    def feed(self, data: bytes) -> bytes | None:
        if data.endswith(DONE):
            self.done, self.held = True, data
            return None
        return data

    def take_tail(self) -> bytes:
        return self.held

    def finish(self) -> int:
        return 0


def serve(arguments: list[str]) -> None:
    """The gateway's command with the switch in it: SIGUSR1 is off, SIGUSR2 on."""
    state = {"off": False}

    def turn(number: int, _frame: object) -> None:
        state["off"] = number == signal.SIGUSR1

    def make(*words: Any, **named: Any) -> StreamMeter | Passing:
        return Passing() if state["off"] else StreamMeter(*words, **named)

    signal.signal(signal.SIGUSR1, turn)
    signal.signal(signal.SIGUSR2, turn)
    metering.StreamMeter = make  # type: ignore[misc,assignment]
    from gateway.cli.main import main as command

    sys.argv = ["tallygate", *arguments]
    command()


def prepare(site: Site) -> Launch:
    launch = tallygate(site)
    command = (sys.executable, "-m", "benchmarks.bench_meter", "--serve", *launch.command[1:])
    environment = {**launch.environment, "PYTHONPATH": str(ROOT)}
    return dataclasses.replace(launch, command=command, environment=environment)


def pieces(many: int = 200) -> list[bytes]:
    """Chat events of one word each, all different as a stream's are."""
    return [PIECE % (b" " + WORDS[at * 7 % len(WORDS)]) for at in range(many)]


def alone_us(make: Callable[[], Any], data: list[bytes]) -> float:
    """Microseconds of feeding one piece to a meter, best of many streams."""
    best = float("inf")
    for _ in range(400):
        feed = make().feed
        started = time.perf_counter_ns()
        for piece in data:
            feed(piece)
        best = min(best, time.perf_counter_ns() - started)
    return best / len(data) / 1000


def main() -> None:
    """Run the pairs and print the share; --json FILE keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--section", default=SECTION, choices=("p500x10", "p50x20"))
    parser.add_argument("--seconds", type=float, default=8.0, help="about, of each load")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = pieces()
    stand_in_us = alone_us(Passing, data)
    native_us = alone_us(
        lambda: StreamMeter("chat", lambda: Counter("o200k_base"), remove_usage=False), data
    )
    print(f"alone: meter {native_us:.3f} us a piece, stand-in {stand_in_us:.3f} us", flush=True)
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(0, {cpus[1]})
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    costs: list[tuple[float, float]] = []
    with Upstream() as upstream:
        loads = Loads(upstream, options.seconds, files)
        gateway_cpu = cpus[0] if len(cpus) > 1 else None
        with Running(Recipe("metered", prepare, str), upstream.port, gateway_cpu) as running:
            target = Target(running.pid, running.port, running.launch)
            loads.warm(target)
            for number in range(options.rounds):
                pair = {}
                order = (signal.SIGUSR1, signal.SIGUSR2)
                for switch in order if number % 2 else reversed(order):
                    os.kill(running.pid, switch)
                    figures = SECTIONS[options.section](loads, target)
                    loads.wait_until_quiet(target)
                    pair[switch] = figures["cpu_per_piece"]
                    if figures["failures"]:
                        raise Unavailable(f"streams failed: {figures}")
                costs.append((pair[signal.SIGUSR2], pair[signal.SIGUSR1]))
                print(f"  on {costs[-1][0]:.3f} us, off {costs[-1][1]:.3f} us", flush=True)
    share_us = statistics.median(on - off for on, off in costs) + stand_in_us
    on_us = statistics.median(on for on, _ in costs)
    share = share_us / on_us
    print(f"a piece {on_us:.2f} us, of it the meter {share_us:.2f} us: {share:.1%} (<= {GOAL:.0%})")
    if options.json:
        figures = {"pairs_us": costs, "alone_us": native_us, "stand_in_us": stand_in_us}
        options.json.write_text(json.dumps({**figures, "share": share}, indent=1))


if __name__ == "__main__":
    try:
        if sys.argv[1:2] == ["--serve"]:
            serve(sys.argv[2:])
        else:
            main()
    except Unavailable as problem:
        print(f"benchmarks: {problem}", file=sys.stderr)
        sys.exit(2)
