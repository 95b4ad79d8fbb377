"""The rollups: usage per hour and day, units and applications per hour; per day what models
served, and drift.

All change in the transaction that writes the rows they sum up, so a chart, the log and the ledger
cannot disagree. A batch is summed in memory first: one upsert for each distinct key.
"""

from collections.abc import Iterable
from math import isqrt
from operator import add, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from gateway.platform.request_log.record import RequestRow, read_units
from gateway.store.bulk import bulk_add
from gateway.store.schema.request_log import (
    service_daily,
    usage_applications_hourly,
    usage_daily,
    usage_drift_daily,
    usage_hourly,
    usage_units_hourly,
)

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
PPM = 1_000_000
# A ratio counts as at most ten, so that sums of its square stay within 64 bits for 10^10 requests.
MAX_RATIO_PPM = 10 * PPM
SERVED = frozenset({"completed", "client_gone", "cache_hit"})  # every other outcome is a failure
# Failures of the caller's own means; they are no fault of the service.
MEANS = frozenset({"credit_exhausted", "budget_exhausted"})

_at = RequestRow._fields.index
_STARTED, _PROVIDER, _UPSTREAM = _at("started_us"), _at("provider"), _at("upstream_model")
_OUTCOME, _UNITS, _APPLICATION = _at("outcome"), _at("units"), _at("application")
_STATUS, _ERROR = _at("status"), _at("error_code")
_REPORTED, _MEASURED = _at("reported_output_tokens"), _at("measured_output_tokens")
_key = itemgetter(*map(_at, ("account_no", "key_no", "model", "provider")))
_amounts = itemgetter(*map(_at, (column.name for column in list(usage_hourly.c)[7:])))
_COST = [column.name for column in list(usage_hourly.c)[7:]].index("cost_microusd")
_hourly = bulk_add(usage_hourly, tuple(column.name for column in usage_hourly.c))
_daily = bulk_add(usage_daily, tuple(column.name for column in usage_daily.c))
_units = bulk_add(usage_units_hourly, tuple(column.name for column in usage_units_hourly.c))
_applications = bulk_add(
    usage_applications_hourly, tuple(column.name for column in usage_applications_hourly.c)
)
_service = bulk_add(service_daily, tuple(column.name for column in service_daily.c))
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


def is_fault(row: Any) -> bool:
    """Whether a row (a `RequestRow`) failed by the gateway or a provider, not by its caller."""
    if row[_OUTCOME] in SERVED or row[_OUTCOME] in MEANS:
        return False
    return not 400 <= row[_STATUS] < 500 or row[_ERROR] == "upstream_rate_limited"


def add_rows(connection: Connection, rows: Iterable[RequestRow]) -> None:
    """Add a batch of log rows to the rollups.

    Fields are taken by position: this runs for every request, and names cost twice as much.
    """
    hours: dict[tuple[Any, ...], list[tuple[int, ...]]] = {}
    failed: dict[tuple[Any, ...], int] = {}
    faults: dict[tuple[Any, ...], int] = {}
    days: dict[tuple[Any, ...], list[int]] = {}
    units: dict[tuple[Any, ...], int] = {}
    named: dict[tuple[Any, ...], list[int]] = {}
    row: Any
    for row in rows:
        key = (row[_STARTED] // HOUR_US, *_key(row))
        group = hours.get(key)
        if group is None:
            group = hours[key] = []
        group.append(_amounts(row))
        if row[_UNITS]:
            for unit, quantity in read_units(row[_UNITS]).items():
                units[(*key, unit)] = units.get((*key, unit), 0) + quantity
        if row[_APPLICATION]:
            _add_named(named, (key[1], key[0], *key[2:4], row[_APPLICATION]), row)
        if row[_OUTCOME] != "completed":
            if row[_OUTCOME] not in SERVED:
                failed[key] = failed.get(key, 0) + 1
                faults[key] = faults.get(key, 0) + is_fault(row)
            continue
        reported, measured = row[_REPORTED], row[_MEASURED]
        if reported is not None and measured is not None:
            ratio = PPM if reported == measured else ratio_ppm(reported, measured)
            day = (row[_STARTED] // DAY_US, row[_PROVIDER], row[_UPSTREAM])
            sums = days.get(day)
            if sums is None:
                sums = days[day] = [0, 0, 0, 0, 0]
            sums[0] += 1
            sums[1] += reported
            sums[2] += measured
            sums[3] += ratio
            sums[4] += ratio * ratio // PPM
    flat: list[Any] = []
    usage: dict[tuple[Any, ...], tuple[int, ...]] = {}
    served: dict[tuple[int, str], list[int]] = {}
    for key, amounts in hours.items():
        total = amounts[0] if len(amounts) == 1 else tuple(map(sum, zip(*amounts, strict=True)))
        sums_of = (len(amounts), failed.get(key, 0), *total)
        flat += (*key, *sums_of)
        day_key = (key[1], key[0] // 24, *key[2:])
        if day_key in usage:  # a batch of two hours
            sums_of = tuple(map(add, usage[day_key], sums_of))
        usage[day_key] = sums_of
        whole = served.setdefault((key[0] // 24, key[3]), [0, 0, 0, 0])
        whole[0] += len(amounts)
        whole[1] += failed.get(key, 0)
        whole[2] += faults.get(key, 0)
        whole[3] += total[_COST]
    _hourly.run(connection, flat)
    _daily.run(connection, [value for key, sums in usage.items() for value in (*key, *sums)])
    _service.run(connection, [value for key, sums in served.items() for value in (*key, *sums)])
    if units:
        _units.run(connection, [value for key, sum_ in units.items() for value in (*key, sum_)])
    if named:
        _applications.run(connection, [each for key in named for each in (*key, *named[key])])
    if days:
        _drift.run(connection, [value for key, sums in days.items() for value in (*key, *sums)])


def _add_named(named: dict[tuple[Any, ...], list[int]], key: tuple[Any, ...], row: Any) -> None:
    """Add a row to the sums of its application: requests, failures, amounts."""
    sums = named.setdefault(key, [0] * 9)
    amounts = (1, row[_OUTCOME] not in SERVED, *_amounts(row))
    sums[:] = map(add, sums, amounts)


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
