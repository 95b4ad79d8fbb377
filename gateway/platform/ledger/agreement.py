"""Do ledger, request log and rollups agree? Each question is a stream of plain findings.

Charges and log rows are written in the same order, so they are compared in one walk over both;
log and rollups are compared key by key, both sorted by the database. The tables of the request log
are read here by their schema: the room that owns them is above the ledger and may not be imported.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, func, select

from gateway.platform.ledger.chart import LOT_BASE, OVERRUN_LOSS
from gateway.store.schema.ledger import ledger_entries, lots, wallets
from gateway.store.schema.request_log import (
    request_log,
    service_daily,
    usage_applications_hourly,
    usage_daily,
    usage_drift_daily,
    usage_hourly,
    usage_units_hourly,
)

FETCH_ROWS = 1_000
PREFIX = "charge:"
PICO = 1_000_000
Keyed = Iterator[tuple[Any, Any]]


def merged(left: Keyed, right: Keyed) -> Iterator[tuple[Any, Any, Any]]:
    """Walk two sorted streams of (key, value) as one: (key, left or None, right or None)."""
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if a is not None and (b is None or a[0] < b[0]):
            yield a[0], a[1], None
            a = next(left, None)
        elif b is not None and (a is None or b[0] < a[0]):
            yield b[0], None, b[1]
            b = next(right, None)
        elif a is not None and b is not None:
            yield a[0], a[1], b[1]
            a, b = next(left, None), next(right, None)


def charges(connection: Connection) -> Iterator[str]:
    """Every charge in the ledger is one request's, in the log's order, and the reverse."""
    entries, rows = _charges(connection), _charged_rows(connection)
    entry, row = next(entries, None), next(rows, None)
    while entry is not None or row is not None:
        if entry is not None and row is not None and entry[0] == row[0]:
            if entry[1:] != row[1:]:
                yield (
                    f"request {row[0]} says {row[1]} + {row[2]} microusd of account {row[3]}, "
                    f"the ledger {entry[1]} + {entry[2]} of account {entry[3]}"
                )
            entry, row = next(entries, None), next(rows, None)
        elif entry is not None and not _in_log(connection, entry[0]):
            yield f"the ledger charges the request {entry[0]}, which is not in the log as charged"
            entry = next(entries, None)
        elif row is not None:
            yield f"request {row[0]} is in the log as charged, but not in its place in the ledger"
            row = next(rows, None)
        else:
            yield f"the ledger charges the request {entry[0] if entry else ''} out of order"
            entry = next(entries, None)


def _charges(connection: Connection) -> Iterator[tuple[str, int, int, int | None]]:
    """(request id, posted, overrun, account or None if only overrun) of each charge, in order."""
    table = ledger_entries
    query = (
        select(table.c.transaction_id, table.c.debit_no, table.c.amount_microusd, lots.c.account_no)
        .join_from(table, lots, lots.c.ledger_no == table.c.debit_no, isouter=True)
        .where(table.c.kind == "charge")
        .order_by(table.c.seq)
    )
    current, posted, overrun = "", 0, 0
    owner: int | None = None
    for transaction_id, debit_no, amount, account_no in _stream(connection, query):
        if transaction_id != current:
            if current:
                yield current.removeprefix(PREFIX), posted, overrun, owner
            current, posted, overrun, owner = transaction_id, 0, 0, None
        if debit_no == OVERRUN_LOSS:
            overrun += amount
        elif debit_no > LOT_BASE:
            posted += amount
            owner = account_no
    if current:
        yield current.removeprefix(PREFIX), posted, overrun, owner


def _charged_rows(connection: Connection) -> Iterator[tuple[str, int, int, int | None]]:
    table = request_log
    query = (
        select(table.c.id, table.c.cost_microusd, table.c.overrun_microusd, table.c.account_no)
        .where(sa.or_(table.c.cost_microusd != 0, table.c.overrun_microusd != 0))
        .order_by(table.c.seq)
    )
    for request_id, posted, overrun, account_no in _stream(connection, query):
        yield request_id, posted, overrun, account_no if posted else None


def _in_log(connection: Connection, request_id: str) -> bool:
    table = request_log
    charged = sa.or_(table.c.cost_microusd != 0, table.c.overrun_microusd != 0)
    return bool(connection.scalar(select(func.count()).where(table.c.id == request_id, charged)))


def remainders(connection: Connection) -> Iterator[str]:
    """To the last picodollar: costs are what was posted, overrun, and what the wallet carries."""
    table = request_log
    # Whole and rest are summed apart: the sum of picodollars can pass 64 bits.
    query = (
        select(
            table.c.account_no,
            func.sum(_whole(table.c.cost_picousd)),
            func.sum(table.c.cost_picousd % PICO),
            func.sum(table.c.cost_microusd + table.c.overrun_microusd),
        )
        .group_by(table.c.account_no)
        .order_by(table.c.account_no)
    )
    costs = (((row[0],), tuple(row[1:])) for row in _stream(connection, query))
    carried = select(wallets.c.account_no, wallets.c.remainder_picousd).order_by("account_no")
    held = (((row[0],), row[1]) for row in _stream(connection, carried))
    for (account_no,), cost, remainder in merged(costs, held):
        whole, rest, settled = (int(value) for value in (cost or (0, 0, 0)))
        if (whole - settled) * PICO + rest != (remainder or 0):
            yield (
                f"account {account_no}: its requests cost {whole * PICO + rest} picousd, but "
                f"{settled} microusd were settled and {remainder or 0} picousd are carried"
            )


def hours(connection: Connection) -> Iterator[str]:
    """The hourly usage is the sum of the log's rows."""
    log = request_log.c
    keys = (_hour(), log.account_no, log.key_no, log.model, log.provider)
    of_log = _grouped(connection, _usage(keys), keys)
    of_rollup = _sorted(connection, usage_hourly, 5)
    yield from _compare("the usage of the hour", of_log, of_rollup)


def applications(connection: Connection) -> Iterator[str]:
    """The hourly usage by application is the sum of the log's rows that name one."""
    log = request_log.c
    keys = (log.account_no, _hour(), log.key_no, log.model, log.application)
    of_log = _grouped(connection, _usage(keys).where(log.application != ""), keys)
    of_rollup = _sorted(connection, usage_applications_hourly, 5)
    yield from _compare("the applications of the hour", of_log, of_rollup)


def _hour() -> Any:
    return _whole(request_log.c.started_us, 3_600_000_000).label("hour")


def _usage(keys: tuple[Any, ...]) -> sa.Select[Any]:
    """The sums of the log's rows, still to be grouped by these."""
    log = request_log
    served = log.c.outcome.in_(("completed", "client_gone", "cache_hit"))
    sums = (
        *("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
        *("reasoning_tokens", "cost_microusd", "overrun_microusd"),
    )
    return select(
        *keys,
        func.count(),
        func.sum(sa.case((served, 0), else_=1)),
        *(func.sum(log.c[name]) for name in sums),
    )


def usage_days(connection: Connection) -> Iterator[str]:
    """The daily usage is the sum of the hourly."""
    hourly = usage_hourly.c
    keys = (
        *(hourly.account_no, _whole(hourly.hour, 24).label("day")),
        *(hourly.key_no, hourly.model, hourly.provider),
    )
    query = select(*keys, *(func.sum(column) for column in list(hourly)[5:]))
    of_hours = _grouped(connection, query, keys)
    yield from _compare(
        "the usage of the day", of_hours, _sorted(connection, usage_daily, 5), "the hours"
    )


def service(connection: Connection) -> Iterator[str]:
    """What models served on a day is the sum of the log's rows."""
    log = request_log
    served = ("completed", "client_gone", "cache_hit")
    callers = sa.and_(
        log.c.status >= 400, log.c.status < 500, log.c.error_code != "upstream_rate_limited"
    )
    means = (*served, "credit_exhausted", "budget_exhausted")
    keys = (_whole(log.c.started_us, 86_400_000_000).label("day"), log.c.model)
    query = select(
        *keys,
        func.count(),
        func.sum(sa.case((log.c.outcome.in_(served), 0), else_=1)),
        func.sum(sa.case((log.c.outcome.in_(means), 0), (callers, 0), else_=1)),
        func.sum(log.c.cost_microusd),
    )
    of_log = _grouped(connection, query, keys)
    yield from _compare("the service of the day", of_log, _sorted(connection, service_daily, 2))


def units(connection: Connection) -> Iterator[str]:
    """The hourly units are the sum of the log's rows."""
    log = request_log
    keys = (
        *(_whole(log.c.started_us, 3_600_000_000).label("hour"), log.c.account_no),
        *(log.c.key_no, log.c.model, log.c.provider),
    )
    query = select(*keys, log.c.units).where(log.c.units != "").order_by(*keys)

    def of_log() -> Keyed:
        for key, rows in groupby(_stream(connection, query), lambda row: tuple(row[:5])):
            sums: dict[str, int] = {}
            for row in rows:
                for unit, quantity in _units(row.units).items():
                    sums[unit] = sums.get(unit, 0) + quantity
            for unit in sorted(sums):
                yield (*key, unit), (sums[unit],)

    of_rollup = _sorted(connection, usage_units_hourly, 6)
    yield from _compare("the units of the hour", of_log(), of_rollup)


def _units(text: str) -> dict[str, int]:
    """The units of a row; one that cannot be read shows as a unit that no rollup has."""
    try:
        return {str(unit): int(quantity) for unit, quantity in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {"(unreadable)": 0}


def days(connection: Connection) -> Iterator[str]:
    """The daily drift is the sum of the log's rows that have both counts."""
    log = request_log
    reported, measured = log.c.reported_output_tokens, log.c.measured_output_tokens
    raw = sa.case(
        (sa.and_(measured == 0, reported == 0), PICO),
        (measured == 0, 10 * PICO),
        else_=_whole(reported * PICO, measured),
    )
    ratio = sa.case((raw > 10 * PICO, 10 * PICO), else_=raw)
    keys: tuple[Any, ...] = (_whole(log.c.started_us, 86_400_000_000).label("day"), log.c.provider)
    keys += (log.c.upstream_model,)
    query = select(
        *keys,
        func.count(),
        func.sum(reported),
        func.sum(measured),
        func.sum(ratio),
        func.sum(_whole(ratio * ratio)),
    ).where(reported.is_not(None), measured.is_not(None), log.c.outcome == "completed")
    of_log = _grouped(connection, query, keys)
    yield from _compare("the drift of the day", of_log, _sorted(connection, usage_drift_daily, 3))


def _whole(value: Any, divisor: Any = PICO) -> Any:
    """Division of non-negative integers, rounded down, as every database does it on integers.

    A constant is written out: PostgreSQL takes two bound values for two expressions to group by.
    """
    if isinstance(divisor, int):
        divisor = sa.literal_column(str(divisor), sa.BigInteger())
    return value.op("/", return_type=sa.BigInteger())(divisor)


def _grouped(connection: Connection, query: sa.Select[Any], keys: tuple[Any, ...]) -> Keyed:
    for row in _stream(connection, query.group_by(*keys).order_by(*keys)):
        yield tuple(row[: len(keys)]), tuple(int(value) for value in row[len(keys) :])


def _sorted(connection: Connection, table: sa.Table, keys: int) -> Keyed:
    for row in _stream(connection, select(table).order_by(*list(table.c)[:keys])):
        yield tuple(row[:keys]), tuple(row[keys:])


def _compare(
    what: str, of_rows: Keyed, of_rollup: Keyed, rows: str = "the request log"
) -> Iterator[str]:
    for key, summed, rolled in merged(of_rows, of_rollup):
        if summed != rolled:
            yield f"{what} {', '.join(map(str, key))} says {rolled}, {rows} {summed}"


def _stream(connection: Connection, query: sa.Select[Any]) -> Iterator[Any]:
    return iter(connection.execute(query, execution_options={"yield_per": FETCH_ROWS}))
