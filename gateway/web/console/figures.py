"""Points of usage as a chart and its table, and as a file: the same numbers, three times.

A chart has at most SERIES series; what is beyond them is summed up as one more. The table and the
file have every group. Pure.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from gateway.base.money import format_usd
from gateway.platform.request_log.series import Point
from gateway.web.console.ranges import Range, label

SERIES: Final = 7
MEASURES: Final = ("cost", "tokens", "requests")
_UNITS: Final = {"cost": "usd", "tokens": "tokens", "requests": "count"}
# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Row(NamedTuple):
    """One group's sums over the whole range."""

    group: Any
    requests: int
    failures: int
    input_tokens: int
    output_tokens: int
    cost_microusd: int


class Figure(NamedTuple):
    """A chart's specification (see macros.html), the table's rows, dearest first, their total."""

    spec: dict[str, Any]
    rows: list[Row]
    total: Row


def measure(point: Point | Row, name: str) -> int:
    """What is shown of a point: micro-dollars, tokens in and out, or requests."""
    if name == "cost":
        return point.cost_microusd
    if name == "tokens":
        return point.input_tokens + point.output_tokens
    return point.requests


def figure(
    points: Sequence[Point],
    span: Range,
    shown: str,
    name_of: Callable[[Any], str],
    other: str,
) -> Figure:
    """Everything the page of a range shows; `other` names what is beyond the first groups."""
    sums: dict[Any, list[int]] = {}
    for point in points:
        total = sums.setdefault(point.group, [0, 0, 0, 0, 0])
        total[:] = map(sum, zip(total, point[2:], strict=True))
    rows = [Row(group, *total) for group, total in sums.items()]
    rows.sort(key=lambda row: (-measure(row, shown), str(row.group)))
    places = {row.group: min(index, SERIES) for index, row in enumerate(rows)}
    buckets = span.buckets
    series = [{"label": name_of(row.group), "values": [0] * len(buckets)} for row in rows[:SERIES]]
    if len(rows) > SERIES:
        series.append({"label": other, "values": [0] * len(buckets)})
    for point in points:
        values: Any = series[places[point.group]]["values"]
        values[point.bucket - buckets.start] += measure(point, shown)
    labels = [label(span.start_us(bucket), span.hours_a_bucket) for bucket in buckets]
    spec = {
        "type": "bar",
        "stacked": True,
        "labels": labels,
        "unit": _UNITS[shown],
        "series": series,
    }
    whole = [sum(column) for column in zip(*(row[1:] for row in rows), strict=True)]
    return Figure(spec, rows, Row(None, *(whole or [0] * 5)))


def safe_cell(text: str) -> str:
    """A text that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_csv(points: Iterable[Point], span: Range, by: str, name_of: Callable[[Any], str]) -> str:
    """The points as a file; dollars are exact."""
    written = io.StringIO()
    lines = csv.writer(written)
    names = ("requests", "failures", "input_tokens", "output_tokens", "cost_usd")
    lines.writerow(("start_utc", by, *names))
    for point in points:
        start = label(span.start_us(point.bucket), span.hours_a_bucket)
        amounts = (*point[2:6], format_usd(point.cost_microusd))
        lines.writerow((start, safe_cell(name_of(point.group)), *amounts))
    return written.getvalue()
