"""How well models were served: requests and failures per day, and how soon an answer began.

Days come from the rollup, times from the newest rows. Nothing here is of one account, and a day
with few requests is not told apart from one with many: only the share that failed is shown.
"""

from statistics import median
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from gateway.platform.request_log.rollup import HOUR_US
from gateway.store.schema.request_log import request_log, usage_hourly

SAMPLE = 2_000  # newest rows that latency is read from


class ModelDay(NamedTuple):
    """A model's requests of one day (days since the Unix epoch, UTC)."""

    model: str
    day: int
    requests: int
    failures: int


def days_served(connection: Connection, now_us: int, days: int) -> list[ModelDay]:
    """Every model's days of the last `days`, today included; days without a request are absent."""
    table = usage_hourly
    day = table.c.hour // 24
    since = (now_us // HOUR_US // 24 - days + 1) * 24
    query = (
        select(table.c.model, day, func.sum(table.c.requests), func.sum(table.c.failures))
        .where(table.c.hour >= since)
        .group_by(table.c.model, day)
    )
    return [ModelDay(m, int(d), int(r), int(f)) for m, d, r, f in connection.execute(query)]


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
