"""What holds for every run: its own folder for files, fresh compiled modules, the real event loop.

Files of a run lie in a folder that no other run shares, so that runs beside each other, or left
behind by others, cannot disturb it; what passed is deleted at once, what failed stays to be read
for a day. A run that is ended by SIGTERM ends as by Ctrl-C: fixtures stop what they started.
"""

import asyncio
import compileall
import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import settings

from gateway.app import GC_THRESHOLD
from tests.deadlines import Deadlines, TidyLoop
from tests.fakes.folder import new_database
from tests.fakes.postgres import Server, server
from tests.fakes.upstream import FakeUpstream

ROOT = Path(__file__).resolve().parents[1]
OWN_FOLDER = pytest.StashKey[Path]()
PASSED = pytest.StashKey[bool]()
PREFIX = "tallygate-"
KEPT_S = 86_400


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before anything is collected: compiled modules as new as their sources, a folder of ours."""
    if stale := stale_modules():
        raise pytest.UsageError(
            f"{', '.join(stale)}: not compiled since the last change; "
            "run `make test`, or `.venv/bin/python setup.py build_ext --inplace`"
        )
    settings.register_profile("house", deadline=None)  # no test is about how long it takes
    settings.load_profile("house")
    # The gateways that tests start need not compile all of it each time, whatever the environment.
    compileall.compile_dir(ROOT / "gateway", quiet=1)
    signal.signal(signal.SIGTERM, interrupt)
    config.pluginmanager.register(Deadlines(), "deadlines")
    if config.option.basetemp is None and not config.option.collectonly:
        remove_old_folders()
        # Short and in the system's folder: Unix sockets lie in it, whose paths are 107 bytes long.
        config.stash[OWN_FOLDER] = Path(tempfile.mkdtemp(prefix=PREFIX))
        config.option.basetemp = str(config.stash[OWN_FOLDER])


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM becomes what pytest knows how to end by."""
    raise KeyboardInterrupt


def remove_old_folders() -> None:
    """Folders of runs that failed, or were killed, over a day ago."""
    before_s = time.time() - KEPT_S
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if folder.is_dir() and folder.stat().st_mtime < before_s:
            shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported and collected lives as long as the run: never scan it, as when served.

    Nor look at the rest as often as usual: to look for garbage took a fifth of a run's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Whether anything failed, for `pytest_unconfigure`."""
    session.config.stash[PASSED] = exitstatus == pytest.ExitCode.OK


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run's folder goes if all passed; after a failure its files stay."""
    folder = config.stash.get(OWN_FOLDER, None)
    if folder is None:
        return
    if config.stash.get(PASSED, False) or not any(folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)


def stale_modules() -> list[str]:
    """Compiled modules that are missing, or older than a source they are made from."""
    shared = [*ROOT.glob("gateway/_native/*.pxd"), *ROOT.glob("native/c/*.[ch]")]
    shared += ROOT.glob("native/*.pxi")
    newest_shared_s = max(path.stat().st_mtime for path in shared)
    stale = []
    for source in sorted(ROOT.glob("native/*.pyx")):
        newest_s = max(newest_shared_s, source.stat().st_mtime)
        if compiled_s(ROOT / "gateway/_native", source.stem) < newest_s:
            stale.append(source.stem)
    for types in sorted(ROOT.glob("gateway/**/*.pxd")):
        source = types.with_suffix(".py")  # the request path: a .pxd beside it says to compile it
        if source.exists():
            newest_s = max(types.stat().st_mtime, source.stat().st_mtime)
            if compiled_s(source.parent, source.stem) < newest_s:
                stale.append(source.stem)
    return stale


def compiled_s(folder: Path, name: str) -> float:
    """When a module was compiled; 0 for never."""
    return max((path.stat().st_mtime for path in folder.glob(f"{name}.*.so")), default=0)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop the gateway runs on is the loop it is tested on; it is closed whatever was left."""
    return {"uvloop": TidyLoop}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for the run; skips where there is none."""
    with server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """A new database of either kind: a path, or a URL."""
    if request.param == "sqlite":
        return new_database(tmp_path / "t.db")
    return str(request.getfixturevalue("postgres").database())


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A provider that does what a test tells it."""
    fake = await FakeUpstream().start()
    yield fake
    await fake.stop()


@pytest.fixture
def crash_rounds() -> int:
    """Rounds of kill -9: few in the ordinary run, a hundred in `make crash`."""
    return int(os.environ.get("CRASH_ROUNDS", "8"))
