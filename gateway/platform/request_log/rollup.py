"""The rollups: usage per hour, and drift of reported against measured tokens per day.

Both change in the transaction that writes the rows they sum up, so a chart, the log and the ledger
cannot disagree. A batch is summed in memory first: one upsert for each distinct key.
"""

from collections.abc import Iterable
from math import isqrt
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from gateway.platform.request_log.record import RequestRow
from gateway.store.bulk import bulk_add
from gateway.store.schema.request_log import usage_drift_daily, usage_hourly

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
PPM = 1_000_000
# A ratio counts as at most ten, so that sums of its square stay within 64 bits for 10^10 requests.
MAX_RATIO_PPM = 10 * PPM
SERVED = frozenset({"completed", "client_gone"})  # every other outcome is a failure

_hourly = bulk_add(usage_hourly, tuple(column.name for column in usage_hourly.c))
_drift = bulk_add(usage_drift_daily, tuple(column.name for column in usage_drift_daily.c))


class Drift(NamedTuple):
    """A provider's model whose reports differ from our count. Ratios are reported/measured."""

    provider: str
    model: str
    requests: int
    reported_tokens: int
    measured_tokens: int
    ratio_ppm: int
    deviation_ppm: int


def ratio_ppm(reported: int, measured: int) -> int:
    """Reported over measured in parts per million, bounded; two zeros agree."""
    if measured == 0:
        return MAX_RATIO_PPM if reported else PPM
    return min(reported * PPM // measured, MAX_RATIO_PPM)


def add_rows(connection: Connection, rows: Iterable[RequestRow]) -> None:
    """Add a batch of log rows to both rollups."""
    hours: dict[tuple[Any, ...], list[int]] = {}
    days: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        (
            _, started_us, account_no, key_no, model, provider, _, _, _, _, outcome, _, _, _, _, _,
            fresh, read, written, output, reasoning, _, reported, _, measured, _, _,
            cost, overrun, _,
        ) = row  # fmt: skip
        key = (started_us // HOUR_US, account_no, key_no, model, provider)
        failed = 0 if outcome in SERVED else 1
        sums = hours.get(key)
        if sums is None:
            hours[key] = [1, failed, fresh, read, written, output, reasoning, cost, overrun]
        else:
            sums[0] += 1
            sums[1] += failed
            sums[2] += fresh
            sums[3] += read
            sums[4] += written
            sums[5] += output
            sums[6] += reasoning
            sums[7] += cost
            sums[8] += overrun
        if reported is not None and measured is not None and outcome == "completed":
            ratio = ratio_ppm(reported, measured)
            day = (started_us // DAY_US, provider, row.upstream_model)
            both = (1, reported, measured, ratio, ratio * ratio // PPM)
            total = days.get(day)
            days[day] = (
                list(both) if total is None else [a + b for a, b in zip(total, both, strict=True)]
            )
    _hourly.run(connection, [value for key, sums in hours.items() for value in (*key, *sums)])
    if days:
        _drift.run(connection, [value for key, sums in days.items() for value in (*key, *sums)])


def drift(
    connection: Connection, limit_ppm: int, *, since_day: int = 0, least_requests: int = 20
) -> list[Drift]:
    """Findings: models whose mean ratio is off 1 by more than `limit_ppm`, the worst first.

    Summed since a day (days since the Unix epoch), over at least `least_requests` requests, so
    that a handful of short answers does not raise an alarm.
    """
    table = usage_drift_daily
    query = (
        select(
            table.c.provider,
            table.c.model,
            func.sum(table.c.requests),
            func.sum(table.c.reported_tokens),
            func.sum(table.c.measured_tokens),
            func.sum(table.c.ratio_ppm_sum),
            func.sum(table.c.ratio_square_ppm_sum),
        )
        .where(table.c.day >= since_day)
        .group_by(table.c.provider, table.c.model)
    )
    found: list[Drift] = []
    for provider, model, requests, reported, measured, ratios, squares in connection.execute(query):
        if requests < least_requests:
            continue
        mean = int(ratios) // int(requests)
        if abs(mean - PPM) > limit_ppm:
            # Of the mean square (in ppm) less the square of the mean: the variance, in ppm.
            variance = max(int(squares) // int(requests) - mean * mean // PPM, 0)
            deviation = isqrt(variance * PPM)
            found.append(Drift(provider, model, requests, reported, measured, mean, deviation))
    found.sort(key=lambda each: -abs(each.ratio_ppm - PPM))
    return found
