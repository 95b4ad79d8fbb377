"""Questions to the request log: the newest rows page by page, one row, and totals by rollup.

Pages are keyed by the row's number and never by an offset, so a page costs the same at any depth.
Totals read the rollup and never the rows. Whoever calls decides whose rows may be seen.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, case, func, select

from gateway.platform.request_log.record import FIELDS, RequestRow
from gateway.store.schema.request_log import (
    request_log,
    usage_applications_hourly,
    usage_hourly,
    usage_units_hourly,
)

MAX_PAGE = 1_000
SUMS = tuple(column.name for column in list(usage_hourly.c)[5:])
GROUPS = ("hour", "account_no", "key_no", "model", "provider", "application")
_columns = [request_log.c[name] for name in FIELDS]


class LoggedRequest(NamedTuple):
    """A stored row; `seq` is the key of the page that follows it."""

    seq: int
    row: RequestRow


class Totals(NamedTuple):
    """Sums over some hours for one group; `group` holds the values of the columns asked for."""

    group: tuple[Any, ...]
    requests: int
    failures: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_microusd: int
    overrun_microusd: int


def newest(
    connection: Connection,
    *,
    account_no: int | None = None,
    key_no: int | None = None,
    model: str | None = None,
    before_seq: int | None = None,
    limit: int = 50,
) -> list[LoggedRequest]:
    """Rows newest first; `before_seq` is the `seq` of the last row of the page before.

    Ask with the account wherever there is one: that is what the log is indexed by.
    """
    table = request_log
    query = select(table.c.seq, *_columns).order_by(table.c.seq.desc())
    wanted = {"account_no": account_no, "key_no": key_no, "model": model}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(table.c[name] == value)
    if before_seq is not None:
        query = query.where(table.c.seq < before_seq)
    return _logged(connection, query.limit(max(1, min(limit, MAX_PAGE))))


def find(connection: Connection, request_id: str) -> LoggedRequest | None:
    """The row of one request, or None."""
    query = select(request_log.c.seq, *_columns).where(request_log.c.id == request_id)
    found = _logged(connection, query)
    return found[0] if found else None


def totals(
    connection: Connection,
    *,
    from_hour: int,
    until_hour: int,
    group_by: Sequence[str] = (),
    account_no: int | None = None,
    key_no: int | None = None,
    model: str | None = None,
) -> list[Totals]:
    """Sums over from_hour <= hour < until_hour (hours since the Unix epoch), by columns of GROUPS.

    By application: only of the requests that named one. Ordered by the group. Raises ValueError for
    a column that cannot be grouped by, and for application together with provider.
    """
    table = usage_applications_hourly if "application" in group_by else usage_hourly
    if not set(group_by) <= {*GROUPS} & {column.name for column in table.c}:
        raise ValueError(f"group by some of {', '.join(GROUPS)}; not by application and provider")
    groups = [table.c[name] for name in group_by]
    sums = [func.coalesce(func.sum(table.c[name]), 0) for name in SUMS]
    query = select(*groups, *sums).where(table.c.hour >= from_hour, table.c.hour < until_hour)
    for name, value in {"account_no": account_no, "key_no": key_no, "model": model}.items():
        if value is not None:
            query = query.where(table.c[name] == value)
    if groups:
        query = query.group_by(*groups).order_by(*groups)
    size = len(groups)
    return [
        Totals(tuple(row[:size]), *(int(value) for value in row[size:]))
        for row in connection.execute(query)
    ]


def unit_totals(
    connection: Connection,
    *,
    from_hour: int,
    until_hour: int,
    account_no: int | None = None,
    key_no: int | None = None,
    model: str | None = None,
) -> dict[str, int]:
    """Quantities by unit (see `pricing.units`) over from_hour <= hour < until_hour."""
    table = usage_units_hourly
    query = select(table.c.unit, func.sum(table.c.quantity)).where(
        table.c.hour >= from_hour, table.c.hour < until_hour
    )
    for name, value in {"account_no": account_no, "key_no": key_no, "model": model}.items():
        if value is not None:
            query = query.where(table.c[name] == value)
    found = connection.execute(query.group_by(table.c.unit).order_by(table.c.unit))
    return {unit: int(quantity) for unit, quantity in found}


def spending(
    connection: Connection, since_hours: Sequence[int], account_no: int | None = None
) -> list[tuple[int, int, tuple[int, ...]]]:
    """(account_no, key_no, micro-dollars spent since each of these hours) of whoever spent any."""
    table = usage_hourly
    sums = [
        func.sum(case((table.c.hour >= hour, table.c.cost_microusd), else_=0))
        for hour in since_hours
    ]
    query = (
        select(table.c.account_no, table.c.key_no, *sums)
        .where(table.c.hour >= min(since_hours), table.c.cost_microusd > 0)
        .group_by(table.c.account_no, table.c.key_no)
    )
    if account_no is not None:
        query = query.where(table.c.account_no == account_no)
    return [(row[0], row[1], tuple(map(int, row[2:]))) for row in connection.execute(query)]


def used_since(connection: Connection, account_no: int, since_us: int) -> bool:
    """Whether an account's newest request began since a time."""
    table = request_log
    query = (
        select(table.c.started_us)
        .where(table.c.account_no == account_no)
        .order_by(table.c.seq.desc())
        .limit(1)
    )
    return (connection.scalar(query) or 0) >= since_us


def last_used_hour(connection: Connection, account_no: int, since_hour: int) -> dict[int, int]:
    """The last hour (since the Unix epoch) in which each key of an account was used."""
    table = usage_hourly
    query = (
        select(table.c.key_no, func.max(table.c.hour))
        .where(table.c.hour >= since_hour, table.c.account_no == account_no)
        .group_by(table.c.key_no)
    )
    return dict(connection.execute(query).all())


def _logged(connection: Connection, query: Select[Any]) -> list[LoggedRequest]:
    found = []
    for seq, *fields in connection.execute(query):
        row = RequestRow(*fields)
        row = row._replace(stream=bool(row.stream), measured_exact=bool(row.measured_exact))
        found.append(LoggedRequest(seq, row))
    return found
