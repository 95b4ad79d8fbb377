"""Usage over time for one account: sums of the rollups by hour or day and by group.

Whole days are read from the rollup by day, where an account's rows stand together, and what a range
has beyond them from the rollup by hour, whose key begins with the hour: one seek an hour. The cost
follows the length of the range and not the number of accounts. By application another rollup is
read, of the requests that named one. Absent buckets are absent, not zero.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    case,
    func,
    literal,
    select,
    union_all,
)

from gateway.store.schema.request_log import (
    usage_applications_hourly,
    usage_daily,
    usage_hourly,
)

Group = Literal["model", "key_no", "provider", "application"]
GROUPS: tuple[Group, ...] = ("model", "key_no", "provider", "application")
HOURS_A_DAY = 24
MAX_HOURS = 366 * HOURS_A_DAY


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
    connection: Connection, cut: Cut, *, group: Group | None, hours_a_bucket: int = HOURS_A_DAY
) -> list[Point]:
    """The points of a cut, by bucket and group. Raises ValueError for a range beyond a year."""
    if group == "application":
        rows = rows_by_application(cut)
    else:
        rows = _rows(cut, by_day=hours_a_bucket % HOURS_A_DAY == 0)
    # Whole numbers divided by SQL's own sign, which Core's `//` writes differently by database.
    bucket: ColumnElement[Any] = rows.c.hour.op("/")(hours_a_bucket)
    by: ColumnElement[Any] = rows.c[group] if group is not None else literal("")
    sums = [func.sum(rows.c[name]) for name in Point._fields[2:]]
    keys = [bucket] if group is None else [bucket, by]
    query = select(bucket, by, *sums).group_by(*keys).order_by(*keys)
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
    rows = _rows(cut, by_day=True)
    found = connection.scalar(select(func.max(rows.c.hour)).where(rows.c.failures > 0))
    if found is None:
        return None
    first = max(cut.from_hour, int(found))  # of a whole day only its first hour is known
    hours = _of_hours(cut._replace(from_hour=first, until_hour=_day_end(first, cut))).subquery()
    return int(connection.scalars(select(func.max(hours.c.hour)).where(hours.c.failures > 0)).one())


class KeyUse(NamedTuple):
    """A key's spending since each of the hours asked for, and the last hour it was used in."""

    spent_microusd: tuple[int, ...]
    last_hour: int


def use_by_key(connection: Connection, cut: Cut, since_hours: Sequence[int]) -> dict[int, KeyUse]:
    """Every key of a cut that was used, by its number."""
    by_day = all(hour % HOURS_A_DAY == 0 for hour in since_hours)
    rows = _rows(cut, by_day=by_day)
    spent = [
        func.sum(case((rows.c.hour >= hour, rows.c.cost_microusd), else_=0)) for hour in since_hours
    ]
    query = select(rows.c.key_no, func.max(rows.c.hour), *spent).group_by(rows.c.key_no)
    found = {
        row[0]: KeyUse(tuple(map(int, row[2:])), int(row[1])) for row in connection.execute(query)
    }
    if by_day:
        for key_no, hour in _last_hours(connection, cut, found).items():
            found[key_no] = found[key_no]._replace(last_hour=hour)
    return found


def _last_hours(connection: Connection, cut: Cut, uses: dict[int, KeyUse]) -> dict[int, int]:
    """The last hours of keys of whose last day only the beginning is known yet."""
    days = {use.last_hour // HOURS_A_DAY for use in uses.values()}
    found: dict[int, int] = {}
    for day in sorted(days):
        first = max(day * HOURS_A_DAY, cut.from_hour)
        rows = _of_hours(cut._replace(from_hour=first, until_hour=_day_end(first, cut))).subquery()
        query = select(rows.c.key_no, func.max(rows.c.hour)).group_by(rows.c.key_no)
        found.update({row[0]: int(row[1]) for row in connection.execute(query)})
    return found


def models_of(connection: Connection, cut: Cut) -> Sequence[str]:
    """The models that were asked for, by name."""
    rows = _rows(cut, by_day=True)
    return sorted(name for name in connection.scalars(select(rows.c.model).distinct()) if name)


def _day_end(hour: int, cut: Cut) -> int:
    return min((hour // HOURS_A_DAY + 1) * HOURS_A_DAY, cut.until_hour)


def rows_by_application(cut: Cut) -> FromClause:
    """The cut's rows by hour and application. Raises ValueError for a range beyond a year."""
    _check(cut)
    table = usage_applications_hourly.c
    query = select(table.hour, table.application, *_shown(usage_applications_hourly)).where(
        table.account_no == cut.account_no,
        table.hour >= cut.from_hour,
        table.hour < cut.until_hour,
    )
    return _narrowed(query, usage_applications_hourly, cut).subquery()


def _check(cut: Cut) -> None:
    if not 0 <= cut.until_hour - cut.from_hour <= MAX_HOURS:
        raise ValueError("a range is at most a year")


def _rows(cut: Cut, *, by_day: bool) -> FromClause:
    """The cut's rows; of whole days one row each, at the day's first hour, where that is enough."""
    _check(cut)
    first, end = -(-cut.from_hour // HOURS_A_DAY), cut.until_hour // HOURS_A_DAY
    if not by_day or first >= end:
        return _of_hours(cut).subquery()
    table = usage_daily.c
    days = select((table.day * HOURS_A_DAY).label("hour"), *_shown(usage_daily)).where(
        table.account_no == cut.account_no, table.day >= first, table.day < end
    )
    parts = [_narrowed(days, usage_daily, cut)]
    if cut.from_hour < first * HOURS_A_DAY:
        parts.append(_of_hours(cut._replace(until_hour=first * HOURS_A_DAY)))
    if end * HOURS_A_DAY < cut.until_hour:
        parts.append(_of_hours(cut._replace(from_hour=end * HOURS_A_DAY)))
    return union_all(*parts).subquery()


def _of_hours(cut: Cut) -> Select[Any]:
    table = usage_hourly.c
    first = select(literal(cut.from_hour).label("hour")).cte("hours", recursive=True, nesting=True)
    later = select(first.c.hour + 1).where(first.c.hour + 1 < cut.until_hour)
    hours = first.union_all(later)
    query = select(table.hour, *_shown(usage_hourly)).where(
        table.hour.in_(select(hours.c.hour)),
        table.account_no == cut.account_no,
        table.hour < cut.until_hour,
    )
    return _narrowed(query, usage_hourly, cut)


def _shown(table: Table) -> list[ColumnElement[Any]]:
    input_tokens = table.c.input_tokens + table.c.cache_read_tokens + table.c.cache_write_tokens
    plain = ("model", "key_no", "requests", "failures", "output_tokens", "cost_microusd")
    groups = ("provider",) if "provider" in table.c else ()
    return [
        *(table.c[name] for name in (*plain, *groups)),
        input_tokens.label("input_tokens"),
    ]


def _narrowed(query: Select[Any], table: Table, cut: Cut) -> Select[Any]:
    if cut.model is not None:
        query = query.where(table.c.model == cut.model)
    if cut.key_no is not None:
        query = query.where(table.c.key_no == cut.key_no)
    if cut.key_nos is not None:
        query = query.where(table.c.key_no.in_(sorted(cut.key_nos)))
    return query
