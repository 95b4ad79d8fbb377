"""`tallygate requests`: the request log, newest first."""

from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("started", "STARTED"),
    Column("id", "ID"),
    Column("email", "ACCOUNT"),
    Column("model", "MODEL"),
    Column("provider", "PROVIDER"),
    Column("status", "STATUS", number=True),
    Column("outcome", "OUTCOME"),
    Column("input", "IN", number=True),
    Column("output_tokens", "OUT", number=True),
    Column("basis", "BASIS"),
    Column("first_token_ms", "FIRST MS", number=True),
    Column("duration_ms", "MS", number=True),
    Column("cost_usd", "COST USD", number=True),
)


@click.group()
def requests() -> None:
    """Look into the request log."""


@requests.command("list")
@click.option("--account", "email", help="Only this account's requests.")
@click.option("--key", help="Only this key's, by its id or shown prefix.")
@click.option("--model", help="Only this model's.")
@click.option("--before", type=int, help="Continue after this `seq` (see --json).")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@standard_options
def list_(
    email: str | None,
    key: str | None,
    model: str | None,
    before: int | None,
    limit: int,
    data: Path,
    as_json: bool,
) -> None:
    """List requests, newest first: metadata, usage and cost; never content."""
    rows = call(
        data, "requests.list", email=email, key=key, model=model, before=before, limit=limit
    )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["input"] = row["input_tokens"] + row["cache_read_tokens"] + row["cache_write_tokens"]
    print_table(rows, COLUMNS, "no requests yet")
