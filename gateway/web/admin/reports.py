"""Administrative commands that report: the catalog, the request log, usage drift, the ledger.

The other half of the table is in `commands`; both halves are functions of a platform and checked
parameters, and return plain values that become JSON.
"""

import time
from typing import Any

import msgspec

from gateway.base.money import format_price
from gateway.platform.assembly import Platform
from gateway.platform.ledger.reconcile import verify


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No parameters."""


class CatalogText(msgspec.Struct, forbid_unknown_fields=True):
    """A catalog document, where it came from, and how to apply it."""

    text: str
    source: str = "catalog"
    dry_run: bool = False
    prune: bool = False


def shown_time(at_us: int | None) -> str | None:
    """Epoch microseconds as ISO 8601 in UTC, to the second."""
    if at_us is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_us // 1_000_000))


async def catalog_apply(platform: Platform, p: CatalogText) -> Any:
    """Make the catalog what a document says, or say what that would change."""
    changes = await platform.catalog.apply(p.text, p.source, dry_run=p.dry_run, prune=p.prune)
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


async def ledger_verify(platform: Platform, _: Nothing) -> Any:
    """Check the whole ledger: chain, sums, balances, log and rollups."""
    report = await platform.database.read(verify)
    return {"ok": not report.findings, "findings": list(report.findings)}
