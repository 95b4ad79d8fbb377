"""Tests that fail or wait for ever end, with their own messages (`tests.deadlines`)."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
import pytest
from tests.deadlines import Deadlines, TidyLoop

def pytest_configure(config):
    config.pluginmanager.register(Deadlines(), "deadlines")

def pytest_asyncio_loop_factories():
    return {"uvloop": TidyLoop}
"""
TESTS = """
import asyncio
import gc
import pytest

async def serve(reader, writer):
    await reader.read()

async def test_leaves_a_listener_open():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    _, port = server.sockets[0].getsockname()
    await asyncio.open_connection("127.0.0.1", port)
    assert False, "message one"

def test_may_be_told_of_what_another_left():
    gc.collect()

@pytest.fixture
async def stuck():
    yield
    await asyncio.sleep(3600)

async def test_has_a_fixture_that_does_not_stop(stuck):
    assert False, "message two"

async def test_leaves_a_task_that_does_not_end():
    async def deaf():
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass
    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    assert False, "message three"

@pytest.mark.timeout(1)
async def test_waits_in_the_loop():
    await asyncio.sleep(3600)

@pytest.mark.timeout(1)
def test_waits_outside_of_it():
    __import__("time").sleep(3600)

async def test_is_not_disturbed():
    await asyncio.sleep(0)
"""


def test_whatever_a_test_leaves_behind_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_bad.py").write_text(TESTS)
    environ = os.environ | {"TALLYGATE_TEST_TEARDOWN_S": "1", "PYTHONPATH": str(ROOT)}
    words = ["-q", "-rfp", "-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
    words += ["-o", "asyncio_default_fixture_loop_scope=function"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        env=environ,
        cwd=tmp_path,
        timeout=60,
    )
    text = done.stdout
    assert done.returncode == 1, text + done.stderr
    bad = re.findall(r"^(?:async )?def (test_(?:leaves|has|waits)\w+)", TESTS, re.MULTILINE)
    assert len(bad) == 5
    assert [name for name in bad if f"FAILED test_bad.py::{name}" not in text] == [], text
    assert "PASSED test_bad.py::test_is_not_disturbed" in text, text
    for words_of_its_own in ("message one", "message two", "message three"):
        assert words_of_its_own in text
    assert "unclosed resource <TCPServer" in text
    assert text.count("took longer than 1 s") >= 3
    assert "deaf()" in text or "deaf at" in text
