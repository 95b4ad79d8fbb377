"""`tallygate agreements`: agreements with the processors that providers are."""

from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("provider", "PROVIDER"),
    Column("in_force", "IN FORCE"),
    Column("title", "TITLE"),
    Column("signed_by", "SIGNED BY"),
    Column("signed", "SIGNED"),
    Column("valid_until", "VALID UNTIL"),
)


@click.group()
def agreements() -> None:
    """Enter and list agreements with processors."""


@agreements.command("list")
@standard_options
def list_(data: Path, as_json: bool) -> None:
    """List every agreement; of each provider, the last one entered counts."""
    rows = call(data, "agreements.list")
    if as_json:
        print_json(rows)
    else:
        shown = [row | {"in_force": "yes" if row["in_force"] else "no"} for row in rows]
        print_table(shown, COLUMNS, "no agreements; tallygate agreements add PROVIDER ...")


@agreements.command()
@click.argument("provider")
@click.option("--title", required=True, help="Its title or reference.")
@click.option("--signed-by", required=True, help="Who signed it.")
@click.option("--signed", required=True, help="The day it was signed, such as 2026-12-31.")
@click.option("--valid-until", default="", help="The last day it holds; without it, no end.")
@click.option("--note", default="", help="A link to it, or a note.")
@standard_options
def add(data: Path, as_json: bool, **fields: str) -> None:
    """Enter an agreement with PROVIDER; it replaces the one before."""
    made = call(data, "agreements.add", **fields)
    if as_json:
        print_json(made)
    else:
        state = "in force" if made["in_force"] else "not in force"
        click.echo(f"{made['provider']}: {made['title']}, {state}")
