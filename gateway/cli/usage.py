"""`tallygate usage`: where a provider's reported usage differs from the gateway's own count."""

import sys
from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

PPM_PER_PERCENT = 10_000
COLUMNS = (
    Column("provider", "PROVIDER"),
    Column("model", "MODEL"),
    Column("requests", "REQUESTS", number=True),
    Column("reported_tokens", "REPORTED", number=True),
    Column("measured_tokens", "MEASURED", number=True),
    Column("ratio", "RATIO", number=True),
)


@click.group()
def usage() -> None:
    """Compare reported and measured usage."""


@usage.command()
@click.option(
    "--limit-percent",
    type=click.IntRange(0, 1_000),
    default=5,
    show_default=True,
    help="Differences up to this are no finding.",
)
@click.option("--days", type=click.IntRange(1, 3_650), default=7, show_default=True)
@click.option("--least-requests", type=click.IntRange(1), default=20, show_default=True)
@standard_options
def drift(limit_percent: int, days: int, least_requests: int, data: Path, as_json: bool) -> None:
    """List models whose reported output differs from our own count; exit status 1 if any does.

    RATIO is reported over measured, the mean of the requests' own ratios.
    """
    result = call(
        data,
        "usage.drift",
        limit_ppm=limit_percent * PPM_PER_PERCENT,
        days=days,
        least_requests=least_requests,
    )
    if as_json:
        print_json(result)
    else:
        for row in result["findings"]:
            whole, part = divmod(row["ratio_ppm"], 1_000_000)
            row["ratio"] = f"{whole}.{part // 1_000:03d}"
        print_table(result["findings"], COLUMNS, "no drift: reports agree with our own count")
    if not result["ok"]:
        sys.exit(1)
