"""`tallygate organisations`: found, list, and keep the members of organisations."""

from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("id", "ID"),
    Column("name", "NAME"),
    Column("owners", "OWNERS"),
    Column("members", "MEMBERS", number=True),
    Column("balance_usd", "BALANCE USD", number=True),
    Column("email", "ADDRESS FOR CREDIT"),
)
MEMBERS = (
    Column("email", "E-MAIL"),
    Column("part", "PART"),
    Column("spent_usd", "SPENT THIS MONTH USD", number=True),
    Column("monthly_usd", "LIMIT USD", number=True),
    Column("joined", "JOINED"),
)


@click.group()
def organisations() -> None:
    """Found organisations and keep their members."""


@organisations.command()
@click.argument("email")
@click.argument("name")
@standard_options
def create(email: str, name: str, data: Path, as_json: bool) -> None:
    """Found an organisation whose owner is the account EMAIL."""
    made = call(data, "organisations.create", email=email, name=name)
    if as_json:
        print_json(made)
    else:
        click.echo(f"founded {made['name']} ({made['id']}), owner {made['owners']}")
        click.echo(f"give it credit: tallygate credits grant {made['email']} USD --reason ...")


@organisations.command("list")
@standard_options
def list_(data: Path, as_json: bool) -> None:
    """List the organisations with their balances."""
    rows = call(data, "organisations.list")
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, "no organisations; tallygate organisations create EMAIL NAME")


@organisations.command()
@click.argument("id")
@standard_options
def members(id: str, data: Path, as_json: bool) -> None:
    """List who belongs to organisation ID, what each spent this month and may spend."""
    rows = call(data, "organisations.members", id=id)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, MEMBERS, "no members")


@organisations.command("set")
@click.argument("id")
@click.argument("email")
@click.option("--part", default="member", show_default=True, help="owner, manager or member.")
@click.option("--monthly", help="Dollars a month that the member may spend; without it, any.")
@standard_options
def set_(id: str, email: str, part: str, monthly: str | None, data: Path, as_json: bool) -> None:
    """Make the account EMAIL a member of organisation ID, or change its part and limit."""
    made = call(data, "organisations.put", id=id, email=email, part=part, monthly_usd=monthly)
    if as_json:
        print_json(made)
    else:
        click.echo(f"{made['email']} is {made['part']} of {made['id']}")


@organisations.command()
@click.argument("id")
@click.argument("email")
@standard_options
def remove(id: str, email: str, data: Path, as_json: bool) -> None:
    """Remove EMAIL from organisation ID and revoke their keys in it."""
    made = call(data, "organisations.remove", id=id, email=email)
    if as_json:
        print_json(made)
    else:
        click.echo(f"{made['email']} has left {made['id']}; their keys in it are revoked")
