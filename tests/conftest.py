"""What holds for every run: its own folder for files, fresh compiled modules, the real event loop.

Files of a run lie in a folder that no other run shares, so that runs beside each other, or left
behind by others, cannot disturb it; what passed is deleted at once, what failed stays to be read.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

ROOT = Path(__file__).resolve().parents[1]
OWN_FOLDER = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before anything is collected: compiled modules as new as their sources, a folder of ours."""
    if stale := stale_modules():
        raise pytest.UsageError(
            f"{', '.join(stale)}: not compiled since the last change; "
            "run `make test`, or `.venv/bin/python setup.py build_ext --inplace`"
        )
    if config.option.basetemp is None and not config.option.collectonly:
        # Short and in the system's folder: Unix sockets lie in it, whose paths are 107 bytes long.
        config.stash[OWN_FOLDER] = Path(tempfile.mkdtemp(prefix="tallygate-"))
        config.option.basetemp = str(config.stash[OWN_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """An empty folder goes; one with files of failed tests stays."""
    folder = config.stash.get(OWN_FOLDER, None)
    if folder is not None:
        with contextlib.suppress(OSError):
            folder.rmdir()


def stale_modules() -> list[str]:
    """Compiled modules that are missing, or older than a source they are made from."""
    shared = [*ROOT.glob("gateway/_native/*.pxd"), *ROOT.glob("native/c/*.[ch]")]
    newest_shared_s = max(path.stat().st_mtime for path in shared)
    stale = []
    for source in sorted(ROOT.glob("native/*.pyx")):
        compiled = [*ROOT.glob(f"gateway/_native/{source.stem}.*.so")]
        newest_s = max((path.stat().st_mtime for path in compiled), default=0)
        if newest_s < max(newest_shared_s, source.stat().st_mtime):
            stale.append(source.stem)
    return stale


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop the gateway runs on is the loop it is tested on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def crash_rounds() -> int:
    """Rounds of kill -9: few in the ordinary run, a hundred in `make crash`."""
    return int(os.environ.get("CRASH_ROUNDS", "8"))
