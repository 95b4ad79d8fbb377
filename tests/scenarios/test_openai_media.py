"""The official `openai` SDK on media endpoints; nothing it sends or gets reaches the disk."""

import base64
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.fakes.canary import Canaries
from tests.fakes.gateway import RunningGateway, running
from tests.fakes.media import media_catalog, wav
from tests.fakes.upstream import FakeUpstream, answering, framed, raw
from tests.proxy.realtime.test_sessions import FakeRealtime

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    catalog = media_catalog(upstream.port)
    async with running(tmp_path / "data", catalog=catalog, log_requests=True) as one:
        yield one
        await one.assert_nothing_leaked()


@pytest.fixture
async def client(gateway: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=gateway.url + "/v1", api_key=gateway.key, max_retries=0) as one:
        yield one


def events(*payloads: dict[str, Any]) -> Any:
    lines = [b"data: " + json.dumps(payload).encode() + b"\n\n" for payload in payloads]
    return raw(SSE, *map(framed, lines), b"0\r\n\r\n")


async def test_images(client: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.handler = answering({"created": 1, "data": [{"b64_json": "AAAA"}]})
    made = await client.images.generate(model="painter", prompt="a cat", size="1024x1024")
    assert made.data is not None and made.data[0].b64_json == "AAAA"
    edited = await client.images.edit(
        model="painter", image=[("a.png", b"\x89PNG")], prompt="a dog", n=1
    )
    assert edited.data is not None and len(edited.data) == 1
    upstream.handler = events(
        {"type": "image_generation.partial_image", "b64_json": "AA", "partial_image_index": 0},
        {
            "type": "image_generation.completed",
            "b64_json": "AAAA",
            "usage": {"input_tokens": 5, "output_tokens": 272, "total_tokens": 277},
        },
    )
    stream = await client.images.generate(model="gpt-image", prompt="a cat", stream=True)
    assert [event.type async for event in stream][-1] == "image_generation.completed"


async def test_speech(client: AsyncOpenAI, upstream: FakeUpstream) -> None:
    audio = b"\xff\xf3" * 20_000
    head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: %d\r\n\r\n"
    upstream.handler = raw(head % len(audio), audio[:9_000], audio[9_000:])
    spoken = await client.audio.speech.create(model="speaker", input="hello", voice="alloy")
    assert spoken.content == audio
    async with client.audio.speech.with_streaming_response.create(
        model="speaker", input="hello", voice="alloy"
    ) as response:
        assert b"".join([piece async for piece in response.iter_bytes()]) == audio


async def test_transcriptions(client: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.handler = answering({"text": "hi", "usage": {"type": "duration", "seconds": 3}})
    file = ("ann.wav", wav(3))
    assert (await client.audio.transcriptions.create(model="whisper", file=file)).text == "hi"
    with pytest.deprecated_call():
        translated = client.audio.translations.create(model="whisper", file=file)
    assert (await translated).text == "hi"
    usage = {"type": "tokens", "input_tokens": 30, "output_tokens": 2, "total_tokens": 32}
    upstream.handler = events(
        {"type": "transcript.text.delta", "delta": "hi"},
        {"type": "transcript.text.done", "text": "hi", "usage": usage},
    )
    stream = await client.audio.transcriptions.create(model="listener", file=file, stream=True)
    assert [event.type async for event in stream] == [
        "transcript.text.delta",
        "transcript.text.done",
    ]


async def test_moderations(client: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.handler = answering({"id": "m", "model": "x", "results": []})
    assert (await client.moderations.create(model="judge", input="hello")).id == "m"


async def test_realtime(tmp_path: Path) -> None:
    upstream = FakeRealtime()
    await upstream.start()
    async with (
        running(tmp_path / "data", catalog=media_catalog(upstream.port)) as gateway,
        AsyncOpenAI(base_url=gateway.url + "/v1", api_key=gateway.key) as client,
    ):
        async with client.realtime.connect(model="realtime") as connection:
            assert (await connection.recv()).type == "session.created"
            await connection.response.create()
            seen = [(await connection.recv()).type for _ in range(2)]
            assert seen == ["response.output_text.delta", "response.done"]
        assert (await gateway.rows())[-1]["basis"] == "reported"
        await gateway.assert_nothing_leaked()
    await upstream.stop()


async def test_nothing_sent_or_answered_reaches_disk_or_log(
    gateway: RunningGateway,
    upstream: FakeUpstream,
    client: AsyncOpenAI,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    canaries = Canaries()
    upstream.handler = answering({"data": [{"b64_json": canaries.word("picture")}]})
    await client.images.generate(model="painter", prompt=canaries.word("prompt"))
    upstream.handler = answering({"text": canaries.word("transcript")})
    sound = canaries.word("sound")
    file = (canaries.word("filename") + ".wav", wav(1, sound.encode()))
    await client.audio.transcriptions.create(
        model="whisper", file=file, prompt=canaries.word("hint")
    )
    upstream.handler = raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nConnection: close\r\n\r\n",
        canaries.word("audio").encode(),
    )
    await client.audio.speech.create(
        model="speaker", input=canaries.word("speech"), voice=canaries.word("voice")
    )
    upstream.handler = answering({"error": {"message": canaries.word("error")}}, 500)
    for path, body in (
        ("moderations", {"model": "judge", "input": canaries.word("moderated")}),
        ("rerank", {"model": "ranker", "query": canaries.word("query"), "documents": ["d"]}),
    ):
        assert (await gateway.post(body, f"/v1/{path}")).status == 502
    await gateway.settled()
    assert canaries.found_under(gateway.data_dir) == {}
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert canaries.found_in(logged.encode()) == set()
    for request in upstream.requests:
        name = base64.b64encode(file[0].encode())
        assert file[0].encode() not in request.body and name not in request.body
