"""An account's log, filtered, newest first, page by page; each page at a bounded cost.

Rows are walked by the index of the account and never more than SCANNED of them for one page, so a
filter that matches one row in a million answers as fast as any other: with the rows it found and
the place to go on from. Times bound the walk by the ids, which sort by time.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, select

from gateway.platform.request_log.query import LoggedRequest
from gateway.platform.request_log.record import FIELDS, RequestRow
from gateway.platform.request_log.rollup import SERVED
from gateway.store.schema.request_log import request_log

SCANNED = 20_000
HOUR_US = 3_600 * 10**6
# A row is written when its request ends: at most this long after it began.
LONGEST_US = 2 * HOUR_US
_table = request_log.c


class Wanted(NamedTuple):
    """A filter. `failed` True: failures only; False: only what was served. None filters nothing.

    `key_nos` are the only keys that may be seen at all; None: every one.
    """

    model: str | None = None
    key_no: int | None = None
    failed: bool | None = None
    from_us: int | None = None
    until_us: int | None = None
    key_nos: frozenset[int] | None = None
    application: str | None = None


class Found(NamedTuple):
    """A page. `next_seq` continues it, None at the end; `whole` False: the walk met its bound."""

    rows: list[LoggedRequest]
    next_seq: int | None
    whole: bool


def search(
    connection: Connection,
    account_no: int,
    wanted: Wanted,
    *,
    before_seq: int | None = None,
    limit: int = 50,
) -> Found:
    """The rows that are wanted, newest first."""
    mine: list[ColumnElement[bool]] = [_table.account_no == account_no]
    if wanted.until_us is not None:
        end = _first_seq(connection, wanted.until_us + LONGEST_US)
        if end is not None:
            before_seq = end if before_seq is None else min(end, before_seq)
    if before_seq is not None:
        mine.append(_table.seq < before_seq)
    least = 0
    if wanted.from_us is not None:
        # Whatever began later was also written later than all that ended before.
        least = _last_seq(connection, wanted.from_us - LONGEST_US) + 1
    newest_first = _table.seq.desc()
    walk = select(_table.seq).where(*mine, _table.seq >= least).order_by(newest_first)
    bound = connection.scalar(walk.limit(1).offset(SCANNED - 1))
    # One lower bound and not two: SQLite seeks by the first it meets and only tests the other.
    lowest = _table.seq >= (least if bound is None else bound)
    query = select(_table.seq, *(_table[name] for name in FIELDS)).where(*mine, lowest)
    query = _filtered(query, wanted).order_by(newest_first).limit(limit + 1)
    rows = [_logged(*row) for row in connection.execute(query)]
    if len(rows) > limit:
        return Found(rows[:limit], rows[limit - 1].seq, True)
    return Found(rows, bound, bound is None)


def _filtered(query: Select[Any], wanted: Wanted) -> Select[Any]:
    if wanted.model is not None:
        query = query.where(_table.model == wanted.model)
    if wanted.key_no is not None:
        query = query.where(_table.key_no == wanted.key_no)
    if wanted.application is not None:
        query = query.where(_table.application == wanted.application)
    if wanted.key_nos is not None:
        query = query.where(_table.key_no.in_(sorted(wanted.key_nos)))
    if wanted.failed is not None:
        served = _table.outcome.in_(sorted(SERVED))
        query = query.where(~served if wanted.failed else served)
    if wanted.from_us is not None:
        query = query.where(_table.started_us >= wanted.from_us)
    if wanted.until_us is not None:
        query = query.where(_table.started_us < wanted.until_us)
    return query


def newest_seq(connection: Connection, account_no: int) -> int:
    """The number of an account's newest row; 0 for none. One seek."""
    query = select(func.max(_table.seq)).where(_table.account_no == account_no)
    return int(connection.scalar(query) or 0)


def _id_of(at_us: int) -> str:
    """The id that sorts before every request's that began at this moment: see `base.ids`."""
    return f"req_{max(at_us, 0) // 1000:012x}"


def _first_seq(connection: Connection, at_us: int) -> int | None:
    query = select(_table.seq).where(_table.id >= _id_of(at_us)).order_by(_table.id).limit(1)
    return connection.scalar(query)


def _last_seq(connection: Connection, at_us: int) -> int:
    query = select(_table.seq).where(_table.id < _id_of(at_us)).order_by(_table.id.desc()).limit(1)
    return int(connection.scalar(query) or 0)


def _logged(seq: int, *fields: Any) -> LoggedRequest:
    row = RequestRow(*fields)
    row = row._replace(stream=bool(row.stream), measured_exact=bool(row.measured_exact))
    return LoggedRequest(seq, row)
