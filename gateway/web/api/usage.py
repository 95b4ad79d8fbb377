"""Operations on what was used: sums of the rollups, and the request log page by page."""

from typing import Annotated, Literal

import msgspec
from sqlalchemy import Connection

from gateway.base.errors import InvalidRequest, NotFound
from gateway.platform.accounts.roles import OWN_READ
from gateway.platform.keys import KeyRow
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.applications import Application, read_application
from gateway.platform.request_log.query import LoggedRequest, Totals, find, newest, totals
from gateway.platform.request_log.record import read_units
from gateway.web.api.door import Call, Operation
from gateway.web.api.shapes import Limit, Money, Name, Seq, money, written

HOUR_S = 3_600
DAY_HOURS = 24
MAX_HOURS = 400 * DAY_HOURS
MAX_HOURS_BY_HOUR = 31 * DAY_HOURS
Group = Literal["hour", "day", "model", "key", "provider", "application"]
_COLUMNS = {"hour": "hour", "day": "hour", "model": "model", "key": "key_no"}
_COLUMNS |= {"provider": "provider", "application": "application"}
_AMOUNTS = Totals._fields[1:8]

Hour = Annotated[
    int,
    msgspec.Meta(ge=0, le=10_000_000, description="Hours since 1970-01-01T00:00:00Z."),
]


class UsageQuery(msgspec.Struct, forbid_unknown_fields=True):
    """From which hour on, until before which, of what, and how to group: at most 400 days.

    By `application` are only the requests that named one.
    """

    since: Hour | None = None
    until: Hour | None = None
    group_by: Group | None = None
    key: Name | None = None
    model: Name | None = None


class UsageRow(msgspec.Struct):
    """Sums of one group. `group` is null where nothing was grouped by; tokens as charged."""

    group: str | None
    requests: int
    failures: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Money


class Usage(msgspec.Struct):
    """Sums over since <= hour < until."""

    since: int
    until: int
    rows: list[UsageRow]


class RequestsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which requests."""

    limit: Limit = 50
    before: Seq | None = None
    key: Name | None = None
    model: Name | None = None


class ApplicationNamed(msgspec.Struct):
    """What a calling program said of itself; both null: one of too many in a day."""

    title: str | None
    site: str | None


class RequestAnswer(msgspec.Struct):
    """One request as it was logged and charged; neither prompt nor answer is kept anywhere."""

    id: str
    started: str
    key_id: str | None
    model: str
    provider: str
    endpoint: str
    stream: bool
    status: int
    outcome: str
    error_code: str | None
    attempts: int
    duration_ms: int
    first_token_ms: int | None
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    units: dict[str, int]
    cost: Money
    price_version: int | None
    application: ApplicationNamed | None


class RequestPage(msgspec.Struct):
    """Requests, newest first; `next` is null on the last page."""

    requests: list[RequestAnswer]
    next: int | None


async def _key_no(call: Call, named: str | None) -> int | None:
    """The number of the key to look at: the one that calls, or the one named. Raises NotFound."""
    if call.key is not None:
        if named is not None and (await own_key(call, named)).no != call.key.no:
            raise NotFound(param="key")
        return call.key.no
    return None if named is None else (await own_key(call, named)).no


async def own_key(call: Call, id: str) -> KeyRow:
    """A key of the calling account. Raises NotFound."""
    try:
        return await call.platform.keys.named(id, call.account)
    except Refusal:
        raise NotFound() from None


async def read_usage(call: Call) -> Usage:
    """Sums of the rollups."""
    query: UsageQuery = call.query
    now_hour = call.platform.clock.now_us() // (HOUR_S * 1_000_000)
    until = now_hour + 1 if query.until is None else query.until
    since = max(0, until - 30 * DAY_HOURS) if query.since is None else query.since
    most = MAX_HOURS_BY_HOUR if query.group_by == "hour" else MAX_HOURS
    if not 0 < until - since <= most:
        raise InvalidRequest(f"From `since` to `until` are 1 to {most} hours.", param="since")
    key_no = await _key_no(call, query.key)
    grouped = () if query.group_by is None else (_COLUMNS[query.group_by],)

    def read(connection: Connection) -> list[Totals]:
        return totals(
            connection,
            from_hour=since,
            until_hour=until,
            group_by=grouped,
            account_no=call.account.no,
            key_no=key_no,
            model=query.model,
        )

    rows = await call.platform.database.read(read)
    names: dict[int, str] = {}
    if query.group_by == "key":
        names = await call.platform.keys.ids({row.group[0] for row in rows})
    return Usage(since, until, _summed(rows, query.group_by, names))


def _summed(rows: list[Totals], by: Group | None, names: dict[int, str]) -> list[UsageRow]:
    """Rows of one group are added up: a day is several hours."""
    sums: dict[str | None, list[int]] = {}
    for row in rows:
        group = _name(row, by, names)
        amounts = row[1:9]
        before = sums.get(group)
        sums[group] = (
            [*amounts] if before is None else [a + b for a, b in zip(before, amounts, strict=True)]
        )
    return [
        UsageRow(
            group=group,
            cost=money(amounts[-1]),
            **dict(zip(_AMOUNTS, amounts[:-1], strict=True)),
        )
        for group, amounts in sums.items()
    ]


def _name(row: Totals, by: Group | None, names: dict[int, str]) -> str | None:
    if by is None:
        return None
    value = row.group[0]
    if by == "hour":
        return written(value * HOUR_S * 1_000_000)
    if by == "day":
        return written(value * HOUR_S * 1_000_000)[:10]
    if by == "application":
        named = read_application(value)
        return named.shown if named is not None else ""
    return names.get(value, "") if by == "key" else str(value)


async def list_requests(call: Call) -> RequestPage:
    """A page of the log."""
    query: RequestsQuery = call.query
    key_no = await _key_no(call, query.key)

    def read(connection: Connection) -> list[LoggedRequest]:
        return newest(
            connection,
            account_no=call.account.no,
            key_no=key_no,
            model=query.model,
            before_seq=query.before,
            limit=query.limit + 1,
        )

    found = await call.platform.database.read(read)
    shown = found[: query.limit]
    ids = await call.platform.keys.ids({each.row.key_no for each in shown})
    return RequestPage(
        [_request(each, ids) for each in shown],
        shown[-1].seq if len(found) > len(shown) else None,
    )


async def read_request(call: Call) -> RequestAnswer:
    """One request. Raises NotFound, also for another account's."""
    id = call.path["id"]
    found = await call.platform.database.read(lambda connection: find(connection, id))
    if found is None or found.row.account_no != call.account.no:
        raise NotFound()
    if call.key is not None and found.row.key_no != call.key.no:
        raise NotFound()
    return _request(found, await call.platform.keys.ids({found.row.key_no}))


def _request(found: LoggedRequest, key_ids: dict[int, str]) -> RequestAnswer:
    row = found.row
    return RequestAnswer(
        id=row.id,
        started=written(row.started_us),
        key_id=key_ids.get(row.key_no),
        model=row.model,
        provider=row.provider,
        endpoint=row.endpoint,
        stream=row.stream,
        status=row.status,
        outcome=row.outcome,
        error_code=row.error_code or None,
        attempts=row.attempts,
        duration_ms=row.duration_ms,
        first_token_ms=row.first_token_ms,
        input_tokens=row.input_tokens,
        cache_read_tokens=row.cache_read_tokens,
        cache_write_tokens=row.cache_write_tokens,
        output_tokens=row.output_tokens,
        reasoning_tokens=row.reasoning_tokens,
        units=read_units(row.units),
        cost=money(row.cost_microusd),
        price_version=row.price_version or None,
        application=_application(read_application(row.application)),
    )


def _application(named: Application | None) -> ApplicationNamed | None:
    return None if named is None else ApplicationNamed(named.title or None, named.site or None)


OPERATIONS = (
    Operation(
        *("getUsage", "GET", "/usage", OWN_READ, "Sums of requests, tokens and cost"),
        *(read_usage, Usage),
        query=UsageQuery,
        key_may=True,
    ),
    Operation(
        *("listRequests", "GET", "/requests", OWN_READ, "The request log, newest first"),
        *(list_requests, RequestPage),
        query=RequestsQuery,
        key_may=True,
    ),
    Operation(
        *("getRequest", "GET", "/requests/{id}", OWN_READ, "One request"),
        *(read_request, RequestAnswer),
        key_may=True,
    ),
)
