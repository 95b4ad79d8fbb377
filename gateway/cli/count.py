"""`tallygate count`: count the tokens of a text with the gateway's own counter."""

import importlib

import click

from gateway.cli.client import CommandFailed


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def count(arguments: tuple[str, ...]) -> None:
    """Count the tokens of a file or of standard input; see `tallygate count --help`."""
    try:
        counting = importlib.import_module("gateway.platform.metering.count")
    except ImportError:
        raise CommandFailed("this build has no token counter; build it with: make run") from None
    raise SystemExit(counting.main(list(arguments)))
