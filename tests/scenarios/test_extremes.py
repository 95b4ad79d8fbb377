"""Heads and framing far beyond what anybody needs: refused by the right status, without a stall.

The client is a process of its own; both doors of the public port are asked.
"""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.gateway import RunningGateway
from tests.scenarios.test_stalls import assert_no_stall, gateway

__all__ = ["gateway"]  # the fixture
CLIENT = """
import contextlib, socket, sys, threading
data = open(sys.argv[2], "rb").read()
print("ready", flush=True)
sys.stdin.readline()
link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def send():
    with contextlib.suppress(OSError):  # refused before the end
        link.sendall(data)
sending = threading.Thread(target=send, daemon=True)
sending.start()
got = []
with contextlib.suppress(ConnectionError):
    while part := link.recv(1 << 20):
        got.append(part)
whole = b"".join(got)
print(whole[:12].decode(), whole.count(b"HTTP/1.1 "))
"""
LONG = b"x" * 100_000
MANY = b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
CHUNKED = b"Host: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
BODY = b'{"model":"none","messages":[{"role":"user","content":"' + b"a" * 1_000_000 + b'"}]}'
ONE_BYTE = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n"
DOORS = {"api": b"/v1/models", "page": b"/sign-in"}
# For each door: what is sent, the statuses that may answer it, and how many answers there are.
CASES = {
    "10,000 headers": (b"GET %b HTTP/1.1\r\nHost: h\r\n" + MANY + b"\r\n", {431}, 1),
    "a header of 100 KB": (b"GET %b HTTP/1.1\r\nHost: h\r\nX: " + LONG + b"\r\n\r\n", {431}, 1),
    "a name of 100 KB": (b"GET %b HTTP/1.1\r\nHost: h\r\n" + LONG + b": x\r\n\r\n", {431}, 1),
    "a target of 100 KB": (b"GET %b?" + LONG + b" HTTP/1.1\r\nHost: h\r\n\r\n", {414}, 1),
    "a method of 100 KB": (LONG.upper() + b" %b HTTP/1.1\r\nHost: h\r\n\r\n", {400, 431}, 1),
    "a host of 100 KB": (b"GET %b HTTP/1.1\r\nHost: " + LONG + b"\r\n\r\n", {400, 431}, 1),
}


def sent(door: str, name: str) -> tuple[bytes, set[int], int]:
    if name == "a million chunks":
        if door == "api":
            head = b"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer %b\r\n"
            head += b"Content-Type: application/json\r\n" + CHUNKED
            return head + b"\r\n" + ONE_BYTE, {404}, 1
        return b"POST /sign-in HTTP/1.1\r\n" + FORM + CHUNKED + b"\r\n" + ONE_BYTE, {413}, 1
    if name == "thousands in a row":
        one = b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % DOORS[door]
        count = 10_000 if door == "api" else 1_000  # a page takes milliseconds
        return one * count + one[:-2] + b"Connection: close\r\n\r\n", {200, 401}, count + 1
    data, statuses, answers = CASES[name]
    return data.replace(b"%b", DOORS[door]), statuses, answers


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", [*CASES, "a million chunks", "thousands in a row"])
async def test_no_head_and_no_framing_stalls_the_loop(
    gateway: RunningGateway, tmp_path: Path, door: str, name: str
) -> None:
    data, statuses, answers = sent(door, name)
    path = tmp_path / "data.bin"
    await asyncio.to_thread(path.write_bytes, data.replace(b"%b", gateway.key.encode(), 1))
    words = await assert_no_stall(CLIENT, str(gateway.port), str(path))
    assert words and int(words[1]) in statuses and int(words[2]) == answers, words
