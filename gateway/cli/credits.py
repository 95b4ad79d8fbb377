"""`tallygate credits`: grant credit to an account, take it back, and show its balance."""

import uuid
from pathlib import Path
from typing import Any

import click

from gateway.cli.client import call
from gateway.cli.output import print_json, standard_options


@click.group()
def credits() -> None:
    """Grant credit, take it back, and show balances."""


@credits.command(context_settings={"ignore_unknown_options": True})
@click.argument("email")
@click.argument("usd")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@click.option(
    "--source",
    default="adjustment",
    show_default=True,
    help="adjustment, promotion, or cash:NAME for money received.",
)
@click.option("--id", "grant_id", help="Repeating a grant with the same id grants once.")
@standard_options
def grant(
    email: str, usd: str, reason: str, source: str, grant_id: str | None, data: Path, as_json: bool
) -> None:
    """Give an account USD of credit."""
    made = call(
        data,
        "credits.grant",
        email=email,
        usd=usd,
        reason=reason,
        source=source,
        id=grant_id or uuid.uuid4().hex,
    )
    if as_json:
        print_json(made)
    else:
        click.echo(f"granted {made['granted_usd']} USD to {made['email']} ({source}: {reason})")
        click.echo(f"transaction {made['transaction_id']}")
        click.echo(_balance_line(made))


@credits.command(context_settings={"ignore_unknown_options": True})
@click.argument("email")
@click.argument("usd")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@click.option(
    "--corrects",
    help="The transaction whose credit is taken back, as the grant printed it; without it only "
    "credit given by hand is.",
)
@click.option("--id", "revoke_id", help="Repeating a revocation with the same id takes once.")
@standard_options
def revoke(
    email: str,
    usd: str,
    reason: str,
    corrects: str | None,
    revoke_id: str | None,
    data: Path,
    as_json: bool,
) -> None:
    """Take USD of credit back from an account; never more than is left."""
    made = call(
        data,
        "credits.revoke",
        email=email,
        usd=usd,
        reason=reason,
        corrects=corrects,
        id=revoke_id or uuid.uuid4().hex,
    )
    if as_json:
        print_json(made)
    else:
        click.echo(f"took {made['revoked_usd']} USD back from {made['email']} ({reason})")
        click.echo(_balance_line(made))


@credits.command()
@click.argument("email")
@standard_options
def balance(email: str, data: Path, as_json: bool) -> None:
    """Show an account's balance."""
    found = call(data, "credits.balance", email=email)
    if as_json:
        print_json(found)
    else:
        click.echo(_balance_line(found))


def _balance_line(found: dict[str, Any]) -> str:
    held = f", {found['held_usd']} of it held by running requests" if found["held_microusd"] else ""
    return f"balance {found['balance_usd']} USD{held}"
