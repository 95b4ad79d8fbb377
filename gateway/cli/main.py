"""The `tallygate` command: a table of nouns, each loaded only when it is used.

Start-up time is a feature of a command line, so this file imports click and nothing of ours that
is heavy. Every error is one line on stderr; exit status 1 for an error, 2 for wrong usage.
"""

import difflib
import importlib
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

# name -> (module, help). The module's attribute of the same name is the click command.
NOUNS: dict[str, tuple[str, str]] = {
    "serve": ("gateway.cli.serve", "Start the gateway."),
    "accounts": ("gateway.cli.accounts", "Create, list and suspend accounts."),
    "organisations": ("gateway.cli.organisations", "Shared balances and who spends from them."),
    "credits": ("gateway.cli.credits", "Grant credit and show balances."),
    "keys": ("gateway.cli.keys", "Create, list and revoke API keys."),
    "limits": ("gateway.cli.limits", "Rates, concurrency and budgets of tiers, accounts, keys."),
    "catalog": ("gateway.cli.catalog", "Providers, models and prices."),
    "prices": ("gateway.cli.prices", "Compare prices with known ones; take those over."),
    "providers": ("gateway.cli.providers", "Add known providers."),
    "requests": ("gateway.cli.requests", "Look into the request log."),
    "usage": ("gateway.cli.usage", "Compare reported and measured usage."),
    "incidents": ("gateway.cli.incidents", "Incidents and maintenance on the status page."),
    "reviews": ("gateway.cli.reviews", "Look at keys that very many networks used."),
    "mail": ("gateway.cli.mail", "Show undelivered letters."),
    "breaches": ("gateway.cli.breaches", "The register of personal data breaches."),
    "agreements": ("gateway.cli.agreements", "Agreements with processors."),
    "attestations": ("gateway.cli.attestations", "Assessments, scans and tests, and when due."),
    "audit": ("gateway.cli.audit", "Verify and export the log of administrative acts."),
    "ledger": ("gateway.cli.ledger", "Check the books."),
    "config": ("gateway.cli.config", "Show every setting."),
    "policy": ("gateway.cli.policy", "Show the numbers that pages state and the software keeps."),
    "count": ("gateway.cli.count", "Count the tokens of a text."),
}


class Main(click.Group):
    """The root group: loads nouns lazily and prints every error as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The nouns in the table's order."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one noun."""
        if cmd_name not in NOUNS:
            return None
        module = importlib.import_module(NOUNS[cmd_name][0])
        command = getattr(module, cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown noun's error names the nearest known one."""
        if args and args[0] not in NOUNS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], NOUNS, n=1, cutoff=0.4)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"no such command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the nouns without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in NOUNS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; click's several lines for a usage error become one."""
        try:
            super().main(args, prog_name or "tallygate", complete_var, False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(2)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx is not None else "tallygate"
            message = error.format_message().rstrip(".")
            message = re.sub(r"\. \(?Did you mean (.*\?)\)?$", r"; did you mean \1", message)
            _fail(f"{message[:1].lower()}{message[1:]}; see: {path} --help", 2)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            _fail("interrupted", 130)
        except BrokenPipeError:
            sys.exit(141)
        sys.exit(0)


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"tallygate: {message}", err=True)
    sys.exit(status)


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tallygate", prog_name="tallygate")
def main() -> None:
    """Tallygate: a self-hosted gateway that meters and sells access to language models."""
