"""Administrative commands that report: the catalog, the request log, usage drift, the ledger.

The other half of the table is in `commands`; both halves are functions of a platform and checked
parameters, and return plain values that become JSON.
"""

import time
from typing import Any

import msgspec
from sqlalchemy import Connection

from gateway.base.money import format_price, format_usd
from gateway.platform.assembly import Platform
from gateway.platform.checks import LEDGER
from gateway.platform.ledger.reconcile import Report, verify
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.applications import read_application
from gateway.platform.request_log.query import LoggedRequest, newest
from gateway.platform.request_log.record import read_units
from gateway.platform.request_log.rollup import Drift, drift

DAY_US = 86_400 * 1_000_000
MAX_LISTED = 10_000


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No parameters."""


class CatalogText(msgspec.Struct, forbid_unknown_fields=True):
    """A catalog document, where it came from, and how to apply it."""

    toml: str
    source: str = "catalog"
    dry_run: bool = False
    prune: bool = False


class RequestListing(msgspec.Struct, forbid_unknown_fields=True):
    """Which requests to list, newest first; `before` is the `seq` of the last one seen."""

    email: str | None = None
    key: str | None = None
    model: str | None = None
    before: int | None = None
    limit: int = 50


class DriftLimit(msgspec.Struct, forbid_unknown_fields=True):
    """From which difference on, and over which days and how many requests, drift is a finding."""

    limit_ppm: int = 50_000
    days: int = 7
    least_requests: int = 20


def shown_time(at_us: int | None) -> str | None:
    """Epoch microseconds as ISO 8601 in UTC, to the second."""
    if at_us is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_us // 1_000_000))


async def catalog_apply(platform: Platform, p: CatalogText) -> Any:
    """Make the catalog what a document says, or say what that would change."""
    changes = await platform.catalog.apply(p.toml, p.source, dry_run=p.dry_run, prune=p.prune)
    warnings = () if p.dry_run else platform.catalog.snapshot.warnings
    return {
        "changes": [str(change) for change in changes],
        "dry_run": p.dry_run,
        "warnings": list(warnings),
    }


async def catalog_export(platform: Platform, _: Nothing) -> Any:
    """The catalog as a document, without credentials."""
    return {"toml": await platform.catalog.export()}


async def catalog_list(platform: Platform, _: Nothing) -> Any:
    """The models offered, with price and targets."""
    return [
        {
            "model": model.name,
            "input_usd_per_million": format_price(model.price.input) if model.price else None,
            "output_usd_per_million": format_price(model.price.output) if model.price else None,
            "price_version": model.price.version if model.price else None,
            "context_tokens": model.context_tokens,
            "max_output_tokens": model.max_output_tokens,
            "targets": [f"{target.provider.name}:{target.model}" for target in model.targets],
        }
        for model in platform.catalog.snapshot.models.values()
    ]


async def providers_health(platform: Platform, _: Nothing) -> Any:
    """The targets as the serving process knows them: breaker, load, failures, keys."""
    report = platform.live.get("providers.health")
    if report is None:
        raise Refusal("the server is stopped; the health of providers is known while it runs")
    return report()


async def requests_list(platform: Platform, p: RequestListing) -> Any:
    """Rows of the request log, newest first; metadata only, there is nothing else."""
    account = platform.accounts.named(p.email) if p.email is not None else None
    key = await platform.keys.named(p.key, account) if p.key is not None else None
    if key is not None:
        account = key.account  # the log is indexed by account
    limit = max(1, min(p.limit, MAX_LISTED))

    def read(connection: Connection) -> list[LoggedRequest]:
        return newest(
            connection,
            account_no=account.no if account is not None else None,
            key_no=key.no if key is not None else None,
            model=p.model,
            before_seq=p.before,
            limit=limit,
        )

    found = await platform.database.read(read)
    key_ids = await platform.keys.ids({each.row.key_no for each in found})
    return [_request(platform, each, key_ids) for each in found]


def _request(platform: Platform, found: LoggedRequest, key_ids: dict[int, str]) -> dict[str, Any]:
    row = found.row._asdict()
    application = read_application(row.pop("application"))
    return {
        "seq": found.seq,
        "id": row.pop("id"),
        "started": shown_time(row["started_us"]),
        "email": platform.accounts.by_no(row.pop("account_no")).email,
        "key": key_ids.get(row.pop("key_no")),
        **row,
        "units": read_units(found.row.units),
        "application": application and application._asdict(),
        "cost_usd": format_usd(found.row.cost_microusd),
    }


async def usage_drift(platform: Platform, p: DriftLimit) -> Any:
    """Models whose reported usage differs from our own count beyond a limit, the worst first."""
    since_day = platform.clock.now_us() // DAY_US - max(p.days, 1) + 1

    def read(connection: Connection) -> list[Drift]:
        return drift(connection, p.limit_ppm, since_day=since_day, least_requests=p.least_requests)

    found = await platform.database.read(read)
    return {"ok": not found, "findings": [each._asdict() for each in found]}


async def ledger_verify(platform: Platform, _: Nothing) -> Any:
    """Check the whole ledger: chain, sums, balances, log and rollups."""
    return ledger_report(await platform.checks.run(LEDGER, verify))


def ledger_report(report: Report) -> dict[str, Any]:
    """A verification's result as plain values."""
    return {"ok": not report.findings, "entries": report.entries, "findings": report.findings}
