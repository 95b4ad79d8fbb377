"""How a command reaches the platform: through the running server's socket, else by opening it.

A server that runs owns the data folder and answers on the Unix socket in it; without one the
command opens the platform itself, under the same lock, and runs the same function. Heavy imports
happen only on the second way.
"""

import asyncio
import http.client
import json
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gateway.base import config
from gateway.base.config import ConfigError, Settings
from gateway.web.admin.address import SOCKET_FILE, short_path

CONFIG_FILE = "tallygate.toml"
ANSWER_TIMEOUT_S = 600.0  # a whole ledger is verified in one answer
BUSY_TIMEOUT_S = 10.0  # a server that starts or stops holds the folder without answering
BUSY_PAUSE_S = 0.1


class CommandFailed(click.ClickException):
    """One line on stderr, exit status 1."""


class _NoServer(Exception):
    """Nothing listens on the socket."""


def call(data: Path, name: str, /, **params: Any) -> Any:
    """Run an administrative command and return its result. Raises CommandFailed."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            return _ask_server(data, name, params)
        except _NoServer:
            pass
        busy = _Busy()
        result = _run_here(data, name, params, busy)
        if not busy.text:
            return result
        if time.monotonic() > deadline_s:
            raise CommandFailed(busy.text)
        time.sleep(BUSY_PAUSE_S)


class _Busy:
    """Why the folder could not be opened just now, if another process holds it."""

    text = ""


def load_settings(file: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """Settings from the file (`./tallygate.toml` when there is one), environment and flags."""
    if file is None and Path(CONFIG_FILE).is_file():
        file = Path(CONFIG_FILE)
    try:
        return config.load(file, flags=flags)
    except ConfigError as error:
        raise CommandFailed(str(error)) from None


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_TIMEOUT_S)
        self._socket_path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host. Raises _NoServer."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(ANSWER_TIMEOUT_S)
        try:
            with short_path(self._socket_path) as address:
                made.connect(address)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            made.close()
            raise _NoServer from None
        except OSError as error:
            made.close()
            raise CommandFailed(
                f"cannot reach the server at {self._socket_path}: {error.strerror}"
            ) from None
        self.sock = made


def _ask_server(data: Path, name: str, params: dict[str, Any]) -> Any:
    connection = _SocketConnection(data / SOCKET_FILE)
    try:
        connection.request("POST", f"/commands/{name}", json.dumps(params).encode())
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        raise CommandFailed(
            "the server closed the connection before it answered; see its log, then look "
            "whether the change was made"
        ) from None
    finally:
        connection.close()
    try:
        answer = json.loads(body)
    except ValueError:
        answer = {}
    if response.status == 200 and "result" in answer:
        return answer["result"]
    raise CommandFailed(str(answer.get("error") or f"the server answered {response.status}"))


def _run_here(data: Path, name: str, params: dict[str, Any], busy: _Busy) -> Any:
    from gateway.platform.assembly import DATABASE_FILE, open_platform, verify_ledger  # heavy
    from gateway.store.lock import DataFolderInUse
    from gateway.web.admin.commands import COMMANDS, run_command
    from gateway.web.admin.reports import ledger_report

    settings = load_settings()
    if not (settings.store_url or COMMANDS[name].makes or (data / DATABASE_FILE).exists()):
        raise CommandFailed(
            f"there is no installation in {data}; start one with: tallygate serve --data {data}"
        )
    logging.getLogger("tallygate").addHandler(logging.NullHandler())

    async def run() -> Any:
        if name == "ledger.verify":
            return ledger_report(await verify_ledger(settings, data))
        platform = await open_platform(settings, data, first_start=False)
        try:
            return await run_command(platform, name, params)
        finally:
            await platform.close()

    try:
        return translated(lambda: asyncio.run(run()))
    except DataFolderInUse as error:
        busy.text = (
            f"{error} (its administration socket does not answer; if it is just starting or "
            "stopping, try again)"
        )
        return None


def translated(run: Callable[[], Any]) -> Any:
    """Call `run`; every refusal it may raise becomes CommandFailed, one line."""
    from gateway.store.database import DatabaseError
    from gateway.store.lock import DataFolderError, DataFolderInUse
    from gateway.web.admin.commands import REFUSALS

    try:
        return run()
    except DataFolderInUse:
        raise
    except (*REFUSALS, DataFolderError, DatabaseError) as error:
        raise CommandFailed(str(error).replace("\n", " ")) from None
