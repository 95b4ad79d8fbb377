"""The report and the comparison read a result as run.py writes it."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import main as compare
from benchmarks.load.report import ratio_to_nginx, render
from benchmarks.load.run import parse_options
from benchmarks.load.sections import shares


def result_with(cost: float, added_ms: float) -> dict[str, Any]:
    section = {"runs": [{"cpu_per_piece": cost}], "nginx": [{"cpu_per_piece": 10.0}]}
    sections = {
        "p500x10": {**section, "ratio": ratio_to_nginx(section, "cpu_per_piece")},
        "first": {"runs": [{"added_p50_ms": added_ms, "failures": 2}], "nginx": []},
    }
    return {
        "when": "2026-11-21 00:00:00",
        "machine": {"cpus": 2, "cpu": "x", "kernel": "6", "python": "3.11"},
        "settings": {"rounds": 1, "seconds": 4, "gateway_cpu": 0, "load_cpu": 1},
        "contenders": {
            "tallygate": {"version": "0.1.0", "note": "all on", "sections": sections},
            "absent": {"skipped": "it is not installed"},
        },
    }


@pytest.mark.parametrize(
    ("cost", "added_ms", "status"), [(12.0, 0.4, 0), (12.6, 0.4, 1), (12.0, 0.6, 1)]
)
def test_a_broken_limit_fails_the_comparison(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cost: float, added_ms: float, status: int
) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result_with(cost, added_ms)))
    assert compare([str(path)]) == status
    assert ("OVER" in capsys.readouterr().out) == bool(status)


def test_a_ratio_may_not_grow_beyond_the_tolerance(tmp_path: Path) -> None:
    before, after, baseline = (tmp_path / name for name in ("before", "after", "baseline"))
    baseline.write_text(json.dumps({"limits": {}, "tolerance": 1.3, "ratios": {}}))
    before.write_text(json.dumps(result_with(11.0, 0.1)))
    where = ["--baseline", str(baseline)]
    assert compare([str(before), *where, "--write"]) == 0
    assert json.loads(baseline.read_text())["ratios"] == {"tallygate": {"p500x10": 1.1}}
    after.write_text(json.dumps(result_with(14.2, 0.1)))
    assert compare([str(after), *where]) == 0
    after.write_text(json.dumps(result_with(14.4, 0.1)))
    assert compare([str(after), *where]) == 1


@pytest.mark.parametrize(
    ("room", "inside", "expected"),
    [
        (20_000, True, (10_000, 0)),
        (19_951, True, (9_951, 49)),
        (19_951, False, (9_975, 0)),
        (19_000, True, (9_000, 1_000)),
        (18_999, True, (9_499, 0)),
        (-5, True, (0, 0)),
    ],
)
def test_streams_fill_the_open_files_there_are(
    room: int, inside: bool, expected: tuple[int, int]
) -> None:
    assert shares(10_000, room, inside) == expected
    assert 2 * expected[0] + expected[1] <= max(0, room)


def test_the_report_says_how_many_streams_needed_no_upstream() -> None:
    result = result_with(12.0, 0.4)
    found = {"all_complete": True, "at_once": 10_000, "answered_inside": 49, "kib_per_stream": 15.4}
    result["contenders"]["tallygate"]["sections"]["streams"] = {"runs": [found], "nginx": []}
    assert "| 10,000 (49 of them answered inside), all | 15.4 |" in render(result)


def test_the_report_names_the_skipped_and_the_failed() -> None:
    text = render(result_with(12.0, 0.4))
    assert "absent: skipped: it is not installed" in text
    assert "tallygate, first: 2 failed" in text
    assert "12.0 (1.20 x)" in text


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(["--only", "ngnix"])
    assert "there is no gateway named ngnix" in capsys.readouterr().err
