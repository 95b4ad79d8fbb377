"""Compiles the C programs of this folder into `build/bench/`, when their sources are newer.

Only the standard library; raises `BuildError` with one clear line when there is no compiler or
it refuses. Knows nothing of what the programs do.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
ROOT = SOURCE.parent.parent
OUTPUT = ROOT / "build" / "bench"
PROGRAMS = {
    "mock": (
        *("mock.c", "mock_request.c", "mock_answer.c", "mock_messages.c"),
        *("mock_fault.c", "mock_journal.c"),
    ),
    "client": ("client.c", "response.c", "histogram.c"),
}
FLAGS = ("-O2", "-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror")


class BuildError(RuntimeError):
    """No compiler was found, or it refused; the text says what to do."""


def build(name: str) -> Path:
    """The path of program `name` ("mock" or "client"), compiled now if it is out of date."""
    sources = [SOURCE / source for source in PROGRAMS[name]]
    newest = max(path.stat().st_mtime for path in [*sources, *SOURCE.glob("*.h")])
    target = OUTPUT / name
    if target.exists() and target.stat().st_mtime >= newest:
        return target
    compiler = shlex.split(os.environ.get("CC") or "cc")  # as make reads it: `ccache cc`
    if shutil.which(compiler[0]) is None:
        raise BuildError("no C compiler found; install one (Debian: apt-get install gcc libc6-dev)")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    # Two test processes may build at once: each writes its own file, the rename is atomic.
    fresh = OUTPUT / f"{name}.{os.getpid()}"
    done = subprocess.run(
        [*compiler, *FLAGS, "-o", str(fresh), *map(str, sources)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"cannot compile {name}:\n{done.stderr.strip()}")
    fresh.replace(target)
    return target
