"""Compares a measurement with `baseline.json`: `python -m benchmarks.compare [RESULT] [--write]`.

Absolute times of two machines, or of one machine on two days, do not compare; ratios to nginx
measured in the same minute do. Two questions are answered: is Tallygate within the limits it
promises (`limits`), and has any gateway's ratio grown by more than `tolerance` since the baseline
(`ratios`)? Ends with 1 when either is broken. `--write` takes the result's ratios as the new
baseline. Nothing is measured here.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "baseline.json"
LATEST = HERE / "results" / "latest.json"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One comparison, as a line. `broken` fails the run."""

    text: str
    broken: bool


def figure_of(result: dict[str, Any], gateway: str, section: str, figure: str) -> float | None:
    """A section's ratio to nginx, or the last run's figure; None when it was not measured."""
    found = result["contenders"].get(gateway, {}).get("sections", {}).get(section)
    if not found:
        return None
    value = found.get("ratio") if figure == "ratio" else found["runs"][-1].get(figure)
    return float(value) if isinstance(value, int | float) else None


def against_limits(result: dict[str, Any], baseline: dict[str, Any]) -> list[Verdict]:
    """Every promised limit beside its figure. What was not measured is said, and not broken."""
    verdicts = []
    for gateway, sections in baseline["limits"].items():
        for section, limits in sections.items():
            for figure, limit in limits.items():
                found = figure_of(result, gateway, section, figure)
                where = f"{gateway} {section} {figure}"
                if found is None:
                    verdicts.append(Verdict(f"?    {where}: not measured (limit {limit})", False))
                    continue
                broken = found > limit
                word = "OVER" if broken else "ok  "
                verdicts.append(Verdict(f"{word} {where}: {found} (limit {limit})", broken))
    return verdicts


def against_ratios(result: dict[str, Any], baseline: dict[str, Any]) -> list[Verdict]:
    """Every known ratio beside the new one; broken when it grew beyond the tolerance."""
    verdicts = []
    for gateway, sections in baseline["ratios"].items():
        for section, known in sections.items():
            found = figure_of(result, gateway, section, "ratio")
            if found is None:
                continue
            broken = found > known * baseline["tolerance"]
            word = "WORSE" if broken else "ok  "
            text = f"{word} {gateway} {section}: {found} x nginx (baseline {known})"
            verdicts.append(Verdict(text, broken))
    return verdicts


def ratios_of(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """All ratios to nginx of a result, by gateway and section."""
    found: dict[str, dict[str, float]] = {}
    for gateway, contender in result["contenders"].items():
        for section, measured in contender.get("sections", {}).items():
            if measured.get("ratio"):
                found.setdefault(gateway, {})[section] = measured["ratio"]
    return found


def main(arguments: list[str]) -> int:
    """Prints the comparison; 1 when a limit or a ratio is broken, 2 without a result."""
    parser = argparse.ArgumentParser(prog="benchmarks.compare", description=__doc__)
    parser.add_argument("result", nargs="?", type=Path, default=LATEST)
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    parser.add_argument("--write", action="store_true", help="take its ratios as the baseline")
    options = parser.parse_args(arguments)
    if not options.result.exists():
        print(f"there is no result at {options.result}; make one with: make bench", file=sys.stderr)
        return 2
    result = json.loads(options.result.read_text("utf-8"))
    baseline = json.loads(options.baseline.read_text("utf-8"))
    if options.write:
        for gateway, sections in ratios_of(result).items():
            baseline["ratios"].setdefault(gateway, {}).update(sections)
        options.baseline.write_text(json.dumps(baseline, indent=1) + "\n", "utf-8")
        print(f"wrote the ratios of {result['when']} to {options.baseline}")
        return 0
    verdicts = [*against_limits(result, baseline), *against_ratios(result, baseline)]
    for verdict in verdicts:
        print(verdict.text)
    return int(any(verdict.broken for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
