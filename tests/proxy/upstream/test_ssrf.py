"""Base addresses spelled to reach private networks: refused in the catalog or never connected.

Every spelling goes through the catalog's check and, where that lets it pass, is dialled with the
real pool on a real event loop. An audit hook sees each connect the process makes, and stops it, so
no packet leaves whatever the verdict.
"""

import asyncio
import ipaddress
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.base.errors import GatewayError
from gateway.platform.catalog import Provider
from gateway.platform.catalog.address import split_base_url
from gateway.proxy.realtime.dial import dial as open_realtime
from gateway.proxy.upstream.address import is_public
from gateway.proxy.upstream.pool import Origin, Pool, PoolLimits
from tests.fakes import routes
from tests.fakes.gateway import chat, running
from tests.fakes.upstream import FakeUpstream, raw

VICTIMS = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0")


def spellings(address: str) -> Iterator[str]:
    """Ways to write an IPv4 address as the host of a URL."""
    number = int(ipaddress.IPv4Address(address))
    a, b, c, d = address.split(".")
    yield address
    yield f"{address}."
    yield str(number)
    yield f"{number:#x}"
    yield f"{number:#X}"
    yield f"0{number:o}"
    yield f"0x{int(a):x}.{b}.{c}.{d}"
    yield f"0{int(a):o}.{b}.{c}.{d}"
    yield ".".join(f"0x{int(part):02x}" for part in (a, b, c, d))
    yield ".".join(f"0{int(part):03o}" for part in (a, b, c, d))
    yield ".".join(part.zfill(3) for part in (a, b, c, d))
    yield f"{a}.{number & 0xFFFFFF}"
    yield f"{a}.{b}.{number & 0xFFFF}"
    yield address.replace(".", "%2e")
    yield address.replace(".", "\u3002")
    yield address.replace("1", "\u2460")
    yield address.replace("1", "\uff11")
    yield f"{int(a) + 256}.{b}.{c}.{d}"
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    yield f"[::ffff:{address}]"
    yield f"[::ffff:{high}:{low}]"
    yield f"[0:0:0:0:0:ffff:{high}:{low}]"
    yield f"[::{high}:{low}]"
    yield f"[::ffff:0:{high}:{low}]"
    yield f"[64:ff9b::{high}:{low}]"
    yield f"[64:ff9b:1::{high}:{low}]"
    yield f"[2002:{high}:{low}::1]"
    inverted = number ^ 0xFFFFFFFF
    yield f"[2001:0:{high}:{low}:0:ffff:{inverted >> 16:x}:{inverted & 0xFFFF:x}]"
    yield f"user:secret@{address}"
    yield f"public.example@{address}"
    yield f"public.example:80@{address}"
    yield f"{address}#@public.example"
    yield f"{address}?@public.example"
    yield f"{address}\\@public.example"
    yield f"public.example\\@{address}"
    yield f" {address}"
    yield f"{address}\t"
    yield f"{address}\r\nHost: public.example"


NAMES = (
    *("localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "a.localhost"),
    *("rebind.example", "private.example", "xn--private-9ua.example", "metadata.google.internal"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]"),
    *("[fec0::1]", "[2606:4700::5efe:7f00:1]", "[3fff::1]", "168.63.129.16"),
    *("[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::1%25lo]", "[v1.::1]", "[]", "", "."),
    *("\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3", "loc\u00adalhost"),
)
SCHEMES = ("gopher", "file", "ftp", "dict", "ldap", "unix", "jar", "data", "HTTP+unix", "//", "")
CORPUS = [
    *(f"http://{host}/v1" for victim in VICTIMS for host in spellings(victim)),
    *(f"{scheme}://{name}:8080/v1" for name in NAMES for scheme in ("http", "https")),
    *(f"{scheme}://127.0.0.1:6379/_x" for scheme in SCHEMES),
    *("http:127.0.0.1/v1", "http:/127.0.0.1/v1", "http:///127.0.0.1/v1", "http:\\\\127.0.0.1"),
    *("http://127.0.0.1:0x50/", "http://127.0.0.1:99999/", "http://[::1]:80:80/", "http://[::1"),
]

connects: list[Any] = []
watching = False


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event == "socket.connect":
        connects.append(arguments[1][0])
        raise ConnectionRefusedError


sys.addaudithook(watch)


class RebindingLoop(asyncio.SelectorEventLoop):
    """A loop whose resolver is the attacker's: any name is public once, and private ever after."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, int] = {}

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        if host is not None and str(host).strip(".").endswith("example"):
            self.asked[host] = self.asked.get(host, 0) + 1
            public = "rebind" in host and self.asked[host] == 1
            address = "8.8.8.8" if public else "127.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        options["flags"] = socket.AI_NUMERICHOST if host != "localhost" else 0
        return await super().getaddrinfo(host, port, **options)


@pytest.fixture
def loop() -> Iterator[RebindingLoop]:
    made = RebindingLoop()
    yield made
    made.close()


def test_the_corpus_is_large_enough() -> None:
    assert len(set(CORPUS)) >= 200


def dialled(loop: RebindingLoop, url: str, times: int = 2) -> list[str]:
    """The addresses that dialling a base URL connects to, after the catalog let it pass."""
    global watching
    try:
        parts = split_base_url(url)
    except ValueError:
        return []
    origin = Origin(parts.scheme, parts.host, parts.port, None, False)
    connects.clear()

    async def dial() -> None:
        with pytest.raises(GatewayError):
            await Pool(loop, PoolLimits(2, 60, 10)).dial(origin)

    watching = True
    try:
        for _ in range(times):
            loop.run_until_complete(dial())
    finally:
        watching = False
    return list(connects)


@pytest.mark.parametrize("url", CORPUS, ids=repr)
def test_no_spelling_connects_to_a_private_address(loop: RebindingLoop, url: str) -> None:
    for address in dialled(loop, url):
        assert is_public(address) and ipaddress.ip_address(address).is_global


def test_the_test_would_see_a_connect(loop: RebindingLoop) -> None:
    assert dialled(loop, "http://8.8.8.8/v1", 1) == ["8.8.8.8"]
    # The first look-up is public and dialled as it was checked; the second is private, and is not.
    assert dialled(loop, "http://rebind.example/v1") == ["8.8.8.8"]


def session_dialled(loop: RebindingLoop, url: str, times: int = 2) -> list[str]:
    """The same for a realtime session."""
    global watching
    try:
        parts = split_base_url(url)
    except ValueError:
        return []
    provider = Provider("p", "openai", parts.scheme, parts.host, parts.port, parts.path)
    connects.clear()

    async def open_session() -> None:
        with pytest.raises(GatewayError):
            await open_realtime(provider, "m", timeout_s=2, max_frame_bytes=1 << 20)

    watching = True
    try:
        for _ in range(times):
            loop.run_until_complete(open_session())
    finally:
        watching = False
    return list(connects)


@pytest.mark.parametrize("url", CORPUS, ids=repr)
def test_no_spelling_opens_a_session_at_a_private_address(loop: RebindingLoop, url: str) -> None:
    for address in session_dialled(loop, url):
        assert is_public(address) and ipaddress.ip_address(address).is_global


def test_the_test_would_see_a_sessions_connect(loop: RebindingLoop) -> None:
    assert session_dialled(loop, "http://8.8.8.8/v1", 1) == ["8.8.8.8"]
    # Asked about once when it is checked, and private when it is to be dialled.
    assert session_dialled(loop, "http://rebind.example/v1", 1) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "::1", "10.1."])
def test_a_proxy_is_not_asked_for_a_private_address_either(loop: RebindingLoop, host: str) -> None:
    global watching
    origin = Origin("http", host, 80, "http://8.8.4.4:3128", False)

    async def dial() -> None:
        with pytest.raises(GatewayError):
            await Pool(loop, PoolLimits(2, 60, 10)).dial(origin)

    connects.clear()
    watching = True
    try:
        loop.run_until_complete(dial())
    finally:
        watching = False
    assert connects == []


@pytest.fixture
async def two() -> AsyncIterator[list[FakeUpstream]]:
    async with routes.fakes(2) as started:
        yield started


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_neither_followed_nor_relayed(
    tmp_path: Path, two: list[FakeUpstream], status: int
) -> None:
    where = b"http://127.0.0.1:%d/v1/chat/completions" % two[1].port
    two[0].handler = raw(
        b"HTTP/1.1 %d Moved\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, where)
    )
    catalog = routes.providers(two[:1]) + routes.model([0])
    async with running(tmp_path / "data", catalog=catalog) as gateway:
        answer = await gateway.post(chat())
        assert (answer.status, answer.code) == (502, "upstream_bad_response")
        assert "Location" not in answer.headers and not two[1].requests
