"""`tallygate policy`: the numbers this place promises, what decided each, and who states which."""

from pathlib import Path

import click

from gateway.cli.client import load_settings
from gateway.cli.output import Column, print_json, print_table, standard_options
from gateway.platform.policy import report

COLUMNS = (
    Column("name", "NUMBER"),
    Column("value", "VALUE", number=True),
    Column("unit", "UNIT"),
    Column("source", "SOURCE"),
    Column("strict", "STRICTEST", number=True),
    Column("stated", "STATED BY"),
    Column("setting", "SETTING"),
)


@click.group()
def policy() -> None:
    """Show the numbers that pages state and the software keeps."""


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
