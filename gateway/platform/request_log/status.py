"""How well models were served: requests and faults per day, and how soon an answer began.

Days come from the rollup, times from the newest rows. Nothing here is of one account, and a day
with few requests is not told apart from one with many: only the share that failed is shown. A fault
is the gateway's or a provider's; what a caller was refused for is none.
"""

from statistics import median
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from gateway.platform.request_log.rollup import DAY_US
from gateway.store.schema.request_log import request_log, service_daily

SAMPLE = 2_000  # newest rows that latency is read from


class ModelDay(NamedTuple):
    """A model's requests of one day (days since the Unix epoch, UTC)."""

    model: str
    day: int
    requests: int
    faults: int


def days_served(connection: Connection, now_us: int, days: int) -> list[ModelDay]:
    """Every model's days of the last `days`, today included; days without a request are absent."""
    table = service_daily.c
    query = select(table.model, table.day, table.requests, table.faults).where(
        table.day > now_us // DAY_US - days
    )
    return [ModelDay(*row) for row in connection.execute(query)]


class Day(NamedTuple):
    """All models together on one day (days since the Unix epoch, UTC)."""

    day: int
    requests: int
    failures: int
    cost_microusd: int


def days_charged(connection: Connection, now_us: int, days: int) -> list[Day]:
    """The last `days`, today included, over all accounts; days without a request are absent."""
    table = service_daily.c
    sums = (func.sum(table.requests), func.sum(table.failures), func.sum(table.cost_microusd))
    query = (
        select(table.day, *sums)
        .where(table.day > now_us // DAY_US - days)
        .group_by(table.day)
        .order_by(table.day)
    )
    return [Day(*map(int, row)) for row in connection.execute(query)]


def first_tokens_ms(connection: Connection) -> dict[str, int]:
    """The median time to the first token of each model among the newest requests, in ms."""
    newest = (
        select(request_log.c.model, request_log.c.first_token_ms)
        .order_by(request_log.c.seq.desc())
        .limit(SAMPLE)
    )
    found: dict[str, list[int]] = {}
    for model, value_ms in connection.execute(newest):
        if value_ms is not None:
            found.setdefault(model, []).append(value_ms)
    return {model: round(median(values)) for model, values in found.items()}
