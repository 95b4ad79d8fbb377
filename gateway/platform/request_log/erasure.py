"""Erasure, the part of the request log: of a request stays what the books are compared with.

`ledger.agreement` reads when a request was, what it was served by, what it used and what it cost;
by which endpoint and application, in how many attempts and how fast is nobody's business any more.
"""

from typing import Final

from sqlalchemy import Connection, delete, select, update

from gateway.store.schema.request_log import request_log, usage_applications_hourly

PART: Final = 2_000  # rows of a transaction: settlements go on in between


def strip(connection: Connection, account_no: int, after: int) -> int | None:
    """Inside a transaction: blank the next rows behind a seq; where to go on, or None."""
    columns = request_log.c
    query = (
        select(columns.seq)
        .where(columns.account_no == account_no, columns.seq > after)
        .order_by(columns.seq)
        .limit(PART)
    )
    found = list(connection.scalars(query))
    named = usage_applications_hourly
    connection.execute(delete(named).where(named.c.account_no == account_no))
    if not found:
        return None
    connection.execute(
        update(request_log)
        .where(columns.account_no == account_no, columns.seq > after, columns.seq <= found[-1])
        .values(
            endpoint="",
            stream=0,
            attempts=0,
            duration_ms=0,
            first_token_ms=None,
            trail="",
            application="",
        )
    )
    return int(found[-1])
