"""Slow, malformed and hostile clients: 4xx in the error shape, never 5xx, never a stall."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.fakes.upstream import DONE, SSE_HEAD, FakeUpstream, Received, chunk, framed, streaming


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(
        tmp_path / "data",
        upstream,
        server_header_timeout_s=0.8,
        server_body_timeout_s=0.8,
        server_keepalive_timeout_s=0.8,
        server_write_stall_timeout_s=1.0,
    ) as one:
        yield one


async def exchange(gateway: RunningGateway, data: bytes, wait_s: float = 5) -> bytes:
    """Send raw bytes; everything that comes back until the gateway closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(data)
        async with asyncio.timeout(wait_s):
            return await reader.read()
    finally:
        writer.close()


def request(gateway: RunningGateway, body: bytes, *lines: str, path: str = "") -> bytes:
    head = [
        f"POST {path or '/v1/chat/completions'} HTTP/1.1",
        "Host: h",
        f"Authorization: Bearer {gateway.key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


BODIES: dict[str, bytes] = {
    "empty": b"",
    "not json": b"hello",
    "truncated": b'{"model":"m"',
    "trailing": b'{"model":"m"}x',
    "array": b'["m"]',
    "number": b"1",
    "bom": b'\xef\xbb\xbf{"model":"m"}',
    "utf-16": '{"model":"m"}'.encode("utf-16"),
    "invalid utf-8": b'{"model":"m\xff"}',
    "nul": b'{"model":"m"}\x00',
    "nan": b'{"model":"m","n":NaN}',
    "duplicate": b'{"model":"m","model":"n"}',
    "no model": b"{}",
    "model null": b'{"model":null}',
    "model number": b'{"model":1}',
    "model long": b'{"model":"' + b"m" * 10_000 + b'"}',
    "stream text": b'{"model":"m","stream":"true"}',
    "stream number": b'{"model":"m","stream":1}',
    "n zero": b'{"model":"m","n":0}',
    "n million": b'{"model":"m","n":1000000}',
    "n fraction": b'{"model":"m","n":1.5}',
    "n true": b'{"model":"m","n":true}',
    "max negative": b'{"model":"m","max_tokens":-1}',
    "max huge": b'{"model":"m","max_tokens":9223372036854775808}',
    "max text": b'{"model":"m","max_tokens":"5"}',
    "max 1e999": b'{"model":"m","max_tokens":1e999}',
    "max of 100000 digits": b'{"model":"m","max_tokens":' + b"9" * 100_000 + b"}",
    "options text": b'{"model":"m","stream":true,"stream_options":"x"}',
    "options without stream": b'{"model":"m","stream_options":{"include_usage":true}}',
    "deep": b'{"model":"m","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
}


@pytest.mark.parametrize("name", BODIES)
async def test_bad_bodies_are_refused_in_the_error_shape(
    gateway: RunningGateway, upstream: FakeUpstream, name: str
) -> None:
    answer = await gateway.post(BODIES[name])
    assert 400 <= answer.status < 500
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    assert not upstream.requests
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("model", ["../x", "%", "_", "a\nb", "m'--", "sandbox/lorem/../x", "M"])
async def test_odd_model_names_are_not_found(gateway: RunningGateway, model: str) -> None:
    answer = await gateway.post({"model": model, "messages": []})
    assert (answer.status, answer.code) == (404, "model_not_found")


async def test_a_million_keys_and_many_parts_are_only_large(gateway: RunningGateway) -> None:
    body: dict[str, Any] = {f"k{number}": 1 for number in range(100_000)}
    answer = await gateway.post({**body, **chat()})
    assert answer.status == 200


async def test_wrong_media_is_refused(gateway: RunningGateway) -> None:
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data"},
        {"Content-Encoding": "gzip"},
    ):
        answer = await gateway.post(chat(), **headers)
        assert (answer.status, answer.code) == (415, "unsupported_media_type")


async def test_a_body_over_the_limit_is_refused_before_it_is_read(
    gateway: RunningGateway,
) -> None:
    start = request(gateway, b"").replace(b"Content-Length: 0", b"Content-Length: 33554433")
    answer = await exchange(gateway, start)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"body_too_large" in answer
    # Also to a client that reads only after it has sent a part of what is too much.
    answer = await exchange(gateway, start + b"x" * 8_000_000)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"body_too_large" in answer


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer sk-tg-wrong", "Basic x", "bearer\tx", "Bearer " + "x" * 9000],
)
async def test_wrong_keys_get_the_same_answer(gateway: RunningGateway, authorization: str) -> None:
    answer = await gateway.post(chat(), Authorization=authorization)
    assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert "x" * 100 not in answer.body.decode()


async def test_a_revoked_key_is_refused_at_the_next_request(gateway: RunningGateway) -> None:
    assert (await gateway.post(chat())).status == 200
    [key] = await gateway.command("keys.list", email=EMAIL)
    await gateway.command("keys.revoke", key=key["id"])
    assert (await gateway.post(chat())).status == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("POST", "/v1/images/variations", 501),
        ("POST", "/v1/audio/voices", 501),
        ("GET", "/v1/files", 501),
        ("POST", "/v1/batches", 501),
        ("GET", "/v1/realtime", 400),
        ("POST", "/v1/nonsense", 404),
        ("GET", "/v1/", 404),
        ("POST", "/v1//chat/completions", 404),
        ("POST", "/v1/chat/completions/", 501),
        ("POST", "/v1/../v1/chat/completions", 404),
        ("POST", "/v1/%63hat/completions", 404),
        ("GET", "/v1/models/nope", 404),
    ],
)
async def test_other_addresses_answer_in_the_error_shape(
    gateway: RunningGateway, method: str, path: str, status: int
) -> None:
    answer = await exchange(
        gateway,
        request(gateway, b"", "Connection: close", path=path).replace(b"POST", method.encode(), 1),
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status, answer
    assert json.loads(body)["error"]["code"]
    assert b"x-request-id: req_" in head


async def test_models_are_listed_with_a_key_only(gateway: RunningGateway) -> None:
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.session.get(gateway.url + "/v1/models", headers=headers) as response:
        names = {model["id"] for model in (await response.json())["data"]}
    assert {"m", "sandbox/echo", "sandbox/lorem"} <= names
    async with gateway.session.get(gateway.url + "/v1/models/m", headers=headers) as response:
        assert (await response.json())["id"] == "m"
    async with gateway.session.get(gateway.url + "/v1/models") as response:
        assert response.status == 401


async def test_slow_headers_and_bodies_meet_their_deadline(gateway: RunningGateway) -> None:
    whole = request(gateway, json.dumps(chat()).encode())
    for sent in (whole[:30], whole[:-5]):
        answer = await exchange(gateway, sent)
        assert answer.startswith(b"HTTP/1.1 408 ") and b"request_timeout" in answer
    assert await exchange(gateway, b"") == b""
    answer = await exchange(gateway, b"GET /healthz HTTP/1.1\r\nHost: h\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_trickled_request_meets_its_deadline_too(gateway: RunningGateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    whole = request(gateway, json.dumps(chat()).encode())
    answer = asyncio.ensure_future(reader.read())
    async with asyncio.timeout(10):
        for byte in whole:
            if answer.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
    assert (await answer).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_client_that_reads_nothing_is_cut_and_its_provider_waits(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    sent = 0

    async def flood(received: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(SSE_HEAD)
        for _ in range(4000):
            data = framed(chunk("x" * 8000))
            writer.write(data)
            await writer.drain()
            sent += len(data)

    upstream.handler = flood
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(request(gateway, json.dumps(chat(stream=True)).encode()))
    async with asyncio.timeout(15):
        while not upstream.closed_early:
            await asyncio.sleep(0.05)
    assert sent < 32_000_000  # the rest was never read from the provider
    writer.transport.abort()
    await gateway.assert_nothing_leaked()
    [row] = await gateway.rows()
    assert row["outcome"] == "client_gone"


async def test_pipelined_requests_are_answered_in_order(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    one = request(gateway, json.dumps(chat()).encode())
    models = f"GET /v1/models/m HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {gateway.key}\r\n\r\n"
    last = one.replace(b"Host: h", b"Host: h\r\nConnection: close")
    answer = await exchange(gateway, one + models.encode() + one + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.index(b'"object":"model"') > answer.index(b"chat.completion")


async def test_console_and_api_share_a_connection(gateway: RunningGateway) -> None:
    """A browser's kept-alive connection asks for pages and for `/v1/` in turns."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)

    async def answer() -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        return head + await reader.readexactly(size)

    for _ in range(3):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b" 200 " in await answer()
        writer.write(request(gateway, json.dumps(chat()).encode()))
        assert b"chat.completion" in await answer()
        for byte in b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert b" 200 " in await answer()
    writer.close()


async def test_http_1_0_gets_a_stream_up_to_the_close(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = streaming(chunk("a"), DONE)
    data = request(gateway, json.dumps(chat(stream=True)).encode())
    answer = await exchange(gateway, data.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == chunk("a") + DONE


async def test_expect_100_continue_is_answered(gateway: RunningGateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    whole = request(gateway, json.dumps(chat()).encode(), "Expect: 100-continue")
    head, _, body = whole.partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    writer.close()
