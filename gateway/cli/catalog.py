"""`tallygate catalog`: apply a catalog file, export it, list the models offered."""

from pathlib import Path

import click

from gateway.cli.client import CommandFailed, call
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("model", "MODEL"),
    Column("input_usd_per_million", "INPUT USD/M", number=True),
    Column("output_usd_per_million", "OUTPUT USD/M", number=True),
    Column("context_tokens", "CONTEXT", number=True),
    Column("targets", "TARGETS"),
)


@click.group()
def catalog() -> None:
    """Providers, models and prices."""


@catalog.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@click.option("--prune", is_flag=True, help="Remove what the file does not name.")
@standard_options
def apply(file: Path, dry_run: bool, prune: bool, data: Path, as_json: bool) -> None:
    """Make the catalog what FILE says; prints the difference."""
    text = _read(file)
    result = call(data, "catalog.apply", toml=text, source=str(file), dry_run=dry_run, prune=prune)
    if as_json:
        print_json(result)
        return
    for line in result["changes"]:
        click.echo(line)
    if not result["changes"]:
        click.echo("nothing to change")
    elif dry_run:
        click.echo("dry run: nothing was changed")
    for warning in result["warnings"]:
        click.echo(f"warning: {warning}", err=True)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise CommandFailed(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandFailed(f"{file} is not text in UTF-8") from None


@catalog.command()
@standard_options
def export(data: Path, as_json: bool) -> None:
    """Print the catalog in the format of apply, without stored credentials."""
    result = call(data, "catalog.export")
    if as_json:
        print_json(result)
    else:
        click.echo(result["toml"], nl=False)


@catalog.command("list")
@standard_options
def list_(data: Path, as_json: bool) -> None:
    """List the models offered, with their prices."""
    rows = call(data, "catalog.list")
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, "no models; add some: tallygate catalog apply FILE")
