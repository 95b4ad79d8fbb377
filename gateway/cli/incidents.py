"""`tallygate incidents`: what the status page tells of incidents and planned maintenance."""

from pathlib import Path
from typing import Any

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("id", "ID"),
    Column("kind", "KIND"),
    Column("state", "STATE"),
    Column("begins", "BEGINS"),
    Column("ends", "ENDS"),
    Column("models", "MODELS"),
    Column("title", "TITLE"),
)
TIME = "2026-12-31T18:30, in UTC"


@click.group()
def incidents() -> None:
    """Tell of incidents and planned maintenance on the status page."""


@incidents.command("list")
@click.option("--limit", default=100, show_default=True, help="How many, the newest first.")
@standard_options
def list_(limit: int, data: Path, as_json: bool) -> None:
    """List incidents and maintenance, withdrawn ones too."""
    rows = call(data, "incidents.list", limit=limit)
    if as_json:
        print_json(rows)
    else:
        named = [{**row, "models": row["models"] or "all"} for row in rows]
        print_table(named, COLUMNS, "no incidents")


@incidents.command()
@click.argument("title")
@click.option("--text", required=True, help="What happened or will be done, in your words.")
@click.option("--maintenance", is_flag=True, help="Planned maintenance and no incident.")
@click.option("--model", "models", multiple=True, help="A model concerned; without any, all.")
@click.option("--begins", metavar="TIME", help=f"Such as {TIME}. Now, unless given.")
@click.option("--ends", metavar="TIME", help="The planned end; of an incident, if it is over.")
@standard_options
def add(
    title: str,
    text: str,
    maintenance: bool,
    models: tuple[str, ...],
    begins: str | None,
    ends: str | None,
    data: Path,
    as_json: bool,
) -> None:
    """Enter an incident, or maintenance; it is public at once."""
    kind = "maintenance" if maintenance else "incident"
    given = {"begins": begins, "ends": ends, "models": list(models)}
    made = call(data, "incidents.add", kind=kind, title=title, text=text, **given)
    _print(made, "entered", as_json)


@incidents.command()
@click.argument("id")
@click.argument("text")
@standard_options
def update(id: str, text: str, data: Path, as_json: bool) -> None:
    """Add TEXT, what is known now, to incident ID."""
    _print(call(data, "incidents.update", id=id, text=text), "added to", as_json)


@incidents.command()
@click.argument("id")
@click.option("--ends", metavar="TIME", help="Since when it is over; later for maintenance.")
@standard_options
def end(id: str, ends: str | None, data: Path, as_json: bool) -> None:
    """Say that incident ID is over, now or since a time such as 2026-12-31T18:30 (UTC)."""
    _print(call(data, "incidents.end", id=id, ends=ends), "ended", as_json)


@incidents.command()
@click.argument("id")
@click.argument("reason")
@standard_options
def withdraw(id: str, reason: str, data: Path, as_json: bool) -> None:
    """Take incident ID from the public for good; REASON stays on record."""
    _print(call(data, "incidents.withdraw", id=id, reason=reason), "withdrew", as_json)


def _print(made: dict[str, Any], act: str, as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        click.echo(f"{act} {made['id']}: {made['title']} ({made['kind']}, {made['state']})")
