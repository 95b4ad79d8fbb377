"""`tallygate policy`: the numbers this place promises, and the versions of its legal texts."""

from pathlib import Path
from typing import Any

import click

from gateway.cli.client import call, load_settings
from gateway.cli.output import Column, print_json, print_table, standard_options
from gateway.platform.policy import in_force, report

COLUMNS = (
    Column("name", "NUMBER"),
    Column("value", "VALUE", number=True),
    Column("unit", "UNIT"),
    Column("source", "SOURCE"),
    Column("strict", "STRICTEST", number=True),
    Column("stated", "STATED BY"),
    Column("setting", "SETTING"),
)

VERSIONS = (
    Column("name", "VERSION"),
    Column("state", "STATE"),
    Column("announced", "ANNOUNCED"),
    Column("effective", "EFFECTIVE"),
    Column("told", "TOLD"),
    Column("classes", "MATERIAL CHANGES"),
)


@click.group()
def policy() -> None:
    """Show the numbers that pages state; announce versions of the legal texts."""


@policy.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="Settings file.")
@standard_options
def show(file: Path | None, data: Path, as_json: bool) -> None:
    """Show every number, where it comes from, and which known policy states which.

    The setting policy.preset chooses whose numbers hold; a setting of a number's own goes before
    it. A source `fixed` is a number that the software has no other value of.
    """
    found = report(load_settings(file))
    if as_json:
        print_json(found)
        return
    click.echo(f"preset: {found['preset']}\n")
    rows = [
        row
        | {
            "unit": row["unit"] or "-",
            "source": f"{row['source']} (looser)" if row["loose"] else row["source"],
            "stated": "; ".join(
                f"{one['policy']} {one['where']}: {one['value']}" for one in row["stated"]
            )
            or "-",
        }
        for row in found["numbers"]
    ]
    print_table(rows, COLUMNS, "")


@policy.command()
@standard_options
def versions(data: Path, as_json: bool) -> None:
    """List the versions of the legal texts, the newest first."""
    rows = call(data, "policy.list")
    if as_json:
        print_json(rows)
        return
    shown = [row | {"state": _state(row), "classes": row["classes"] or None} for row in rows]
    print_table(shown, VERSIONS, "no version is noted yet; the server notes the first")


@policy.command()
@click.argument("name")
@click.option("--effective", required=True, help="The day from which it holds: 2026-12-31.")
@click.option("--words", required=True, help="What changes, in a few words for everybody.")
@click.option("--class", "classes", multiple=True, help="A material change that words alone tell.")
@click.option("--party", "parties", multiple=True, help="Who will receive data besides.")
@click.option("--config", "file", type=click.Path(path_type=Path), help="Settings of that day.")
@standard_options
def announce(
    name: str,
    effective: str,
    words: str,
    classes: tuple[str, ...],
    parties: tuple[str, ...],
    file: Path | None,
    data: Path,
    as_json: bool,
) -> None:
    """Announce version NAME of the legal texts.

    The console tells of it at once. Where it is a material change everybody gets a letter, and it
    takes effect when its days of notice are over since then. Classes are data, purposes, parties,
    transfers, retention and rights; what numbers, texts and providers tell is found without them.
    """
    numbers = {}
    if file is not None:
        numbers = {one: each.value for one, each in in_force(load_settings(file)).items()}
    fields = {"name": name, "effective": effective, "words": words}
    more = {"classes": list(classes), "parties": list(parties)}
    made = call(data, "policy.announce", **fields, **more, numbers=numbers)
    if as_json:
        print_json(made)
        return
    kind = f"material: {', '.join(made['classes'])}" if made["classes"] else "minor"
    click.echo(f"{made['name']}, announced for {made['effective'][:10]} ({kind})")
    for each in made["numbers"]:
        click.echo(f"  {each['name']}: {each['before']} -> {each['after']}")
    for party in made["new_parties"]:
        click.echo(f"  receives data from then on: {party}")


def _state(row: dict[str, Any]) -> str:
    return "in force" if row["in_force"] else "coming" if row["coming"] else "-"
