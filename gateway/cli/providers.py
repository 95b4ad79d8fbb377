"""`tallygate providers`: presets of known providers, adding one, and the health of targets."""

from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("preset", "PRESET"),
    Column("base_url", "ADDRESS"),
    Column("api_key", "KEY"),
    Column("models", "MODELS", number=True),
    Column("endpoints", "ENDPOINTS"),
    Column("added", "ADDED"),
)

HEALTH = (
    Column("provider", "PROVIDER"),
    Column("model", "MODEL"),
    Column("region", "REGION"),
    Column("state", "BREAKER"),
    Column("opens_in_s", "PROBE IN S", number=True),
    Column("in_flight", "RUNNING", number=True),
    Column("requests", "REQUESTS", number=True),
    Column("failures", "FAILURES", number=True),
    Column("retries", "RETRIES", number=True),
    Column("keys", "KEYS"),
)


@click.group()
def providers() -> None:
    """Add known providers, and see how they fare."""


@providers.command()
@standard_options
def health(data: Path, as_json: bool) -> None:
    """Show each target of the running server: its breaker, its load, its failures, its keys."""
    rows = call(data, "providers.health")
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["keys"] = ", ".join(row["keys"])
    print_table(rows, HEALTH, "no targets; add a provider: tallygate providers add PRESET")


@providers.command()
@standard_options
def presets(data: Path, as_json: bool) -> None:
    """List the providers that can be added by name."""
    rows = call(data, "providers.presets")
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["models"] = len(row["models"])
        row["endpoints"] = ", ".join(row["endpoints"])
        row["added"] = "yes" if row["added"] else ""
    print_table(rows, COLUMNS, "no presets")


@providers.command()
@click.argument("preset")
@click.option("--key", help='Its API key: "env:NAME", or the key itself (stored encrypted).')
@click.option("--base-url", help="Another address than the preset's.")
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@standard_options
def add(
    preset: str, key: str | None, base_url: str | None, dry_run: bool, data: Path, as_json: bool
) -> None:
    """Add a preset's provider with its models and proposed prices; changes nothing that is there.

    Compare the prices with your own contract before you sell anything.
    """
    result = call(data, "providers.add", preset=preset, key=key, base_url=base_url, dry_run=dry_run)
    if as_json:
        print_json(result)
        return
    for line in result["changes"]:
        click.echo(line)
    if not result["changes"]:
        click.echo("nothing to change")
    elif dry_run:
        click.echo("dry run: nothing was changed")
    for warning in result["warnings"]:
        click.echo(f"warning: {warning}", err=True)
