"""The row of a request: its fields, in their fixed order, and the batched insert.

There is no place for a prompt, a completion, a key, an address or an upstream's own words. Tokens
that did not come are None: absent is not zero.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from gateway.platform.metering.usage import Units
from gateway.store.bulk import bulk_insert
from gateway.store.schema.request_log import request_log


class RequestRow(NamedTuple):
    """One finished request.

    Outcomes: completed, client_gone, upstream_failed, credit_exhausted, budget_exhausted, refused,
    shutdown, cache_hit. Bases: reported, measured, none. `units` and `trail` are what
    `written_units` and `written_trail` make. `first_token_ms` is -1 where no token came, and NULL
    in the table. `application` is what `written_application` makes.
    """

    id: str
    started_us: int
    account_no: int
    key_no: int
    model: str
    provider: str
    upstream_model: str
    endpoint: str
    stream: bool
    status: int
    outcome: str
    error_code: str
    attempts: int
    duration_ms: int
    first_token_ms: int
    basis: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    reported_input_tokens: int | None
    reported_output_tokens: int | None
    measured_input_tokens: int | None
    measured_output_tokens: int | None
    measured_exact: bool
    cost_picousd: int
    cost_microusd: int
    overrun_microusd: int
    price_version: int
    units: str = ""
    trail: str = ""
    application: str = ""


class Attempt(NamedTuple):
    """An attempt that was followed by another. Times in milliseconds since the request began."""

    provider: str
    model: str
    start_ms: int
    end_ms: int
    error_code: str


FIELDS = RequestRow._fields
_insert = bulk_insert(request_log, FIELDS, absent=("first_token_ms",))


def written_units(units: Units) -> str:
    """Units as the log keeps them: a JSON object of quantities by name; empty for none."""
    return msgspec.json.encode(dict(units)).decode() if units else ""


def read_units(text: str) -> dict[str, int]:
    """The inverse of `written_units`."""
    return msgspec.json.decode(text, type=dict[str, int]) if text else {}


def written_trail(attempts: Sequence[Attempt]) -> str:
    """Failed attempts as the log keeps them; empty for none."""
    return msgspec.json.encode(attempts).decode() if attempts else ""


def read_trail(text: str) -> list[Attempt]:
    """The inverse of `written_trail`."""
    return msgspec.json.decode(text, type=list[Attempt]) if text else []


def insert_rows(connection: Connection, rows: Iterable[RequestRow]) -> None:
    """Insert a batch. Raises the database's IntegrityError for an id that exists."""
    flat: list[Any] = []
    for row in rows:
        flat += row
    _insert.run(connection, flat)


def stored_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of these request ids are in the log."""
    found: set[str] = set()
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        found.update(connection.scalars(select(request_log.c.id).where(request_log.c.id.in_(some))))
    return found
