"""`tallygate accounts`: create, list, suspend, activate, roles, one-time sign-in links, purge."""

from pathlib import Path

import click

from gateway.cli.client import call, load_settings
from gateway.cli.output import Column, print_json, print_table, standard_options
from gateway.cli.serve import sign_in_url

COLUMNS = (
    Column("email", "E-MAIL"),
    Column("role", "ROLE"),
    Column("state", "STATE"),
    Column("balance_usd", "BALANCE USD", number=True),
    Column("created", "CREATED"),
    Column("id", "ID"),
)


@click.group()
def accounts() -> None:
    """Create, list and suspend accounts."""


@accounts.command()
@click.argument("email")
@click.option("--admin", is_flag=True, help="Make the account an administrator.")
@standard_options
def create(email: str, admin: bool, data: Path, as_json: bool) -> None:
    """Create an account."""
    made = call(data, "accounts.create", email=email, admin=admin)
    if as_json:
        print_json(made)
    else:
        click.echo(f"created {made['role']} {made['email']} ({made['id']})")


@accounts.command("list")
@standard_options
def list_(data: Path, as_json: bool) -> None:
    """List the accounts with their balances."""
    rows = call(data, "accounts.list")
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, "no accounts yet; create one: tallygate accounts create EMAIL")


@accounts.command()
@click.argument("email")
@standard_options
def suspend(email: str, data: Path, as_json: bool) -> None:
    """Refuse all requests of an account from now on."""
    account = call(data, "accounts.suspend", email=email)
    if as_json:
        print_json(account)
    else:
        click.echo(f"suspended {account['email']}; its requests are refused from now on")


@accounts.command()
@click.argument("email")
@standard_options
def activate(email: str, data: Path, as_json: bool) -> None:
    """Take a suspension back."""
    account = call(data, "accounts.activate", email=email)
    if as_json:
        print_json(account)
    else:
        click.echo(f"activated {account['email']}")


@accounts.command()
@click.argument("email")
@click.argument("role")
@standard_options
def role(email: str, role: str, data: Path, as_json: bool) -> None:
    """Give an account a role: member, support, finance, operator, administrator or auditor."""
    account = call(data, "accounts.role", email=email, role=role)
    if as_json:
        print_json(account)
    else:
        click.echo(f"{account['email']} is {account['role']} and signs in anew")


@accounts.command()
@click.argument("email")
@standard_options
def link(email: str, data: Path, as_json: bool) -> None:
    """Make a one-time sign-in link, valid for 24 hours."""
    made = call(data, "accounts.link", email=email)
    settings = load_settings()
    made["url"] = sign_in_url(settings.server_host, settings.server_port, made["token"])
    if as_json:
        print_json(made)
    else:
        click.echo(f"sign-in link for {made['email']}, valid once within 24 hours:")
        click.echo(made["url"])


@accounts.command()
@click.argument("email")
@click.option("--reason", required=True, help="Why: minor.")
@standard_options
def purge(email: str, reason: str, data: Path, as_json: bool) -> None:
    """Close an account for good and delete all that names its owner. It cannot be undone."""
    done = call(data, "accounts.purge", email=email, reason=reason)
    if as_json:
        print_json(done)
        return
    click.echo(f"purged {done['id']}; deleted or blanked:")
    for table, count in done["rows"].items():
        click.echo(f"  {table}: {count}")
    click.echo(f"purchased credit that stays owed for a refund: {done['owed_usd']} USD")
    if not done["scrubbed"]:
        click.echo("readers were in the way: the database is overwritten by its next checkpoint")
