"""Realtime sessions through a fake provider: relayed, charged turn by turn, cut without credit."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.fakes.gateway import RunningGateway, running
from tests.fakes.media import media_catalog

USAGE = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 13,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}
COST = 55 * 4_000_000 + 64 * 400_000 + 13 * 32_000_000 + 30 * 16_000_000 + 91 * 64_000_000
Play = Callable[[web.WebSocketResponse], Awaitable[None]]


def done(usage: Any = USAGE) -> dict[str, Any]:
    return {"type": "response.done", "response": {"status": "completed", "usage": usage}}


class FakeRealtime:
    """Answers each `response.create` with a delta and a `response.done`, or as `play` says."""

    def __init__(self) -> None:
        self.heads: list[Any] = []
        self.frames: list[Any] = []
        self.usage: Any = USAGE
        self.play: Play | None = None
        self.closed = asyncio.Event()
        self.port = 0

    async def _open(self, request: web.Request) -> web.StreamResponse:
        self.heads.append((request.query_string, dict(request.headers)))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "session.created"})
        if self.play is not None:
            await self.play(socket)
        async for message in socket:
            frame = json.loads(message.data)
            self.frames.append(frame)
            if frame["type"] == "response.create":
                await socket.send_json({"type": "response.output_text.delta", "delta": "hi"})
                await socket.send_json(done(self.usage))
        self.closed.set()
        return socket

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/realtime", self._open)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()


@pytest.fixture
async def upstream() -> AsyncIterator[FakeRealtime]:
    fake = FakeRealtime()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeRealtime) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", catalog=media_catalog(upstream.port)) as one:
        yield one
        await one.assert_nothing_leaked()


@contextlib.asynccontextmanager
async def session(
    gateway: RunningGateway, model: str = "realtime", **options: Any
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    options.setdefault("headers", {"Authorization": f"Bearer {gateway.key}", "X-Client": "me"})
    url = f"{gateway.url}/v1/realtime?model={model}"
    async with gateway.session.ws_connect(url, **options) as socket:
        yield socket


async def read(socket: aiohttp.ClientWebSocketResponse) -> Any:
    async with asyncio.timeout(10):
        return await socket.receive_json()


async def test_each_answer_is_charged_before_its_end_is_shown(gateway, upstream):
    async with session(gateway) as socket:
        assert (await read(socket))["type"] == "session.created"
        named = socket._response.headers["x-request-id"]
        for turn in range(1, 3):
            await socket.send_json({"type": "response.create"})
            assert (await read(socket))["delta"] == "hi"
            assert (await read(socket))["type"] == "response.done"
            rows = await gateway.command("requests.list", limit=10)
            assert [row["cost_picousd"] for row in rows] == [COST] * turn
    query, headers = upstream.heads[0]
    assert query == "model=up-realtime"
    assert headers["Authorization"] == "Bearer sk-upstream-secret"
    assert gateway.key not in str(headers) and "X-Client" not in headers
    await asyncio.wait_for(upstream.closed.wait(), 5)
    rows = await gateway.rows()
    row = rows[-1]
    assert (row["endpoint"], row["basis"], row["outcome"]) == ("realtime", "reported", "completed")
    assert row["id"] == named
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (55, 64, 30)
    assert row["units"] == {"audio_input": 13, "audio_output": 91}
    assert rows[0]["cost_picousd"] == 0  # the turn that nobody began
    assert await gateway.balance_microusd() == 10_000_000 - 2 * COST // 10**6


async def test_an_answer_cut_off_is_charged_by_what_passed(gateway, upstream):
    async def play(socket: web.WebSocketResponse) -> None:
        audio = base64.b64encode(b"\0" * 48_000).decode()
        await socket.send_json({"type": "response.output_audio.delta", "delta": audio})

    upstream.play = play
    async with session(gateway) as socket:
        await read(socket)
        await socket.send_json({"type": "input_audio_buffer.append", "audio": "AAAA" * 1600})
        assert (await read(socket))["type"] == "response.output_audio.delta"
        await asyncio.sleep(0.1)
    row = (await gateway.rows(1))[0]
    assert row["basis"] == "measured"
    assert row["units"] == {"audio_input": 1, "audio_output": 20}


async def test_a_report_that_cannot_be_believed_is_replaced_by_the_estimate(gateway, upstream):
    upstream.usage = {"input_tokens": -5, "output_tokens": 10**30}
    async with session(gateway) as socket:
        await read(socket)
        await socket.send_json({"type": "response.create"})
        await read(socket)
        await read(socket)
    row = (await gateway.rows(2))[-1]
    assert row["output_tokens"] == 1 and row["units"] == {}


async def test_a_transcript_of_the_callers_audio_is_charged(gateway, upstream):
    async def play(socket: web.WebSocketResponse) -> None:
        kind = "conversation.item.input_audio_transcription.completed"
        await socket.send_json({"type": kind, "usage": {"type": "duration", "seconds": 3}})

    upstream.play = play
    async with session(gateway) as socket:
        await read(socket)
        await read(socket)
    assert (await gateway.rows(2))[-1]["units"] == {"audio_input": 30}


async def test_the_session_ends_when_the_credit_does(tmp_path, upstream):
    async with running(
        tmp_path / "data", catalog=media_catalog(upstream.port), credit_usd="0.39"
    ) as poor:
        async with session(poor) as socket:
            await read(socket)
            await socket.send_json({"type": "response.create"})
            await read(socket)
            assert (await read(socket))["type"] == "response.done"
            said = await read(socket)
            assert said["type"] == "error" and said["error"]["code"] == "insufficient_credit"
            assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSE,)
            assert socket.close_code == 1008
        await asyncio.wait_for(upstream.closed.wait(), 5)
        await poor.assert_nothing_leaked()


@pytest.mark.parametrize(
    ("model", "key", "code"),
    [
        ("nothing", None, 404),
        ("painter", None, 503),
        ("judge", None, 503),
        ("realtime", "sk-tg-wrong", 401),
        ("", None, 400),
    ],
)
async def test_refusals_come_before_the_handshake(gateway, upstream, model, key, code):
    headers = {"Authorization": f"Bearer {key or gateway.key}"}
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with session(gateway, model, headers=headers):
            pass
    assert caught.value.status == code and upstream.heads == []


async def test_a_key_may_come_as_a_subprotocol(gateway, upstream):
    protocols = ("realtime", f"openai-insecure-api-key.{gateway.key}")
    async with session(gateway, headers={}, protocols=protocols) as socket:
        assert socket.protocol == "realtime"
        assert (await read(socket))["type"] == "session.created"


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "session.update", "session": {"model": "dearer"}}',
        '{"type": "session.\\u0075pdate", "session": {"\\u006dodel": "dearer"}}',
        "not json",
        b"binary",
    ],
)
async def test_frames_that_cannot_be_metered_end_the_session(gateway, upstream, frame):
    async with session(gateway) as socket:
        await read(socket)
        await (socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_str(frame))
        assert (await read(socket))["error"]["code"] == "invalid_request"
    assert upstream.frames == []


@pytest.mark.parametrize(
    ("frame", "param"),
    [
        (
            {"type": "session.update", "session": {"tools": [{"type": "mcp"}]}},
            "session.tools[0].type",
        ),
        (
            {"type": "response.create", "response": {"tools": [{"type": "web_search"}]}},
            "response.tools[0].type",
        ),
        ({"type": "session.update", "session": {"prompt": {"id": "p"}}}, "session.prompt"),
    ],
)
async def test_what_runs_or_is_kept_at_the_provider_is_refused(gateway, upstream, frame, param):
    async with session(gateway) as socket:
        await read(socket)
        tools = [{"type": "function", "name": "f"}]
        await socket.send_json({"type": "session.update", "session": {"tools": tools}})
        await socket.send_json(frame)
        error = (await read(socket))["error"]
    assert (error["code"], error["param"]) == ("field_not_served", param)
    await asyncio.wait_for(upstream.closed.wait(), 5)
    assert frame not in upstream.frames and len(upstream.frames) == 1


async def test_frames_are_bounded(tmp_path, upstream):
    async with running(
        tmp_path / "data", catalog=media_catalog(upstream.port), upstream_max_event_bytes=100_000
    ) as gateway:
        async with session(gateway) as socket:
            await read(socket)
            await socket.send_str('{"type": "x", "pad": "' + "x" * 200_000 + '"}')
            async with asyncio.timeout(5):
                while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
            assert socket.close_code == 1009
        assert upstream.frames == []


async def test_a_provider_that_breaks_off_is_said_so(gateway, upstream):
    async def play(socket: web.WebSocketResponse) -> None:
        await socket.close(code=1011)

    upstream.play = play
    async with session(gateway) as socket:
        await read(socket)
        assert (await read(socket))["error"]["code"] == "upstream_truncated"


async def test_a_stop_ends_sessions_and_charges_them(tmp_path, upstream):
    async with (
        running(tmp_path / "data", catalog=media_catalog(upstream.port)) as gateway,
        session(gateway) as socket,
    ):
        await read(socket)
        stopping = asyncio.create_task(gateway.gateway.server.stop(0.1))
        assert (await read(socket))["error"]["code"] == "shutting_down"
        await socket.receive()
        await stopping


async def test_a_head_in_pieces_reaches_the_right_door(gateway, upstream):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = (
        f"GET /v1/realtime?model=realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {gateway.key}\r\n\r\n"
    ).encode()
    for at in range(len(head)):
        writer.write(head[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
    writer.close()


async def test_no_key_or_organisation_comes_back_in_a_providers_words(gateway, upstream):
    words = "Incorrect sk-up-secret1234 of organization org-abcd1234"

    async def fail(socket: web.WebSocketResponse) -> None:
        await socket.send_json({"type": "error", "error": {"type": "x", "message": words}})
        await socket.send_json({"type": "response.output_text.delta", "delta": "org-abcd1234"})
        failed = done()
        failed["response"] |= {"status": "failed", "status_details": {"error": {"message": words}}}
        await socket.send_json(failed)

    upstream.play = fail
    async with session(gateway) as socket:
        assert (await read(socket))["type"] == "session.created"
        told = await read(socket)
        assert told["error"]["message"] == "Incorrect [removed] of organization [removed]"
        assert (await read(socket))["delta"] == "org-abcd1234", "what the model says is its own"
        told = (await read(socket))["response"]["status_details"]["error"]["message"]
        assert told == "Incorrect [removed] of organization [removed]"
