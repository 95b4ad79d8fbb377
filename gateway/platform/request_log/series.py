"""Usage over time for one account: sums of the hourly rollup by hour or day and by group.

The rollup's key begins with the hour, so an account's rows are found by one seek an hour: the cost
follows the length of the range and not the number of accounts. By application another rollup is
read, of the requests that named one. Absent buckets are absent, not zero.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, select

from gateway.store.schema.request_log import usage_applications_hourly, usage_hourly

Group = Literal["model", "key_no", "provider", "application"]
GROUPS: tuple[Group, ...] = ("model", "key_no", "provider", "application")
MAX_HOURS = 366 * 24
_table = usage_hourly.c


class Point(NamedTuple):
    """Sums of one bucket and group. `bucket` counts hours, or days, since the Unix epoch."""

    bucket: int
    group: Any
    requests: int
    failures: int
    input_tokens: int
    output_tokens: int
    cost_microusd: int


class Cut(NamedTuple):
    """Which part of an account's usage: a range of hours, and perhaps one model or key.

    `key_nos` are the only keys that may be seen at all; None: every one.
    """

    account_no: int
    from_hour: int
    until_hour: int
    model: str | None = None
    key_no: int | None = None
    key_nos: frozenset[int] | None = None


def series(
    connection: Connection, cut: Cut, *, group: Group | None, hours_a_bucket: int = 24
) -> list[Point]:
    """The points of a cut, by bucket and group. Raises ValueError for a range beyond a year."""
    # Whole numbers divided by SQL's own sign, which Core's `//` writes differently by database.
    table = usage_applications_hourly.c if group == "application" else _table
    bucket: ColumnElement[Any] = table.hour.op("/")(hours_a_bucket)
    by: ColumnElement[Any] = table[group] if group is not None else literal("")
    sums = [
        func.sum(column)
        for column in (
            table.requests,
            table.failures,
            table.input_tokens + table.cache_read_tokens + table.cache_write_tokens,
            table.output_tokens,
            table.cost_microusd,
        )
    ]
    keys = [bucket] if group is None else [bucket, by]
    query = within(select(bucket, by, *sums), cut, table).group_by(*keys).order_by(*keys)
    return [Point(*row[:2], *map(int, row[2:])) for row in connection.execute(query)]


def rest_of(whole: Sequence[Point], parts: Sequence[Point]) -> list[Point]:
    """What points of no group have beyond those of some groups, bucket by bucket, as group ''."""
    left = {point.bucket: list(point[2:]) for point in whole}
    for point in parts:
        sums = left.setdefault(point.bucket, [0] * 5)
        sums[:] = [total - part for total, part in zip(sums, point[2:], strict=True)]
    return [Point(bucket, "", *sums) for bucket, sums in left.items() if any(sums)]


def last_failed_hour(connection: Connection, cut: Cut) -> int | None:
    """The newest hour of a cut in which a request failed."""
    query = within(select(func.max(_table.hour)), cut).where(_table.failures > 0)
    found = connection.scalar(query)
    return None if found is None else int(found)


class KeyUse(NamedTuple):
    """A key's spending since each of the hours asked for, and the last hour it was used in."""

    spent_microusd: tuple[int, ...]
    last_hour: int


def use_by_key(connection: Connection, cut: Cut, since_hours: Sequence[int]) -> dict[int, KeyUse]:
    """Every key of a cut that was used, by its number."""
    spent = [
        func.sum(case((_table.hour >= hour, _table.cost_microusd), else_=0)) for hour in since_hours
    ]
    query = within(select(_table.key_no, func.max(_table.hour), *spent), cut)
    rows = connection.execute(query.group_by(_table.key_no))
    return {row[0]: KeyUse(tuple(map(int, row[2:])), int(row[1])) for row in rows}


def models_of(connection: Connection, cut: Cut) -> Sequence[str]:
    """The models that were asked for, by name."""
    query = within(select(_table.model).distinct(), cut)
    return sorted(name for name in connection.scalars(query) if name)


def within(query: Select[Any], cut: Cut, table: Any = _table) -> Select[Any]:
    """A query over an hourly rollup's columns, kept to a cut. Raises ValueError as `series`."""
    if not 0 <= cut.until_hour - cut.from_hour <= MAX_HOURS:
        raise ValueError("a range is at most a year")
    first = select(literal(cut.from_hour).label("hour")).cte("hours", recursive=True)
    later = select(first.c.hour + 1).where(first.c.hour + 1 < cut.until_hour)
    hours = first.union_all(later)
    query = query.where(
        table.hour.in_(select(hours.c.hour)),
        table.account_no == cut.account_no,
        table.hour < cut.until_hour,
    )
    if cut.model is not None:
        query = query.where(table.model == cut.model)
    if cut.key_no is not None:
        query = query.where(table.key_no == cut.key_no)
    if cut.key_nos is not None:
        query = query.where(table.key_no.in_(sorted(cut.key_nos)))
    return query
