"""Logs: what was asked and what it cost, newest first, filtered by the address; one request whole.

The histogram comes from the rollup, the rows from the log, the entries from the ledger, and all
three were written in one transaction.
"""

from typing import Any, Final, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from gateway.base.money import MoneyError
from gateway.platform.accounts.roles import OWN_READ
from gateway.platform.assembly import Platform
from gateway.platform.catalog.rows import read_version
from gateway.platform.ledger import journal
from gateway.platform.ledger.chart import LOT_BASE, OVERRUN_LOSS
from gateway.platform.ledger.ledger import CHARGE_PREFIX
from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.arithmetic import Line, lines_of
from gateway.platform.pricing.prices import Price
from gateway.platform.request_log.applications import (
    Application,
    applications_of,
    read_application,
)
from gateway.platform.request_log.query import find
from gateway.platform.request_log.record import Attempt, RequestRow, read_trail, read_units
from gateway.platform.request_log.search import Found, Wanted, newest_seq, search
from gateway.platform.request_log.series import Cut, Group, Point, models_of, series
from gateway.web.console.figures import Figure, figure
from gateway.web.console.meanings import MEANINGS
from gateway.web.console.ranges import PRESETS, Range, read_range
from gateway.web.console.render import Pages
from gateway.web.console.running import Running
from gateway.web.console.signed_in import desk, key_names
from gateway.web.guard import Guard

ROWS: Final = 50
MAX_MODEL: Final = 200
MAX_APPLICATION: Final = 400
STATES: Final = {"ok": False, "failed": True}
HOUR_US: Final = 3_600 * 10**6


class Entry(NamedTuple):
    """A ledger entry of a charge: from a credit lot, or from the operator's loss account."""

    seq: int
    lot_no: int | None
    amount_microusd: int
    at_us: int


class Whole(NamedTuple):
    """One request with everything that made its charge."""

    row: RequestRow
    entries: list[Entry]
    price: Price | None
    effective_us: int
    lines: list[Line]
    attempts: list[Attempt]
    application: Application | None


class LogPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages, running: Running) -> None:
        self._platform = platform
        self._pages = pages
        self._running = running

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get("/console/logs", OWN_READ, self.page),
            guard.get("/console/logs/{id}", OWN_READ, self.detail),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """Histogram and rows. An id that is searched for leads to its request."""
        at, platform, query = desk(request), self._platform, request.query
        account, key_nos = at.account, at.key_nos
        sought = query.get("id", "").strip()
        if sought.startswith("req_") and sought.removeprefix("req_").isalnum():
            raise web.HTTPSeeOther(f"/console/logs/{sought}")
        span = read_range(query, platform.clock.now_us(), "7d")
        model = query.get("model", "")[:MAX_MODEL] or None
        names = await key_names(platform, at, request)
        key_no = _number(query.get("key", ""))
        failed = STATES.get(query.get("state", ""))
        application = query.get("app", "")[:MAX_APPLICATION] or None
        until_us = span.until_hour * HOUR_US if not span.name else None
        from_us = span.from_hour * HOUR_US
        wanted = Wanted(model, key_no, failed, from_us, until_us, key_nos, application)
        cut = Cut(account.no, span.from_hour, span.until_hour, model, key_no, key_nos)
        before = _number(query.get("before", ""))

        def read(c: Connection) -> tuple[list[Point], list[str], list[str], Found, int]:
            points = _points(c, cut, span, application)
            whole = Cut(account.no, span.from_hour, span.until_hour, key_nos=key_nos)
            models = models_of(c, whole)
            found = search(c, account.no, wanted, before_seq=before, limit=ROWS)
            named = applications_of(c, whole)
            return points, list(models), named, found, newest_seq(c, account.no)

        points, models, named, found, newest = await platform.database.read(read)
        return self._pages.render(
            request,
            "console/logs.html",
            span=span,
            ranges=tuple(PRESETS),
            model=model or "",
            models=models,
            application=application or "",
            applications=_shown(named, application),
            key=query.get("key", "") if key_no is not None else "",
            key_names=names,
            state=query.get("state", "") if failed is not None else "",
            figure=_histogram(points, span),
            rows=[entry.row for entry in found.rows],
            whole=found.whole,
            next_seq=found.next_seq,
            first=before is None,
            newest_seq=newest,
            running=self._running.of(account.no, key_nos) if before is None else [],
        )

    async def detail(self, request: web.Request) -> web.Response:
        """One request of the account; while it runs, what is known of it. Raises HTTPNotFound."""
        at, platform = desk(request), self._platform
        account = at.account
        id = request.match_info["id"]
        whole = await platform.database.read(lambda c: read_whole(c, account.no, id))
        if whole is not None and not at.shows(whole.row.key_no):
            raise web.HTTPNotFound
        live = None
        if whole is None:
            mine = self._running.of(account.no, at.key_nos)
            live = next((each for each in mine if each.id == id), None)
            if live is None:
                raise web.HTTPNotFound
        names = await key_names(platform, at, request)
        meaning = MEANINGS.get(whole.row.error_code or "", "") if whole is not None else ""
        return self._pages.render(
            request,
            "console/request.html",
            id=id,
            whole=whole,
            live=live,
            key_names=names,
            meaning=meaning,
        )


def read_whole(connection: Connection, account_no: int, id: str) -> Whole | None:
    """One request of an account with its price and its entries; None when it has no such one."""
    found = find(connection, id)
    if found is None or found.row.account_no != account_no:
        return None
    row = found.row
    entries = [
        Entry(
            entry.seq,
            None if entry.debit_no == OVERRUN_LOSS else entry.debit_no - LOT_BASE,
            entry.amount_microusd,
            entry.at_us,
        )
        for entry in journal.find(connection, CHARGE_PREFIX + id)
    ]
    version = read_version(connection, row.price_version) if row.price_version else None
    price, effective_us = version if version is not None else (None, 0)
    application = read_application(row.application)
    return Whole(row, entries, price, effective_us, _lines(row, price), _attempts(row), application)


def _lines(row: RequestRow, price: Price | None) -> list[Line]:
    """The arithmetic, where it gives what was charged; a request that cost nothing has none."""
    if price is None or not row.cost_picousd:
        return []
    units = tuple(sorted(read_units(row.units).items()))
    tokens = (row.input_tokens, row.cache_read_tokens, row.cache_write_tokens)
    try:
        lines = lines_of(Usage(*tokens, row.output_tokens, row.reasoning_tokens, units), price)
    except (MoneyError, KeyError):
        return []
    return lines if sum(line.cost_picousd for line in lines) == row.cost_picousd else []


def _attempts(row: RequestRow) -> list[Attempt]:
    """Every attempt, the last one included."""
    trail = read_trail(row.trail)
    if not row.provider:
        return trail
    begin_ms = trail[-1].end_ms if trail else 0
    last = (row.provider, row.upstream_model, begin_ms, row.duration_ms, row.error_code)
    return [*trail, Attempt(*last)]


def _points(connection: Connection, cut: Cut, span: Range, application: str | None) -> list[Point]:
    """What the histogram shows: of one application, or of all requests."""
    by: Group | None = None if application is None else "application"
    points = series(connection, cut, group=by, hours_a_bucket=span.hours_a_bucket)
    return [point for point in points if by is None or point.group == application]


def _shown(named: list[str], chosen: str | None) -> dict[str, str]:
    """Applications as they are called, by what stands for them in the address."""
    texts = [*named, chosen] if chosen is not None and chosen not in named else named
    found = ((text, read_application(text)) for text in texts)
    return {text: each.shown for text, each in found if each is not None}


def _histogram(points: list[Point], span: Range) -> Figure:
    """Requests over time; what failed stands apart, told by the same rollup."""
    parts: list[Any] = []
    for point in points:
        served = point.requests - point.failures
        parts.append(point._replace(group="ok", requests=served, failures=0))
        if point.failures:
            parts.append(point._replace(group="failed", requests=point.failures))
    made = figure(parts, span, "requests", str, "")
    for each in made.spec["series"]:
        each["tone"] = "bad" if each["label"] == "failed" else "good"
    return made


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
