"""`tallygate breaches`: the register of personal data breaches, which is only ever added to."""

from pathlib import Path
from typing import Any

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("id", "ID"),
    Column("aware_at", "AWARE AT"),
    Column("risk", "RISK"),
    Column("authority", "AUTHORITY"),
    Column("persons_told", "PERSONS"),
    Column("nature", "NATURE"),
)
MAX_NATURE = 60


@click.group()
def breaches() -> None:
    """Enter breaches of personal data and what is done about them."""


@breaches.command("list")
@standard_options
def list_(data: Path, as_json: bool) -> None:
    """List every breach, newest first, with the hours left to tell authority and persons."""
    rows = call(data, "breaches.list")
    if as_json:
        print_json(rows)
    else:
        print_table([_line(row) for row in rows], COLUMNS, "no breaches are registered")


@breaches.command()
@click.option("--aware-at", required=True, help="When you became aware: 2026-12-31T23:59, in UTC.")
@click.option("--discovered", required=True, help="How it was discovered.")
@click.option("--nature", required=True, help="What happened, and to which kinds of data.")
@click.option("--persons", required=True, help="Number of persons concerned, roughly.")
@click.option("--records", required=True, help="Number of records concerned, roughly.")
@click.option("--consequences", required=True, help="What is likely to follow from it.")
@click.option("--measures", required=True, help="What was done or is proposed.")
@click.option("--risk", required=True, help="For the persons: high or not_high.")
@standard_options
def add(data: Path, as_json: bool, **fields: str) -> None:
    """Enter a breach; all of it can be told to the authority."""
    _told(call(data, "breaches.add", **fields), as_json)


@breaches.command()
@click.argument("id")
@click.argument("act")
@click.option("--at", default="", help="When it was told: 2026-12-31T23:59, in UTC.")
@click.option("--words", default="", help="Why late, why not needed, or what was learnt.")
@standard_options
def update(id: str, act: str, at: str, words: str, data: Path, as_json: bool) -> None:
    """Add ACT to breach ID.

    ACT is authority_notified, persons_notified, authority_not_needed, persons_not_needed,
    risk_high, risk_not_high or facts. Words are needed but for a notification in time.
    """
    _told(call(data, "breaches.update", id=id, act=act, at=at, words=words), as_json)


def _told(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    click.echo(f"{row['id']}: tell by {row['due']}")
    for to, duty in row["duties"].items():
        click.echo(f"  {to}: {_words(duty)}")


def _line(row: dict[str, Any]) -> dict[str, Any]:
    authority, persons = row["duties"]["authority"], row["duties"].get("persons")
    nature = " ".join(row["nature"].split())
    return row | {
        "risk": "high" if row["high_risk"] else "not high",
        "authority": _words(authority),
        "persons_told": _words(persons) if persons is not None else "-",
        "nature": nature if len(nature) <= MAX_NATURE else nature[: MAX_NATURE - 1] + "…",
    }


def _words(duty: dict[str, Any]) -> str:
    hours = duty["hours_left"]
    if hours is None:
        return str(duty["state"])
    return f"{hours} h left" if hours >= 0 else f"OVERDUE by {-hours} h"
