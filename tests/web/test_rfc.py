"""What RFC 9110 and RFC 9112 ask of a server, case by case, at both doors of the public port.

Each case is the bytes of one or more requests, the statuses that may answer them, and the section.
`{p}` is a page that is there, of the API (`/v1/models`, with a key) and the console (`/healthz`).
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream

OK, BAD = (200,), (400,)
# name: (section, request, one set of statuses for each answer)
CASES: dict[str, tuple[str, str, list[tuple[int, ...]]]] = {
    "plain": ("9112 3", "GET {p} HTTP/1.1|Host: h|{k}||", [OK]),
    "empty lines before": ("9112 2.2", "||GET {p} HTTP/1.1|Host: h|{k}||", [OK]),
    "empty lines between": (
        "9112 2.2",
        "GET {p} HTTP/1.1|Host: h|{k}||||GET {p} HTTP/1.1|Host: h|{k}||",
        [OK, OK],
    ),
    "names in any case": ("9110 5.1", "GET {p} HTTP/1.1|hOsT: h|{k}|cOnTeNt-LeNgTh: 0||", [OK]),
    "no space after the colon": ("9112 5", "GET {p} HTTP/1.1|Host:h|{k}||", [OK]),
    "space around the value": ("9112 5", "GET {p} HTTP/1.1|Host:\t h \t |{k}||", [OK]),
    "an unknown header": ("9110 5.1", "GET {p} HTTP/1.1|Host: h|{k}|X-Any: \x80\xff||", [OK]),
    "no host": ("9112 3.2", "GET {p} HTTP/1.1|{k}||", [BAD]),
    "two hosts": ("9112 3.2", "GET {p} HTTP/1.1|Host: h|Host: h|{k}||", [BAD]),
    "a wrong host": ("9112 3.2", "GET {p} HTTP/1.1|Host: h/x|{k}||", [BAD]),
    "an empty host": ("9112 3.2", "GET {p} HTTP/1.1|Host:|{k}||", [BAD]),
    "HTTP/1.0 without a host": ("9112 3.2", "GET {p} HTTP/1.0|{k}||", [(200, 400)]),
    "absolute-form": ("9112 3.2.2", "GET http://h{p} HTTP/1.1|Host: h|{k}||", [OK]),
    "absolute-form, any scheme": ("9112 3.2.2", "GET HTTPS://h:1{p} HTTP/1.1|Host: h|{k}||", [OK]),
    "absolute-form, another host": ("9112 3.2.2", "GET http://a{p} HTTP/1.1|Host: h|{k}||", [OK]),
    "absolute-form, a person": ("9110 4.2.4", "GET http://u@h{p} HTTP/1.1|Host: h|{k}||", [BAD]),
    "absolute-form, no host": ("9112 3.2", "GET http://h{p} HTTP/1.1|{k}||", [BAD]),
    "absolute-form, two hosts": (
        "9112 3.2",
        "GET http://h{p} HTTP/1.1|Host: h|Host: a|{k}||",
        [BAD],
    ),
    "absolute-form, a wrong host": ("9112 3.2", "GET http://h{p} HTTP/1.1|Host: a b|{k}||", [BAD]),
    "absolute-form, twice": (
        "9112 3.2.2",
        "GET http://h{p} HTTP/1.1|Host: h|{k}||GET http://h{p} HTTP/1.1|Host: h|{k}||",
        [OK, OK],
    ),
    "authority-form": ("9112 3.2.3", "CONNECT h:80 HTTP/1.1|Host: h:80|{k}||", [(400, 405, 501)]),
    "asterisk-form": ("9112 3.2.4", "OPTIONS * HTTP/1.1|Host: h|{k}||", [(200, 204, 404, 405)]),
    "neither form": ("9112 3.2", "GET v1/models HTTP/1.1|Host: h|{k}||", [(400, 404)]),
    "no target": ("9112 3", "GET  HTTP/1.1|Host: h|{k}||", [BAD]),
    "a long target": ("9112 3", "GET {p}?{long} HTTP/1.1|Host: h|{k}||", [(414,)]),
    "an unknown method": ("9110 9.1", "FROB {p} HTTP/1.1|Host: h|{k}||", [(400, 405, 501)]),
    "a small method": ("9110 9.1", "get {p} HTTP/1.1|Host: h|{k}||", [(400, 405, 501)]),
    "HEAD": ("9110 9.1", "HEAD {p} HTTP/1.1|Host: h|{k}|Connection: close||", [OK]),
    "TRACE": ("9110 9.3.8", "TRACE {p} HTTP/1.1|Host: h|{k}||", [(400, 405, 501)]),
    "a wrong method": ("9110 15.5.6", "DELETE {p} HTTP/1.1|Host: h|{k}||", [(405,)]),
    "no version": ("9112 2.3", "GET {p}|Host: h|{k}||", [BAD]),
    "HTTP/2.0": ("9110 15.6.6", "GET {p} HTTP/2.0|Host: h|{k}||", [(400, 505)]),
    "a small version": ("9112 2.3", "GET {p} http/1.1|Host: h|{k}||", [BAD]),
    "space before the colon": ("9112 5.1", "GET {p} HTTP/1.1|Host : h|{k}||", [BAD]),
    "space before a name": ("9112 2.2", "GET {p} HTTP/1.1| Host: h|{k}||", [BAD]),
    "a folded line": ("9112 5.2", "GET {p} HTTP/1.1|Host: h|X: a| b|{k}||", [BAD]),
    "no colon": ("9112 5", "GET {p} HTTP/1.1|Host: h|{k}|X||", [BAD]),
    "no name": ("9112 5", "GET {p} HTTP/1.1|Host: h|{k}|: x||", [BAD]),
    "a NUL in a value": ("9110 5.5", "GET {p} HTTP/1.1|Host: h|{k}|X: a\0b||", [BAD]),
    "a CR in a value": ("9112 2.2", "GET {p} HTTP/1.1|Host: h|{k}|X: a\rb||", [BAD]),
    "a bare LF": ("9112 2.2", "GET {p} HTTP/1.1\nHost: h|{k}||", [(200, 400)]),
    "length and chunks": (
        "9112 6.1",
        "POST {p} HTTP/1.1|Host: h|{k}|Content-Length: 5|Transfer-Encoding: chunked||0||",
        [BAD],
    ),
    "two lengths": (
        "9112 6.3",
        "POST {p} HTTP/1.1|Host: h|{k}|Content-Length: 0|Content-Length: 1||",
        [BAD],
    ),
    "a signed length": ("9110 8.6", "POST {p} HTTP/1.1|Host: h|{k}|Content-Length: +1||x", [BAD]),
    "a length in words": ("9110 8.6", "POST {p} HTTP/1.1|Host: h|{k}|Content-Length: a||", [BAD]),
    "a length of 30 digits": (
        "9110 8.6",
        "POST {p} HTTP/1.1|Host: h|{k}|Content-Length: 100000000000000000000000000000||",
        [(400, 413)],
    ),
    "a coding unknown": (
        "9112 6.1",
        "POST {p} HTTP/1.1|Host: h|{k}|Transfer-Encoding: gzip||",
        [(400, 501)],
    ),
    "chunked but not last": (
        "9112 6.3",
        "POST {p} HTTP/1.1|Host: h|{k}|Transfer-Encoding: chunked, gzip||0||",
        [(400, 501)],
    ),
    "chunked twice": (
        "9112 6.1",
        "POST {p} HTTP/1.1|Host: h|{k}|Transfer-Encoding: chunked|Transfer-Encoding: chunked||0||",
        [BAD],
    ),
    "a vertical tab at chunked": (
        "9112 6.1",
        "POST {p} HTTP/1.1|Host: h|{k}|Transfer-Encoding: \x0bchunked||0||",
        [(400, 501)],
    ),
    "chunks in HTTP/1.0": (
        "9112 6.1",
        "POST {p} HTTP/1.0|Host: h|{k}|Transfer-Encoding: chunked||0||",
        [(400, 405)],
    ),
    "a chunk's size unknown": (
        "9112 7.1",
        "POST {p} HTTP/1.1|Host: h|{k}|Transfer-Encoding: chunked||0x1|a|0||",
        [BAD],
    ),
    "a chunk's size of 20 digits": (
        "9112 7.1",
        "POST {p} HTTP/1.1|Host: h|{k}|Transfer-Encoding: chunked||fffffffffffffffffff1|a|0||",
        [(400, 413)],
    ),
    "a chunk too long": (
        "9112 7.1",
        "POST {p} HTTP/1.1|Host: h|{k}|Transfer-Encoding: chunked||1|ab|0||",
        [BAD],
    ),
    "an upgrade to h2c": (
        "9110 7.8",
        "GET {p} HTTP/1.1|Host: h|{k}|Connection: Upgrade, HTTP2-Settings|Upgrade: h2c|"
        "HTTP2-Settings: AAMAAABkAAQAAP__||GET {p} HTTP/1.1|Host: h|{k}||",
        [OK, OK],
    ),
    "an upgrade to a WebSocket": (
        "9110 7.8",
        "GET {p} HTTP/1.1|Host: h|{k}|Connection: Upgrade|Upgrade: websocket||",
        [OK],
    ),
    "an upgrade that is not in Connection": (
        "9110 7.8",
        "GET {p} HTTP/1.1|Host: h|{k}|Upgrade: h2c||",
        [OK],
    ),
    "HTTP/2 with prior knowledge": ("9113 3.4", "PRI * HTTP/2.0||SM||", [(400, 505)]),
    "kept alive": (
        "9112 9.3",
        "GET {p} HTTP/1.1|Host: h|{k}||GET {p} HTTP/1.1|Host: h|{k}||",
        [OK, OK],
    ),
    "nothing after close": (
        "9112 9.6",
        "GET {p} HTTP/1.1|Host: h|{k}|Connection: close||GET {p} HTTP/1.1|Host: h|{k}||",
        [(200, 400)],
    ),
    "nothing after an error of framing": (
        "9112 6.3",
        "POST {p} HTTP/1.1|Host: h|{k}|Content-Length: 1|Transfer-Encoding: chunked||0||"
        "GET {p} HTTP/1.1|Host: h|{k}||",
        [BAD],
    ),
    "a name of Connection is no header of ours": (
        "9110 7.6.1",
        "GET {p} HTTP/1.1|Host: h|{k}|Connection: keep-alive, Authorization||",
        [OK],
    ),
    "an expectation unknown": (
        "9110 10.1.1",
        "GET {p} HTTP/1.1|Host: h|{k}|Expect: x||",
        [(400, 417)],
    ),
}
DOORS = {"api": "/v1/models", "console": "/healthz"}


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(
        tmp_path / "data",
        upstream,
        server_header_timeout_s=1.0,
        server_body_timeout_s=1.0,
        server_keepalive_timeout_s=0.2,
    ) as one:
        yield one


async def told(gateway: RunningGateway, data: bytes, pieces: int = 1) -> bytes:
    """All that comes back until the gateway closes; sent in so many pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    step = -(-len(data) // pieces)
    try:
        for at in range(0, len(data), step):
            if writer.is_closing():  # refused already
                break
            writer.write(data[at : at + step])
            await asyncio.sleep(0)
        found = b""
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):  # bytes we sent were not read any more
                while more := await reader.read(65_536):
                    found += more
        return found
    finally:
        writer.close()


def answers(data: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body of each answer; interim ones are left out."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.[01] (\d{3}) .*", first)[1])  # type: ignore[index]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        headers["version"] = first.partition(" ")[0]
        size = int(headers.get("content-length", 0))
        if status >= 200:
            found.append((status, headers, data[:size]))
            data = data[size:]
    return found


def written(gateway: RunningGateway, request: str, path: str) -> bytes:
    text = request.replace("{p}", path).replace("{long}", "x" * 9_000)
    text = text.replace("{k}", f"Authorization: Bearer {gateway.key}")
    return text.replace("|", "\r\n").encode("latin-1")


@pytest.mark.parametrize("door", DOORS)
async def test_what_the_rfcs_ask_for(gateway: RunningGateway, door: str) -> None:
    wrong = []
    gate = asyncio.Semaphore(25)

    async def one(name: str, data: bytes, pieces: int) -> None:
        section, _, expected = CASES[name]
        if door == "console" and name.startswith("a chunk"):
            expected = []  # closed, whatever aiohttp has begun to answer
        async with gate:
            found = answers(await told(gateway, data, pieces))
        statuses = [status for status, *_ in found]
        fits = len(statuses) == len(expected) and all(
            status in may for status, may in zip(statuses, expected, strict=True)
        )
        if not fits:
            wrong.append(f"{name} ({section}), {pieces} pieces: {statuses}, not {expected}")
        for status, headers, _ in found:
            if "date" not in headers:  # 9110 6.6.1
                wrong.append(f"{name}: {status} without a date")
            if status == 405 and "allow" not in headers:  # 9110 15.5.6
                wrong.append(f"{name}: {status} without what is allowed")
            ends = headers["version"] == "HTTP/1.0" or headers.get("connection") == "close"
            page = headers.get("content-type", "").startswith("text/html")
            if status in (400, 408, 413, 414) and not ends and not page:
                wrong.append(f"{name}: {status} and the connection goes on")

    asked = []
    for name, (_, request, _) in CASES.items():
        data = written(gateway, request, DOORS[door])
        splits = (1, 7, len(data) if len(data) < 500 else 20)
        # What follows a close may reset it.
        once = name == "nothing after close"
        asked += [one(name, data, pieces) for pieces in (splits[:1] if once else splits)]
    await asyncio.gather(*asked)
    assert not wrong, "\n".join(wrong)
    await gateway.assert_nothing_leaked()


async def test_a_head_is_a_get_without_its_body(gateway: RunningGateway) -> None:
    for path in DOORS.values():
        data = written(gateway, "HEAD {p} HTTP/1.1|Host: h|{k}|Connection: close||", path)
        [(_, headers, body)] = answers(await told(gateway, data))
        [(_, whole, _)] = answers(await told(gateway, data.replace(b"HEAD", b"GET", 1)))
        assert body == b""
        assert headers.keys() == whole.keys()
        assert headers["content-length"] == whole["content-length"]


async def test_who_is_refused_for_want_of_a_key_is_told_the_scheme(gateway: RunningGateway) -> None:
    """RFC 9110, 15.5.2."""
    answer = await gateway.post(chat(), Authorization="Bearer x")
    assert answer.status == 401 and answer.headers["WWW-Authenticate"] == "Bearer"


async def test_an_upgrade_with_a_body_is_an_ordinary_request(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    body = json.dumps(chat()).encode()
    head = (
        f"POST http://h/v1/chat/completions HTTP/1.1|Host: h|Content-Length: {len(body)}|{{k}}|"
        "Content-Type: application/json|Connection: Upgrade|Upgrade: h2c||"
    )
    data = written(gateway, head, "") + body
    assert [status for status, *_ in answers(await told(gateway, data * 2))] == [200, 200]
    assert len(upstream.requests) == 2


async def test_the_host_that_counts_is_the_targets(tmp_path: Path) -> None:
    """RFC 9112, 3.2.2: with a list of hosts, the header does not speak for another target."""
    async with running(
        tmp_path / "data", server_allowed_hosts="good", server_keepalive_timeout_s=0.2
    ) as gateway:
        for path in DOORS.values():
            for target, header, status in (
                ("good", "good", 200),
                ("good", "evil", 200),
                ("evil", "good", 400),
                ("evil", "evil", 400),
            ):
                request = f"GET http://{target}{{p}} HTTP/1.1|Host: {header}|{{k}}||"
                data = written(gateway, request, path)
                assert [each[0] for each in answers(await told(gateway, data))] == [status]
