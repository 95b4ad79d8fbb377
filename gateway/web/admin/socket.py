"""The administration socket of a running server: POST /commands/NAME with JSON parameters.

A Unix socket in the data folder, mode 0600 inside a folder of mode 0700: who may open it may read
the database anyway, so there is no further authentication. Answers are `{"result": ...}` or
`{"error": "one line"}`. A failure that is not a refusal is logged without its parameters, because
they may hold a credential.
"""

import asyncio
import contextlib
import logging
import socket
from pathlib import Path

import msgspec
from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.platform.refusals import Refusal
from gateway.web.admin.address import SOCKET_FILE, short_path
from gateway.web.admin.commands import REFUSALS, run_command

log = logging.getLogger("tallygate.admin")
MAX_PARAMS_BYTES = 20 * 2**20  # a catalog document with some room
STOP_TIMEOUT_S = 5.0


class AdminSocket:
    """Serves the command table of one platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._path: Path = platform.folder.file(SOCKET_FILE)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. A socket file left by a killed process is replaced: the folder's lock is ours."""
        application = web.Application(client_max_size=MAX_PARAMS_BYTES)
        application.router.add_post("/commands/{name}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_TIMEOUT_S)
        await self._runner.setup()
        listening = await asyncio.to_thread(_bind, self._path)
        await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        """Finish running commands (for a few seconds) and remove the socket file."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    async def _serve(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            params = msgspec.json.decode(await request.read() or b"{}")
            result = await run_command(self._platform, name, params)
        except REFUSALS as error:
            return _answer(400, {"error": _line(error)})
        except msgspec.DecodeError:
            return _answer(400, {"error": "the parameters are not JSON"})
        except web.HTTPException as error:
            return _answer(error.status, {"error": error.reason})
        except Exception:
            log.exception("admin command failed", extra={"f": {"command": name[:64]}})
            return _answer(500, {"error": f"{name[:64]} failed; the server's log says where"})
        return _answer(200, {"result": result})


def _line(error: BaseException) -> str:
    return str(error).replace("\n", " ")


def _answer(status: int, body: dict[str, object]) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json"
    )


def _bind(path: Path) -> socket.socket:
    """A listening-to-be socket at the path, mode 0600 from its first moment."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The folder is 0700, so nobody else can reach the file before its mode is set.
        with short_path(path) as address:
            made.bind(address)
        path.chmod(0o600)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise Refusal(f"cannot make the administration socket {path}: {error}") from None
    return made
