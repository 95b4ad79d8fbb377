"""The command line over a real data folder, with a served socket or without one."""

import asyncio
import json
import threading

import pytest
from click.testing import CliRunner

from gateway.base.config import load
from gateway.cli.main import main
from gateway.platform.assembly import open_platform
from gateway.web.admin.socket import AdminSocket


class Cli:
    """Runs commands on one data folder."""

    def __init__(self, data):
        self.data = data

    def run(self, *arguments, input=None):
        arguments = [str(argument) for argument in arguments]
        if arguments[0] not in ("config", "count"):
            arguments += ["--data", str(self.data)]
        return CliRunner().invoke(main, arguments, input=input, prog_name="tallygate")

    def ok(self, *arguments):
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments):
        return json.loads(self.ok(*arguments, "--json"))

    def fails(self, *arguments, status=1):
        result = self.run(*arguments)
        assert result.exit_code == status, result.output
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert len(lines) == 1 and lines[0].startswith("tallygate: "), lines
        return lines[0].removeprefix("tallygate: ")


class Served:
    """A platform with its administration socket, in a thread of its own."""

    def __init__(self, data):
        self._data = data
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        platform = await open_platform(load(environ={}), self._data, environ={})
        socket = AdminSocket(platform)
        await socket.start()
        self._ready.set()
        await self._stop.wait()
        await socket.stop()
        await platform.close()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No settings of the machine's own."""
    for variable in ("TALLYGATE_SERVER_PORT", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["stopped", "running", "running at a long path"])
def cli(request, tmp_path):
    """The command line; each test runs with the server stopped and with it running."""
    data = tmp_path / "data"
    if "long" in request.param:
        data = tmp_path / ("x" * 120) / "data"
    made = Cli(data)
    if request.param == "stopped":
        made.ok("accounts", "create", "first@example.com")
        yield made
        return
    with Served(data):
        yield made


@pytest.fixture
def stopped(tmp_path):
    """The command line on a folder that does not exist yet."""
    return Cli(tmp_path / "data")
