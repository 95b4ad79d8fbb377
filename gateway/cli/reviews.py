"""`tallygate reviews`: keys that very many networks used, until somebody has looked."""

from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("id", "ID"),
    Column("state", "STATE"),
    Column("opened", "OPENED"),
    Column("prefix", "KEY"),
    Column("email", "HOLDER"),
    Column("networks", "NETWORKS", number=True),
    Column("finding", "FINDING"),
)


@click.group()
def reviews() -> None:
    """Look at keys that very many networks used. Nothing is blocked by itself."""


@reviews.command("list")
@click.option("--limit", default=100, show_default=True, help="How many, the open ones first.")
@standard_options
def list_(limit: int, data: Path, as_json: bool) -> None:
    """List review cases, the open ones first."""
    rows = call(data, "reviews.list", limit=limit)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, "no review cases")


@reviews.command()
@click.argument("id")
@click.argument("finding")
@click.argument("text")
@standard_options
def close(id: str, finding: str, text: str, data: Path, as_json: bool) -> None:
    """Close case ID with FINDING and TEXT, what you found.

    FINDING is own_use, leaked, passed_on or unclear; the holder of the key sees it, and not TEXT.
    """
    case = call(data, "reviews.close", id=id, finding=finding, text=text)
    if as_json:
        print_json(case)
    else:
        click.echo(f"closed {case['id']}: {case['finding']}")
