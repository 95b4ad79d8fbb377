"""What commands print: aligned tables and JSON, and the options every command has.

Text for people goes to stdout in columns; `--json` prints the command's whole result instead.
"""

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_DATA = "data"


class Column(NamedTuple):
    """A column of a table: the key in each row, the title, and whether it holds numbers."""

    key: str
    title: str
    number: bool = False


def data_option(function: F) -> F:
    """`--data DIR`: the data folder of the installation."""
    option = click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=DEFAULT_DATA,
        show_default=True,
        help="Data folder.",
    )
    return option(function)


def json_option(function: F) -> F:
    """`--json`: print JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def standard_options(function: F) -> F:
    """`--data` and `--json`, as every command has them."""
    return data_option(json_option(function))


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], empty: str) -> None:
    """Rows as an aligned table with titles; `empty` is said instead when there are none."""
    if not rows:
        click.echo(empty)
        return
    cells = [[_cell(row.get(column.key)) for column in columns] for row in rows]
    widths = [
        max(_width(column.title), *(_width(line[index]) for line in cells))
        for index, column in enumerate(columns)
    ]
    titles = [column.title for column in columns]
    for line in (titles, *cells):
        parts = [
            _pad(text, width, column.number)
            for text, width, column in zip(line, widths, columns, strict=True)
        ]
        click.echo("  ".join(parts).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    # A stored name may hold no control characters, but a terminal must not depend on that.
    return "".join(c if c.isprintable() else "?" for c in str(value))


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
