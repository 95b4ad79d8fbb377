"""`tallygate keys`: create, list and revoke API keys."""

from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("prefix", "PREFIX"),
    Column("name", "NAME"),
    Column("email", "ACCOUNT"),
    Column("state", "STATE"),
    Column("created", "CREATED"),
    Column("expires", "EXPIRES"),
    Column("last_used_hour", "LAST USED"),
    Column("id", "ID"),
)


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.argument("email")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--expires-days", type=int, help="Stop working after this many days.")
@standard_options
def create(email: str, name: str, expires_days: int | None, data: Path, as_json: bool) -> None:
    """Create a key for an account; its text is shown once."""
    made = call(data, "keys.create", email=email, name=name, expires_days=expires_days)
    if as_json:
        print_json(made)
        return
    click.echo(made["key"])
    click.echo(f"this is the only time the key is shown ({made['name']}, {made['id']})", err=True)


@keys.command("list")
@click.argument("email", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=1_000, show_default=True)
@standard_options
def list_(email: str | None, limit: int, data: Path, as_json: bool) -> None:
    """List keys, newest first: of one account, or of all."""
    rows = call(data, "keys.list", email=email, limit=limit)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, "no keys; create one: tallygate keys create EMAIL --name NAME")


@keys.command()
@click.argument("key")
@click.option("--account", "email", help="Look for the key, also by its name, in this account.")
@standard_options
def revoke(key: str, email: str | None, data: Path, as_json: bool) -> None:
    """Revoke a key, named by its id or its shown prefix; its next request is refused."""
    revoked = call(data, "keys.revoke", key=key, email=email)
    if as_json:
        print_json(revoked)
    else:
        click.echo(f"revoked {revoked['id']}")


@keys.command()
@click.argument("key")
@click.option("--ttl", "ttl_s", type=click.IntRange(1), help="Seconds an answer is kept.")
@click.option("--off", is_flag=True, help="Keep none any more.")
@standard_options
def cache(key: str, ttl_s: int | None, off: bool, data: Path, as_json: bool) -> None:
    """Answer a key's equal requests from memory, within --ttl seconds, for nothing."""
    if off == (ttl_s is not None):
        raise click.UsageError("say either --ttl SECONDS or --off")
    changed = call(data, "keys.cache", key=key, ttl_s=ttl_s)
    if as_json:
        print_json(changed)
    else:
        kept = f"for {ttl_s} seconds" if ttl_s is not None else "no more"
        click.echo(f"answers of {changed['id']} are cached {kept}")
