"""A result as Markdown: one row a gateway. Pure; knows the shape of run.py's result and no more."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.load.sections import RATIOS

Result = dict[str, Any]
# Above this many CPUs kept busy by other processes, a figure is marked as doubtful.
FOREIGN_LIMIT = 0.25
COST_COLUMNS = {
    "json64": "JSON, 64 conn., us/request",
    "json1": "JSON, 1 conn., us/request",
    "p500x10": "500 x 10 ms, us/piece",
    "p50x20": "50 x 20 ms, us/piece",
    "burst": "burst, us/piece",
}


def median(runs: list[dict[str, Any]], *path: str) -> float | None:
    """The median over runs of the number at `path`; None when no run has it."""
    found = []
    for run in runs:
        value: Any = run
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            found.append(float(value))
    return statistics.median(found) if found else None


def ratio_to_nginx(section: dict[str, Any], figure: str) -> float | None:
    """The median of this gateway's figure over nginx's of the same round; None without both."""
    found = [
        run[figure] / reference[figure]
        for run, reference in zip(section["runs"], section["nginx"], strict=False)
        if run.get(figure) and reference.get(figure)
    ]
    return round(statistics.median(found), 3) if found else None


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _milliseconds(value_us: float | None) -> str:
    return "-" if value_us is None else f"{value_us / 1000:.2f}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def _measured(result: Result) -> dict[str, Any]:
    return {name: c["sections"] for name, c in result["contenders"].items() if "sections" in c}


def _costs(result: Result) -> list[str]:
    rows = []
    for name, sections in _measured(result).items():
        row = [name]
        for section in COST_COLUMNS:
            found = sections.get(section)
            if found is None:
                row.append("-")
                continue
            cost = _number(median(found["runs"], RATIOS[section]))
            ratio = ratio_to_nginx(found, RATIOS[section])
            noisy = (median(found["runs"], "foreign_cpus") or 0) > FOREIGN_LIMIT
            times = f" ({ratio:.2f} x)" if ratio is not None else ""
            row.append(f"{cost}{times}{' ~' if noisy else ''}")
        rows.append(row)
    return _table(["gateway", *COST_COLUMNS.values()], rows)


def _rates(result: Result) -> list[str]:
    rows = []
    for name, sections in _measured(result).items():

        def figure(section: str, *path: str, of: dict[str, Any] = sections) -> float | None:
            return median(of[section]["runs"], *path) if section in of else None

        added = [figure("first", f"added_{q}_ms") for q in ("p50", "p99")]
        closed = figure("abort", "closed_upstream")
        left = figure("abort", "left")
        after = _number(figure("abort", "close_p50_ms"))
        complete = figure("streams", "all_complete")
        inside = figure("streams", "answered_inside")
        of_them = f" ({inside:.0f} of them answered inside)" if inside else ""
        rows.append(
            [
                name,
                _number(figure("json64", "requests_per_s")),
                _milliseconds(figure("json1", "whole_us", "p50")),
                _number(figure("p500x10", "pieces_per_s")),
                " / ".join(
                    _milliseconds(figure("p50x20", "lateness_us", q)) for q in ("p50", "p99")
                ),
                " / ".join(_number(value) for value in added),
                _number(figure("first", "rate")),
                "-" if closed is None else f"{closed:.0f} of {left:.0f}, {after} ms",
                "-"
                if complete is None
                else f"{figure('streams', 'at_once'):,.0f}{of_them}, "
                f"{'all' if complete else 'NOT all'}",
                _number(figure("streams", "kib_per_stream")),
            ]
        )
    head = ["gateway", "JSON requests/s", "JSON p50 ms", "pieces/s of 50,000"]
    head += ["lateness p50 / p99 ms", "added first piece p50 / p99 ms", "at streams/s"]
    head += ["upstream closed after leaving", "slow streams at once, complete", "KiB per stream"]
    return _table(head, rows)


def _failures(result: Result) -> list[str]:
    lines = []
    for name, sections in _measured(result).items():
        for section, found in sections.items():
            failed = sum(run.get("failures", 0) for run in found["runs"])
            errors = [run["error"] for run in found["runs"] if run.get("error")]
            if failed or errors:
                what = "; ".join([f"{failed} failed" if failed else "", *errors]).strip("; ")
                lines.append(f"- {name}, {section}: {what}")
    return lines


def render(result: Result) -> str:
    """The whole result as Markdown."""
    machine, settings = result["machine"], result["settings"]
    lines = [
        f"# Load figures, {result['when']}",
        "",
        f"{machine['cpus']} CPUs ({machine['cpu']}), kernel {machine['kernel']}, "
        f"Python {machine['python']}; {settings['rounds']} round(s) of {settings['seconds']} s; "
        f"gateway on CPU {settings['gateway_cpu']}, mock and load on CPU {settings['load_cpu']}.",
        "",
        "CPU (user and system) of the gateway's process tree; in brackets the ratio to nginx, "
        "measured just before, in the same round. A figure marked ~ was made while other "
        f"processes used over {FOREIGN_LIMIT} of a CPU.",
        "",
        *_costs(result),
        *_rates(result),
        "## Versions",
        "",
    ]
    for name, contender in result["contenders"].items():
        if "skipped" in contender:
            lines.append(f"- {name}: skipped: {contender['skipped']}")
        else:
            lines.append(f"- {name}: {contender['version'] or '?'}; {contender['note']}")
    if failures := _failures(result):
        lines += ["", "## Failures", "", *failures]
    return "\n".join(lines) + "\n"
