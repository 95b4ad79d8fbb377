"""The load client counts what a mock of known behaviour sends, and calls a fault a fault."""

import json
import subprocess
from typing import Any

import pytest

from benchmarks.load.build import build
from benchmarks.load.upstream import Upstream


def run(upstream: Upstream, *options: object) -> dict[str, Any]:
    command = [str(build("client")), "-p", str(upstream.port), "-T", "20", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=40)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_streams_are_counted_whole(upstream: Upstream) -> None:
    found = run(upstream, "-c", 20, "-t", 60, "-n", 30, "-d", 1)
    assert found["finished"] == found["whole_us"]["n"] == found["first_us"]["n"] == 60
    assert found["pieces"] == found["lateness_us"]["n"] == 60 * 30
    assert found["dials"] == found["max_busy"] == 20
    assert not found["incomplete"] and not found["broken"] and not found["http_errors"]
    assert found["whole_us"]["min"] >= 29_000
    quantiles = [found["lateness_us"][q] for q in ("min", "p50", "p90", "p99", "p999", "max")]
    assert quantiles == sorted(quantiles)


def test_stamps_survive_any_cut(upstream: Upstream) -> None:
    found = run(upstream, "-c", 1, "-t", 1, "-n", 12, "-x", "drip=61")
    assert found["pieces"] == 12
    assert found["finished"] == 1 and not found["incomplete"]


def test_open_loop_keeps_its_schedule(upstream: Upstream) -> None:
    found = run(upstream, "-c", 40, "-t", 100, "-n", 1, "-R", 200, "-w", 0.25)
    assert found["finished"] == 100
    assert found["seconds"] >= 0.49
    assert 0 < found["whole_us"]["n"] <= 50


def test_open_loop_counts_the_wait_in_line(upstream: Upstream) -> None:
    # One connection, answers of 50 ms, 100 a second asked: the tenth waits about 400 ms in line.
    found = run(upstream, "-c", 1, "-t", 10, "-n", 1, "-j", "-R", 100, "-x", "wait=50")
    assert found["waited"] > 0
    assert found["whole_us"]["max"] >= 350_000


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        ("fault=reset_mid", "broken"),
        ("fault=close_mid", "broken"),
        ("fault=bad_chunk", "broken"),
        ("fault=no_done", "incomplete"),
        ("fault=error_mid", "incomplete"),
        ("status=503", "http_errors"),
    ],
)
def test_a_fault_is_not_an_answer(upstream: Upstream, fault: str, count: str) -> None:
    found = run(upstream, "-c", 2, "-t", 6, "-n", 5, "-x", fault)
    assert found["finished"] == found[count] == 6


def test_json_and_single_use(upstream: Upstream) -> None:
    found = run(upstream, "-j", "-1", "-c", 3, "-t", 30)
    assert found["finished"] == found["dials"] == 30
    assert not found["broken"]
