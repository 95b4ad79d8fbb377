"""`tallygate serve`: start the gateway and say how to use it.

The banner is made of values; this file decides nothing. Secrets of the first start are printed
here once, to stdout, and nowhere else.
"""

import errno
import gc
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from gateway.base.money import format_usd
from gateway.cli.client import CommandFailed, load_settings, translated
from gateway.cli.output import data_option
from gateway.web.hosts import base_url

if TYPE_CHECKING:
    from gateway.platform.assembly import FirstStart

SIGN_IN_PATH = "/sign-in"


@click.command()
@data_option
@click.option("--host", help="Address to listen on (setting server.host).")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port (setting server.port).")
@click.option("--config", "file", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--catalog", type=click.Path(path_type=Path), help="Catalog file to apply first.")
def serve(
    data: Path, host: str | None, port: int | None, file: Path | None, catalog: Path | None
) -> None:
    """Start the gateway; SIGTERM or Ctrl-C stops it gracefully."""
    settings = load_settings(file, {"server.host": host, "server.port": port})
    # Hardly anything of a start becomes garbage; looking for it took a fifth of the time.
    gc.disable()
    try:
        from gateway.platform.metering.encodings import DEFAULT_ENCODING, preload

        # It needs no interpreter for most of its 0.2 s, so that it costs none beside the imports.
        # What goes wrong goes wrong again, and is said, when the catalog's are loaded.
        ThreadPoolExecutor(1).submit(preload, frozenset({DEFAULT_ENCODING}))
        from gateway.app import run, unsafe_server  # heavy: the whole server
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("gateway._native"):
            raise CommandFailed("the compiled meter is missing; build it with: make run") from None
        raise
    if reason := unsafe_server():
        raise CommandFailed(reason)
    from gateway.store.lock import DataFolderInUse

    try:
        translated(lambda: run(settings, data, catalog, print_banner))
    except DataFolderInUse as error:
        raise CommandFailed(str(error)) from None
    except OSError as error:
        raise CommandFailed(_why(error, settings.server_host, settings.server_port)) from None


def _why(error: OSError, host: str, port: int) -> str:
    """What kept the doors shut, and what to do about it."""
    if isinstance(error, socket.gaierror):
        return f"cannot listen on {host}: there is no such host; mend --host"
    known = error.errno is not None and error.errno in errno.errorcode
    reason = os.strerror(error.errno or 0) if known else str(error)
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; stop what uses it, or choose another with --port"
    if error.errno in (errno.EADDRNOTAVAIL, errno.EACCES):
        return f"cannot listen on {host}:{port}: {reason}; choose another --host or --port"
    return f"cannot start: {reason}"


def print_banner(host: str, port: int, first: "FirstStart | None") -> None:
    """Print where the gateway is and, once, the secrets of the first start."""
    click.echo(banner(host, port, first), nl=False)


def banner(host: str, port: int, first: "FirstStart | None") -> str:
    """The lines printed when the doors are open."""
    base = base_url(host, port)
    if first is None:
        return f"Tallygate is ready at {base}\n"
    url = sign_in_url(host, port, first.sign_in_token)
    credit = format_usd(first.credit_microusd)
    body = (
        '{"model": "sandbox/lorem", "stream": true, '
        '"messages": [{"role": "user", "content": "Hello"}]}'
    )
    lines = [
        f"Tallygate is ready at {base}",
        "",
        f"  Console   {base}/",
        f"  Sign in   {url}",
        f"            as {first.email}; the link works once, within 24 hours",
        f"  API key   {first.key}",
        f"            with {credit} USD of credit; shown only this time",
        f"  Providers {', '.join(first.providers) or 'none yet: tallygate catalog apply FILE'}",
        "",
        "Try it:",
        "",
        f"  curl -N {base}/v1/chat/completions \\",
        f"    -H 'Authorization: Bearer {first.key}' \\",
        "    -H 'Content-Type: application/json' \\",
        f"    -d '{body}'",
        "",
    ]
    return "\n".join(lines) + "\n"


def sign_in_url(host: str, port: int, token: str) -> str:
    """The address that redeems a sign-in token."""
    return f"{base_url(host, port)}{SIGN_IN_PATH}/{quote(token)}"
