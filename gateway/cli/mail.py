"""`tallygate mail`: letters that could not be delivered, with the links in them."""

from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("created", "CREATED"),
    Column("kind", "KIND"),
    Column("to", "TO"),
    Column("state", "STATE"),
    Column("attempts", "ATTEMPTS", number=True),
    Column("link", "LINK"),
)


@click.group()
def mail() -> None:
    """Show letters that wait, failed, or have no server to go through."""


@mail.command("list")
@standard_options
def list_(data: Path, as_json: bool) -> None:
    """List undelivered letters, newest first."""
    rows = call(data, "mail.list")
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, "every letter was delivered")
