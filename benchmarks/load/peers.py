"""Gateways that must be fetched first, into `benchmarks/.peers` (git-ignored), once.

Each is installed by its own registry's client and configured at its lightest: no database, no
log, no budget. What cannot be installed here raises `Unavailable` with one line; the next run
tries again. Their latest release is taken, so a result names the version it measured.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.load.contenders import Launch, Recipe, Site, Unavailable, program

PEERS = Path(__file__).resolve().parent.parent / ".peers"
INSTALL_TIMEOUT_S = 900
# The gateway's own lockfile has these two; with the newer ones a plain install takes, it answers
# every stream with 500. An override reaches the copies inside other packages too.
PORTKEY_PACKAGE = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "*", "hono": "4.9.7", "@hono/node-server": "1.13.5"},
    "overrides": {"hono": "4.9.7", "@hono/node-server": "1.13.5"},
}
BIFROST_MODULE = "github.com/maximhq/bifrost/transports/bifrost-http@latest"


def _install(
    name: str, commands: list[list[str]], environment: Mapping[str, str] | None = None
) -> Path:
    """Runs the commands in the peer's folder unless they succeeded before; returns the folder."""
    folder = PEERS / name
    stamp = folder / ".installed"
    if stamp.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    print(f"installing {name} into benchmarks/.peers (once)", flush=True)
    for command in commands:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                capture_output=True,
                text=True,
                timeout=INSTALL_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"installing it took over {INSTALL_TIMEOUT_S} s") from error
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["(no output)"]
            raise Unavailable(f"cannot install it: {' '.join(lines[-2:]).strip()[:300]}")
    stamp.touch()
    return folder


def _litellm(site: Site) -> Launch:
    folder = PEERS / "litellm"
    pip = [str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
    _install("litellm", [[sys.executable, "-m", "venv", "."], [*pip, "litellm[proxy]"]])
    key = f"sk-{secrets.token_hex(16)}"
    conf = site.fill("litellm.yaml", "litellm.yaml", KEY=key)
    command = [str(folder / "bin" / "litellm"), "--host", "127.0.0.1", "--port", str(site.port)]
    quiet = {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PATH": f"{folder / 'bin'}:{os.environ.get('PATH', '')}",
    }
    return Launch((*command, "--config", str(conf), "--num_workers", "1"), key, (), quiet)


def _litellm_version() -> str:
    found = sorted((PEERS / "litellm").glob("lib/python*/site-packages/litellm-*.dist-info"))
    return found[-1].name.removeprefix("litellm-").removesuffix(".dist-info") if found else ""


def _portkey(site: Site) -> Launch:
    npm = program("npm")
    node = program("node")
    flags = ["--no-audit", "--no-fund", "--loglevel=error"]
    folder = PEERS / "portkey"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps(PORTKEY_PACKAGE))
    _install("portkey", [[npm, "install", *flags]])
    server = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    upstream = f"http://127.0.0.1:{site.upstream_port}/v1"
    headers = ("x-portkey-provider: openai", f"x-portkey-custom-host: {upstream}")
    command = (node, str(server), f"--port={site.port}", "--headless")
    trusted = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    return Launch(command, "sk-upstream", headers, trusted)


def _portkey_version() -> str:
    package = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "package.json"
    return str(json.loads(package.read_text())["version"]) if package.exists() else ""


def _bifrost(site: Site) -> Launch:
    go = program("go")
    folder = PEERS / "bifrost"
    places = {"GOBIN": str(folder), "GOFLAGS": "-modcacherw", "GOPATH": str(folder / "go")}
    _install("bifrost", [[go, "install", BIFROST_MODULE]], places)
    site.fill("bifrost.json", "config.json")
    command = (str(folder / "bifrost-http"), "-app-dir", str(site.work), "-port", str(site.port))
    return Launch((*command, "-host", "127.0.0.1"), model="openai/gpt-4o-mini")


def _bifrost_version() -> str:
    folder = PEERS / "bifrost" / "go" / "pkg" / "mod" / "github.com" / "maximhq" / "bifrost"
    found = sorted(folder.glob("transports@*"))
    return found[-1].name.partition("@")[2] if found else ""


PEER_RECIPES = (
    Recipe("portkey", _portkey, _portkey_version, "1 process", 1_000, 30.0),
    Recipe("litellm", _litellm, _litellm_version, "1 worker, no database", 200, 90.0),
    Recipe("bifrost", _bifrost, _bifrost_version, "log off", 10_000, 30.0),
)
