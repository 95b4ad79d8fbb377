"""`tallygate config`: every setting with its value, where the value comes from, and its help."""

from pathlib import Path

import click

from gateway.cli.client import load_settings
from gateway.cli.output import Column, print_json, print_table, standard_options

COLUMNS = (
    Column("name", "SETTING"),
    Column("value", "VALUE"),
    Column("source", "SOURCE"),
    Column("help", "HELP"),
)


@click.group()
def config() -> None:
    """Show every setting."""


@config.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="Settings file.")
@standard_options
def show(file: Path | None, data: Path, as_json: bool) -> None:
    """Show value, source and help of every setting.

    A setting `server.port` is `port` under `[server]` in tallygate.toml and TALLYGATE_SERVER_PORT
    in the environment; a flag wins over the environment, the environment over the file.
    """
    rows = [
        {
            "name": setting.name,
            "value": "(set)" if setting.secret and value.value else value.value,
            "source": value.source,
            "help": setting.help,
        }
        for setting, value in load_settings(file).rows()
    ]
    if as_json:
        print_json(rows)
        return
    shown = [
        row
        | {
            "value": '""'
            if row["value"] == ""
            else str(row["value"]).lower()
            if isinstance(row["value"], bool)
            else row["value"]
        }
        for row in rows
    ]
    print_table(shown, COLUMNS, "")
