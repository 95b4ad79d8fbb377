"""`tallygate limits`: rates, concurrency and budgets of tiers, accounts and keys."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.cli.client import call
from gateway.cli.output import Column, print_json, print_table, standard_options

F = TypeVar("F", bound=Callable[..., Any])
NONE = "none"
# Option, field of the command's parameters, title of the column, help.
OPTIONS = (
    ("--requests-per-minute", "requests_per_minute", "REQUESTS/MIN", "Requests a minute."),
    ("--tokens-per-minute", "tokens_per_minute", "TOKENS/MIN", "Tokens a minute, in and out."),
    ("--concurrent-requests", "concurrent_requests", "AT ONCE", "Requests at once."),
    ("--day-usd", "day_usd", "USD/DAY", "Spending a day (UTC)."),
    ("--week-usd", "week_usd", "USD/WEEK", "Spending a week (from Monday, UTC)."),
    ("--month-usd", "month_usd", "USD/MONTH", "Spending a calendar month (UTC)."),
)
COLUMNS = tuple(Column(field, title, number=True) for _, field, title, _ in OPTIONS)


def _value(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    """None: not given; an empty tuple: `none`; else the number, or the amount's text."""
    if text is None:
        return None
    if text.lower() == NONE:
        return ()
    if str(option.name).endswith("_usd"):
        return text
    try:
        return int(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a whole number nor {NONE}") from None


def limit_options(function: F) -> F:
    """The options of every limit; each takes a number, or `none` to lift it."""
    for option, field, _, words in reversed(OPTIONS):
        add = click.option(
            option, field, callback=_value, metavar="N", help=f"{words} `{NONE}` lifts it."
        )
        function = add(function)
    return function


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if value == () else value for name, value in values.items() if value is not None
    }


@click.group()
def limits() -> None:
    """Rates, concurrency and budgets of tiers, accounts and keys."""


@limits.group()
def tiers() -> None:
    """Limits that accounts share; the tier `default` binds accounts without another."""


@tiers.command("list")
@standard_options
def list_(data: Path, as_json: bool) -> None:
    """List the tiers."""
    rows = call(data, "tiers.list")
    if as_json:
        print_json(rows)
    else:
        print_table(rows, (Column("name", "TIER"), *COLUMNS), "no tiers: nothing is limited")


@tiers.command("set")
@click.argument("name")
@limit_options
@standard_options
def set_tier(name: str, data: Path, as_json: bool, **values: Any) -> None:
    """Make a tier or change it; what is not named stays."""
    tier = call(data, "tiers.set", name=name, **_given(values))
    if as_json:
        print_json(tier)
    else:
        print_table([tier], (Column("name", "TIER"), *COLUMNS), "")


@tiers.command()
@click.argument("name")
@standard_options
def remove(name: str, data: Path, as_json: bool) -> None:
    """Remove a tier that no account is assigned to."""
    removed = call(data, "tiers.remove", name=name)
    if as_json:
        print_json(removed)
    else:
        click.echo(f"removed {removed['name']}")


@limits.command("set")
@click.argument("email", required=False)
@click.option("--key", help="Limit a key, named by its id or its shown prefix.")
@click.option("--tier", help="Assign the account to a tier; `default` takes it back.")
@limit_options
@standard_options
def set_(
    email: str | None, key: str | None, tier: str | None, data: Path, as_json: bool, **values: Any
) -> None:
    """Limit an account (all its keys together) or one key; what is not named stays."""
    _either(email, key)
    if key is not None:
        if tier is not None:
            raise click.UsageError("tiers are of accounts, not of keys")
        shown = call(data, "limits.set_key", key=key, **_given(values))
    else:
        shown = call(data, "limits.set", email=email, tier=tier, **_given(values))
    _print(shown, as_json)


@limits.command()
@click.argument("email", required=False)
@click.option("--key", help="Show a key's limits, named by its id or its shown prefix.")
@standard_options
def show(email: str | None, key: str | None, data: Path, as_json: bool) -> None:
    """Show what binds an account or a key, and what has been used of it."""
    _either(email, key)
    _print(call(data, "limits.show", email=email, key=key), as_json)


def _either(email: str | None, key: str | None) -> None:
    if (email is None) == (key is None):
        raise click.UsageError("name an account or --key")


def _print(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    who = shown.get("key") or shown["email"]
    tier = f" (tier {shown['tier']})" if shown.get("tier") else ""
    click.echo(f"{who}{tier}")
    print_table([shown["limits"]], COLUMNS, "")
    for name, value in shown["used"].items():
        if not name.endswith("_spent_microusd"):
            click.echo(f"{name}: {value}")
