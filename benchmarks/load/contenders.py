"""The gateways compared, and how each is started: one process tree, pinned to one CPU.

A `Recipe` prepares a `Launch` for a `Site` or raises `Unavailable` with the reason, in one line.
`Running` starts it, waits for a first good answer, and ends the whole process group. Recipes of
gateways that must first be fetched are in peers.py. Knows nothing of what is measured.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.metadata
import json
import os
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.load.machine import first_line

HERE = Path(__file__).resolve().parent
CONF = HERE / "conf"
MODEL = "gpt-4o-mini"
STOP_TIMEOUT_S = 10.0


class Unavailable(RuntimeError):
    """This gateway cannot be measured here; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a contender lives during a run."""

    work: Path
    port: int
    upstream_port: int
    open_files: int

    def fill(self, template: str, target: str, **names: str) -> Path:
        """Writes conf/`template` as `target` in the work folder, with @NAMES@ replaced."""
        text = (CONF / template).read_text("utf-8")
        values = {
            "PORT": str(self.port),
            "UPSTREAM": str(self.upstream_port),
            "WORK": str(self.work),
            "FILES": str(self.open_files),
            "HALF": str(self.open_files // 2 - 100),
            **names,
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        path = self.work / target
        path.write_text(text, "utf-8")
        return path


@dataclass(frozen=True, slots=True)
class Launch:
    """A command, and how to speak to what it starts. `headers` are "Name: value" lines; `inside`
    is a model that streams slowly with no upstream, `translated` one whose upstream speaks another
    dialect than the client, if the gateway has such."""

    command: tuple[str, ...]
    key: str = "none"
    headers: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    path: str = "/v1/chat/completions"
    model: str = MODEL
    inside: str = ""
    translated: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A gateway by name. `max_streams` bounds what is asked of the slow ones."""

    name: str
    prepare: Callable[[Site], Launch]
    version: Callable[[], str]
    note: str = ""
    max_streams: int = 10_000
    start_timeout_s: float = 20.0


class Running:
    """A started contender: `pid`, `port`, `launch`, and `started_s`, the time to its first answer.

    A context manager that ends it.
    """

    def __init__(self, recipe: Recipe, upstream_port: int, cpu: int | None) -> None:
        self.recipe = recipe
        self._folder = tempfile.TemporaryDirectory(prefix=f"bench-{recipe.name}-")
        work = Path(self._folder.name)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.port = free_port()
        site = Site(work, self.port, upstream_port, min(hard, 1 << 20))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.launch = recipe.prepare(site)
            self._log = work / "output.log"
            self._start(cpu, work)
        except BaseException:
            self.stop()
            raise

    def _start(self, cpu: int | None, work: Path) -> None:
        def settle() -> None:  # Between fork and exec, in the child.
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self.launch.command,
                cwd=work,
                env={**os.environ, **self.launch.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=settle,
            )
        self.pid = self._process.pid
        begun = time.monotonic()
        deadline = begun + self.recipe.start_timeout_s
        problem = "it never listened"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise Unavailable(f"it ended at once: {self._last_words()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                status = self.ask()
                if status == 200:
                    self.started_s = time.monotonic() - begun
                    return
                problem = f"it answers {status}"
            time.sleep(0.02)
        raise Unavailable(f"{problem} in {self.recipe.start_timeout_s:.0f} s: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else "(no output)"

    def ask(self) -> int:
        """The status of one small request without streaming."""
        body = json.dumps(
            {
                "model": self.launch.model,
                "messages": [{"role": "user", "content": "[[n=1]] ready?"}],
            }
        )
        headers = {"Authorization": f"Bearer {self.launch.key}", "Content-Type": "application/json"}
        for line in self.launch.headers:
            name, _, value = line.partition(": ")
            headers[name] = value
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", self.launch.path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends the process group: asked first, killed after ten seconds."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(*names: str) -> str:
    """The first of these programs found, or `Unavailable`. /usr/sbin is searched too."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise Unavailable(f"{names[0]} is not installed")


def _nginx(site: Site) -> Launch:
    nginx = program("nginx")
    conf = site.fill("nginx.conf", "nginx.conf")
    return Launch((nginx, "-c", str(conf), "-e", str(site.work / "nginx.err")))


def _haproxy(site: Site) -> Launch:
    return Launch((program("haproxy"), "-db", "-f", str(site.fill("haproxy.cfg", "haproxy.cfg"))))


def _naive(site: Site) -> Launch:
    key = f"sk-{secrets.token_hex(16)}"
    base_url = f"http://127.0.0.1:{site.upstream_port}/v1"
    command = (sys.executable, str(HERE / "naive.py"), str(site.port), base_url)
    return Launch(command, key=key, environment={"NAIVE_KEY": key})


def tallygate(site: Site, fill: Callable[[Path], None] | None = None) -> Launch:
    """Makes a data folder with an account, credit and a key, lets `fill` add to it, and starts
    Tallygate as anybody would: every part of it on."""
    binary = Path(sys.executable).parent / "tallygate"
    if not binary.exists():
        raise Unavailable("the tallygate command is not installed beside this Python")
    data = str(site.work / "data")

    def say(*words: str) -> str:
        command = [str(binary), *words, "--data", data]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines() or ["(no output)"]
            raise Unavailable(f"tallygate {words[0]} {words[1]} failed: {last[-1][:300]}")
        return done.stdout

    account = "bench@example.com"
    say("accounts", "create", account)
    say("credits", "grant", account, "1000000", "--reason", "bench")
    key: str = json.loads(say("keys", "create", account, "--name", "bench", "--json"))["key"]
    if fill is not None:
        fill(Path(data))
    catalog = str(site.fill("tallygate.toml", "catalog.toml"))
    where = ("--host", "127.0.0.1", "--port", str(site.port))
    command = (str(binary), "serve", "--data", data, *where, "--catalog", catalog)
    inside = "sandbox/lorem:tokens=15,tps=1"
    return Launch(command, key=key, inside=inside, translated="claude-mock")


def _version_of(distribution: str) -> Callable[[], str]:
    def read() -> str:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            return ""

    return read


def _first_line_of(*command: str) -> Callable[[], str]:
    def read() -> str:
        try:
            line = first_line(program(command[0]), *command[1:])
            found = re.search(r"\d+\.\d+[\w.+-]*", line)
            return found[0] if found else line
        except Unavailable:
            return ""

    return read


NGINX = Recipe("nginx", _nginx, _first_line_of("nginx", "-v"), "1 worker, no buffering")
LOCAL = (
    NGINX,
    Recipe("haproxy", _haproxy, _first_line_of("haproxy", "-v"), "1 thread"),
    Recipe("naive", _naive, _version_of("aiohttp"), "aiohttp server and client, uvloop"),
    Recipe(
        "tallygate",
        tallygate,
        _version_of("tallygate"),
        "keys, holds, metering, ledger, request log all on",
        start_timeout_s=30.0,
    ),
)
