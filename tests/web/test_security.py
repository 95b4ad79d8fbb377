"""What the log tells of requests that are malformed: that there was one, never what it held."""

import asyncio
import contextlib
import gzip
import logging
import secrets
from pathlib import Path

import pytest

from gateway.app import console_log
from tests.fakes.canary import Canaries
from tests.fakes.gateway import RunningGateway, running

HEAD = b"POST /sign-in HTTP/1.1\r\nHost: h\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = (
    b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
)


def malformed(key: bytes) -> dict[str, bytes]:
    """Requests, wrong each in its own way, that hold a key wherever one may stand."""
    long = b"x" * 10_000
    packed = gzip.compress(key)
    return {
        "a bad line": b"GET /%b HTTP/9.9\r\nHost: h\r\n\r\n" % key,
        "no line": key + b"\r\n\r\n",
        "a bad method": b"GET%b / HTTP/1.1\r\nHost: h\r\n\r\n" % key,
        "a bad name": b"GET / HTTP/1.1\r\nHost: h\r\nX %b: a\r\n\r\n" % key,
        "a bad value": b"GET / HTTP/1.1\r\nHost: h\r\nX-Key: %b\0\r\n\r\n" % key,
        "no colon": b"GET / HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n" % key,
        "a long value": b"GET / HTTP/1.1\r\nHost: h\r\nX-Key: %b%b\r\n\r\n" % (key, long),
        "a long name": b"GET / HTTP/1.1\r\nHost: h\r\n%b%b: a\r\n\r\n" % (key, long),
        "many lines": b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: %b\r\n" % key * 250 + b"\r\n",
        "a long target": b"GET /?key=%b%b HTTP/1.1\r\nHost: h\r\n\r\n" % (key, long),
        "a bad target": b"GET //[%b HTTP/1.1\r\nHost: h\r\n\r\n" % key,
        "a bad port": b"GET http://h:%b/ HTTP/1.1\r\nHost: h\r\n\r\n" % key,
        "a bad host": b"GET / HTTP/1.1\r\nHost: [%b\r\n\r\n" % key,
        "bytes in a target": b"GET /%b\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n" % key,
        "a bad length": HEAD + b"Content-Length: %b\r\n\r\n" % key,
        "a bad coding": HEAD + b"Transfer-Encoding: %b\r\n\r\n" % key,
        "a bad expectation": HEAD + b"Expect: %b\r\nContent-Length: 0\r\n\r\n" % key,
        "a bad type": HEAD + b"Content-Type: ;=%b;\r\nContent-Length: 1\r\n\r\na" % key,
        "a bad cookie": b'GET / HTTP/1.1\r\nHost: h\r\nCookie: token="%b;=,\r\n\r\n' % key,
        "a bad chunk": CHUNKED + key + b"\r\n",
        "a bad chunk's end": CHUNKED + b"%x\r\n%bmore\r\n" % (len(key), key),
        "a bad trailer": CHUNKED + b"0\r\n%b\r\n\r\n" % key,
        "a body cut off": HEAD + b"Content-Length: 999\r\n\r\n" + key,
        "a chunk cut off": CHUNKED + b"fff\r\n" + key,
        "not packed": HEAD
        + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(key), key),
        "packed by half": HEAD
        + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        % (len(packed) - 9, packed[:-9]),
        "a bad socket": UPGRADE + b"Sec-WebSocket-Key: %b\r\n\r\n" % key,
        "a bad version": UPGRADE
        + b"Sec-WebSocket-Version: %b\r\nSec-WebSocket-Key: x\r\n\r\n" % key,
        "a bad head at the API": b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n"
        % key,
        "a bad body at the API": b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n%b\r\n" % key,
    }


async def send(gateway: RunningGateway, data: bytes) -> None:
    """Send it, read what comes for a moment, and leave in the middle of things."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    with contextlib.suppress(ConnectionError, TimeoutError):
        writer.write(data)
        async with asyncio.timeout(0.2):
            await reader.read()
    writer.transport.abort()
    await asyncio.sleep(0.01)


def told(records: list[logging.LogRecord]) -> bytes:
    """All that any handler could write of some records."""
    text = logging.Formatter("%(name)s %(message)s")
    return "\n".join(f"{text.format(each)} {vars(each)!r}" for each in records).encode(
        errors="backslashreplace"
    )


@pytest.mark.parametrize("discreet", [True, False])
async def test_no_malformed_request_is_quoted_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, discreet: bool
) -> None:
    """And without the filter some are: the requests are such that it matters."""
    canaries = Canaries()
    key = canaries.secret("key", "sk-tg-" + secrets.token_urlsafe(30), 6)
    log, kept = console_log(), list(console_log().filters)
    async with running(tmp_path / "data") as gateway:
        with caplog.at_level(logging.DEBUG):
            log.setLevel(logging.DEBUG)
            if not discreet:
                log.filters.clear()
            try:
                for data in malformed(key.encode()).values():
                    await send(gateway, data)
            finally:
                log.filters[:] = kept
                log.setLevel(logging.NOTSET)
        found = canaries.found_in(told(caplog.records))
        assert found == (set() if discreet else {"key"})
        async with gateway.session.get(gateway.url + "/healthz") as response:
            assert response.status == 200
