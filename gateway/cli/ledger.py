"""`tallygate ledger`: verify the books."""

import sys
from pathlib import Path

import click

from gateway.cli.client import call
from gateway.cli.output import print_json, standard_options


@click.group()
def ledger() -> None:
    """Check the books."""


@ledger.command()
@standard_options
def verify(data: Path, as_json: bool) -> None:
    """Check the chain, the sums, every balance, the request log and the rollups.

    Exit status 1 when anything is found.
    """
    report = call(data, "ledger.verify")
    if as_json:
        print_json(report)
    else:
        for finding in report["findings"]:
            click.echo(finding)
        if report["ok"]:
            click.echo("the ledger is sound")
    if not report["ok"]:
        sys.exit(1)
