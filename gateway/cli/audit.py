"""`tallygate audit`: verify the log of administrative acts, and export it with its head."""

import json
import sys
from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import print_json, standard_options

PART = 1_000


@click.group()
def audit() -> None:
    """Verify and export the audit log."""


@audit.command()
@click.option("--head", help="A head exported earlier: finds rows cut off at the end.")
@standard_options
def verify(head: str | None, data: Path, as_json: bool) -> None:
    """Recompute the hash chain. Exit status 1 when anything is found."""
    report = call(data, "audit.verify", head=head)
    if as_json:
        print_json(report)
    else:
        for finding in report["findings"]:
            click.echo(finding)
        if report["ok"]:
            click.echo(f"{report['rows']} rows, as they were written; head {report['head']}")
    if not report["ok"]:
        sys.exit(1)


@audit.command()
@click.option("--after", default=0, show_default=True, help="Export the rows behind this number.")
@standard_options
def export(after: int, data: Path, as_json: bool) -> None:
    """Print every row as a line of JSON, and the head last. Keep the head elsewhere."""
    while True:
        page = call(data, "audit.export", after=after, limit=PART)
        for row in page["rows"]:
            click.echo(json.dumps(row))
            after = row["seq"]
        if len(page["rows"]) < PART:
            click.echo(json.dumps({"head": page["head"]}))
            return
