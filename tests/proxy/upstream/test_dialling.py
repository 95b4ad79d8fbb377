"""Providers that cannot be reached: TLS that is not to be trusted, silence, RSTs.

Each gets the caller an error of the catalogue, costs nothing, and leaves nothing open. No byte of
a request, its provider's key least of all, goes out before the certificate was found good.
"""

import asyncio
import errno
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.certificates import certificate
from tests.fakes.gateway import CATALOG, RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream, reset

HERE = ipaddress.ip_address("127.0.0.1")
Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Got = list[bytes]


@pytest.fixture
async def got() -> AsyncIterator[Got]:
    """What the server below was sent, TLS removed."""
    yield []


async def serve(got: Got, context: ssl.SSLContext | None) -> asyncio.Server:
    """A provider behind TLS that answers nothing, and keeps what it reads."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            got.append(await reader.read(65_536))
            if context is None:
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            while await reader.read(65_536):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)


def over_tls(server: asyncio.Server) -> str:
    port = server.sockets[0].getsockname()[1]
    return CATALOG.format(port=port, disconnect="abort").replace("http://", "https://")


async def refused(gateway: RunningGateway, status: int, code: str) -> None:
    for body in (chat(), chat(stream=True)):
        answer = await gateway.post(body)
        assert (answer.status, answer.code) == (status, code)
    assert await gateway.balance_microusd() == 10_000_000
    await gateway.assert_nothing_leaked()
    assert gateway.plane.pool.open_connections() == 0


async def test_a_trusted_certificate_is_spoken_to(
    tmp_path: Path, got: Got, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, context = certificate(tmp_path, HERE)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    server = await serve(got, context)
    async with running(
        tmp_path / "data", catalog=over_tls(server), upstream_first_byte_timeout_s=0.5
    ) as gateway:
        answer = await gateway.post(chat())
        assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert got and got[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    server.close()


def old(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


CERTIFICATES: dict[str, tuple[bool, str, int, int, Callable[[Any], Any]]] = {
    "nobody trusts it": (False, "127.0.0.1", -1, 1, lambda context: context),
    "another name": (True, "127.0.0.2", -1, 1, lambda context: context),
    "expired": (True, "127.0.0.1", -9, -1, lambda context: context),
    "not yet valid": (True, "127.0.0.1", 1, 9, lambda context: context),
    "no TLS at all": (True, "127.0.0.1", -1, 1, lambda context: None),
}


@pytest.mark.parametrize("fault", CERTIFICATES)
async def test_a_bad_certificate_gets_not_one_byte(
    tmp_path: Path, got: Got, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    trusted, address, begins_h, ends_h, change = CERTIFICATES[fault]
    chain, context = certificate(
        tmp_path, ipaddress.ip_address(address), begins_h=begins_h, ends_h=ends_h
    )
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    server = await serve(got, change(context))
    async with running(
        tmp_path / "data", catalog=over_tls(server), upstream_connect_timeout_s=1.0
    ) as gateway:
        await refused(gateway, 502, "upstream_unreachable")
    assert b"sk-upstream-secret" not in b"".join(got) and b"POST" not in b"".join(got)
    server.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_tls_older_than_1_2_is_not_spoken(
    tmp_path: Path, got: Got, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, context = certificate(tmp_path, HERE)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    server = await serve(got, old(context))
    async with running(tmp_path / "data", catalog=over_tls(server)) as gateway:
        await refused(gateway, 502, "upstream_unreachable")
    assert b"".join(got) == b""
    server.close()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(5)
    writer.close()


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(5)
    reset(writer)


async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(5)
    writer.write(b"\x15\x03\x03\x00\x02\x02\x28")  # fatal: handshake_failure
    await writer.drain()
    writer.close()


HANDSHAKES: dict[str, tuple[Connected, int, str]] = {
    "hangs": (hang, 504, "upstream_timeout"),
    "closes": (hang_up, 502, "upstream_unreachable"),
    "resets": (cut, 502, "upstream_unreachable"),
    "refuses": (alert, 502, "upstream_unreachable"),
}


@pytest.mark.parametrize("fault", HANDSHAKES)
async def test_a_handshake_that_fails(tmp_path: Path, fault: str) -> None:
    connected, status, code = HANDSHAKES[fault]
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with running(
        tmp_path / "data", catalog=over_tls(server), upstream_connect_timeout_s=0.4
    ) as gateway:
        await refused(gateway, status, code)
    server.close()


async def test_a_resolver_that_hangs_holds_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = await FakeUpstream().start()
    async with running(tmp_path / "data", upstream, upstream_connect_timeout_s=0.4) as gateway:
        assert (await gateway.post(chat())).status == 200
        gateway.plane.pool.close()

        async def hangs(*_: Any, **__: Any) -> Any:
            await asyncio.sleep(3600)

        monkeypatch.setattr("gateway.proxy.upstream.pool.resolve", hangs)
        began_s = time.monotonic()
        asked = [asyncio.ensure_future(gateway.post(chat())) for _ in range(20)]
        async with gateway.session.get(gateway.url + "/healthz") as response:
            assert response.status == 200
        answers = await asyncio.gather(*asked)
        assert {(one.status, one.code) for one in answers} == {(504, "upstream_timeout")}
        assert time.monotonic() - began_s < 30
        await gateway.assert_nothing_leaked()
    await upstream.stop()


async def test_descriptors_that_are_used_up_are_our_fault_not_the_providers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller may try again, and no breaker opens."""
    upstream = await FakeUpstream().start()
    async with running(tmp_path / "data", upstream) as gateway:

        async def full(*_: Any, **__: Any) -> Any:
            raise OSError(errno.EMFILE, "Too many open files")

        with monkeypatch.context() as patched:
            patched.setattr("gateway.proxy.upstream.pool.resolve", full)
            for _ in range(20):
                answer = await gateway.post(chat())
                assert (answer.status, answer.code) == (503, "overloaded")
                assert answer.headers["Retry-After"]
        assert (await gateway.post(chat())).status == 200
        await gateway.assert_nothing_leaked()
    await upstream.stop()
