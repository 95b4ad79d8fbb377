"""`tallygate attestations`: dated records of what an operator had looked at."""

from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("kind", "KIND"),
    Column("scope", "SCOPE"),
    Column("done", "DONE"),
    Column("done_by", "BY"),
    Column("next", "NEXT DUE"),
    Column("result", "RESULT"),
)


@click.group()
def attestations() -> None:
    """Enter and list assessments, scans and tests, and when the next is due."""


@attestations.command("list")
@standard_options
def list_(data: Path, as_json: bool) -> None:
    """List every attestation, newest first."""
    rows = call(data, "attestations.list")
    if as_json:
        print_json(rows)
        return
    shown = [
        row | {"next": f"{row['next_due']} OVERDUE" if row["overdue"] else row["next_due"]}
        for row in rows
    ]
    print_table(shown, COLUMNS, "no attestations; tallygate attestations add KIND ...")


@attestations.command()
@click.argument("kind")
@click.option("--scope", default="", help="What it was about; needed for kind other.")
@click.option("--done-by", required=True, help="Who did it.")
@click.option("--done", required=True, help="The day it was done, such as 2026-12-31.")
@click.option("--result", required=True, help="What came of it, in a sentence.")
@click.option("--next-due", default="", help="The day by which it is due again.")
@standard_options
def add(data: Path, as_json: bool, **fields: str) -> None:
    """Enter a record of KIND.

    KIND is risk_assessment, vulnerability_scan, penetration_test, intrusion_detection, firewall,
    incident_plan or other.
    """
    made = call(data, "attestations.add", **fields)
    if as_json:
        print_json(made)
    else:
        due = f", next due {made['next_due']}" if made["next_due"] else ""
        click.echo(f"{made['kind']}, done {made['done']}{due}")
