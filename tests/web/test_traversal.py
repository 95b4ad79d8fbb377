"""Paths that climb: no spelling of `..` makes a file be opened, and none's content is answered.

Every open of the process is seen while the requests run (PEP 578), so that a file that was read
and not shown would be found as well.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import islice, product
from pathlib import Path

import pytest

from tests.fakes.gateway import RunningGateway, running

DOTS = [
    *(b"..", b"%2e%2e", b".%2e", b"%2E.", b"%252e%252e", b"%25252e%25252e", b"..%00", b"%00.."),
    *(b"%c0%ae%c0%ae", b"%e0%80%ae%e0%80%ae", b"%f0%80%80%ae%f0%80%80%ae", b"%c0%2e%c0%2e"),
    *(b"%u002e%u002e", b"%uff0e%uff0e", b"\xc0\xae\xc0\xae", b"%ef%bc%8e%ef%bc%8e", b"..;"),
    *(b"....", b".%252e", b"%%32%65%%32%65", b"..%20", b"..%09", b"...", b"..%0d", b"..%0a"),
]
SLASHES = [
    *(b"/", b"%2f", b"%2F", b"%5c", b"\\", b"%252f", b"%255c", b"%c0%af", b"%e0%80%af", b"//"),
    *(b"%c1%9c", b"%u2215", b"%u2216", b"%ef%bc%8f", b"/./", b"%2f%2f", b"/%2e/", b"%25252f"),
    *(b"/;/", b"%00/", b"%5c%5c"),
]
STARTS = [
    *(b"/static/", b"/static/0/", b"/static/0/css", b"/static/%b/console.css", b"/docs/guides/"),
    *(b"/docs/guides/people", b"/legal/", b"/", b"/v1/models/", b"/v1beta/models/", b"/sign-in/"),
    *(b"/openapi.json", b"/healthz", b"/confirm/", b"/static", b"/v1/files/", b"/api/v1/"),
]
DEPTHS = (1, 3, 9)
OWN = ("/proc/self/", "/dev/null")  # the sweep's
SPELLINGS = len(DOTS) * len(SLASHES)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


class Opened:
    """The files this process opened since the last look; templates are read when first shown."""

    def __init__(self) -> None:
        self._paths: list[str] = []
        self._looks = True
        sys.addaudithook(self._hear)  # there is no taking it off again

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._looks and event == "open" and not isinstance(arguments[0], int):
            self._paths.append(str(arguments[0]))

    def take(self) -> list[str]:
        taken, self._paths = self._paths, []
        return [path for path in taken if not path.startswith(OWN) and not path.endswith(".html")]

    def stop(self) -> None:
        self._looks = False


@pytest.fixture
def opened() -> Iterator[Opened]:
    one = Opened()
    yield one
    one.stop()


def targets(files: list[bytes]) -> Iterator[bytes]:
    """Each spelling from one of the places, at one of the depths, to one of the files."""
    for number, (dots, slash) in enumerate(product(DOTS, SLASHES)):
        for start in (STARTS[number % len(STARTS)], STARTS[number % 4]):
            depth, file = DEPTHS[number % len(DEPTHS)], files[number % len(files)]
            yield start.replace(b"%b", b"0") + (slash + dots) * depth + slash + file
            yield start.replace(b"%b", b"0") + slash.join([dots] * depth) + slash + file


async def ask(gateway: RunningGateway, target: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(b"GET %b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" % target)
        writer.write(b"Cookie: locale=%b; theme=%b\r\n\r\n" % (target[-90:-60], target[:30]))
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.transport.abort()


async def test_no_spelling_reads_a_file(gateway: RunningGateway, opened: Opened) -> None:
    assert SPELLINGS >= 500 and len(set(DOTS)) == len(DOTS) and len(set(SLASHES)) == len(SLASHES)
    data = gateway.data_dir
    files = [b"etc/passwd", b"secret.key", b"tallygate.db", b"application.py", b"render.py"]
    files.append(str(data / "secret.key").encode())
    secrets = [b"root:x:", (data / "secret.key").read_bytes().strip(), b"SQLite format 3"]
    secrets.append(b"from aiohttp import web")
    assert await ask(gateway, b"/static/0/console.css")  # what is read once, is read by now
    for page in (b"/docs/guides/people", b"/legal/terms", b"/sign-in/x", b"/", b"/nowhere"):
        await ask(gateway, page)
    opened.take()
    waiting, asked = targets(files), 0
    while part := list(islice(waiting, 25)):
        asked += len(part)
        answers = await asyncio.gather(*(ask(gateway, target) for target in part))
        for target, answer in zip(part, answers, strict=True):
            status = int(answer.split(b" ", 2)[1])
            assert 400 <= status < 500 or status in (200, 303, 501), (target, answer[:100])
            assert not any(secret in answer for secret in secrets), target
        assert opened.take() == [], part
    assert asked == SPELLINGS * 4


async def test_an_open_would_be_seen(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "one").touch()
    (tmp_path / "one").read_bytes()
    assert opened.take().count(str(tmp_path / "one")) == 2
