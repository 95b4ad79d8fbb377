"""`tallygate prices`: our prices beside what providers charge, and taking those over."""

from pathlib import Path
from typing import Any

import click

from gateway.cli.client import CommandFailed, call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("model", "MODEL"),
    Column("target", "TARGET"),
    Column("our_input", "INPUT", number=True),
    Column("their_input", "THEIRS", number=True),
    Column("our_cache_read", "CACHE READ", number=True),
    Column("their_cache_read", "THEIRS", number=True),
    Column("our_output", "OUTPUT", number=True),
    Column("their_output", "THEIRS", number=True),
    Column("margin", "MARGIN"),
)


@click.group()
def prices() -> None:
    """Prices beside those that providers are known to charge."""


@prices.command()
@click.option("--all", "everything", is_flag=True, help="Also prices that are the same.")
@standard_options
def compare(everything: bool, data: Path, as_json: bool) -> None:
    """Show where our prices differ from the known ones, in USD per million tokens."""
    result = call(data, "prices.compare")
    if as_json:
        print_json(result)
        return
    rows = [row for row in result["prices"] if everything or row["differs"]]
    print_table(rows, COLUMNS, "no price differs from what is known")
    unknown = sum(row["margin"] == "unknown" for row in result["prices"])
    click.echo(f"source: {result['source']}; {unknown} targets of unknown price")


@prices.command("import")
@click.argument("models", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@click.option("--yes", is_flag=True, help="Accept without being asked.")
@standard_options
def import_(models: tuple[str, ...], dry_run: bool, yes: bool, data: Path, as_json: bool) -> None:
    """Take the known prices over for MODELS, or for all that differ; asks before it does.

    A price that rises begins after its notice, one that falls at once.
    """
    if as_json and not (dry_run or yes):
        raise CommandFailed("--json asks nobody: say --yes or --dry-run")
    found = call(data, "prices.import", models=list(models), dry_run=True)
    if not as_json:
        _show(found)
    if not dry_run and found["changes"]:
        if not yes and not click.confirm(f"Enter these {len(found['changes'])} prices?"):
            click.echo("nothing was changed")
            return
        names = [change["model"] for change in found["changes"]]
        found = call(data, "prices.import", models=names, dry_run=False)
    if as_json:
        print_json(found)
    elif found["changes"]:
        click.echo("dry run: nothing was changed" if dry_run else "entered")


def _show(found: dict[str, Any]) -> None:
    for change in found["changes"]:
        before = _words(change["from"])
        begins = f", from {change['begins']}" if change["begins"] else ""
        click.echo(f"~ model {change['model']}: {before} -> {_words(change['to'])}{begins}")
    if not found["changes"]:
        click.echo("nothing to change")


def _words(price: dict[str, str] | None) -> str:
    return " ".join(f"{name} {value}" for name, value in price.items()) if price else "no price"
