"""Media endpoints through a fake provider: what is asked, relayed and charged, exactly."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import RunningGateway, running
from tests.fakes.media import form, media_catalog, wav
from tests.fakes.upstream import FakeUpstream, Received, answering, completion, framed, raw

PNG = base64.b64encode(b"picture" * 500).decode()


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", catalog=media_catalog(upstream.port)) as one:
        yield one
        await one.assert_nothing_leaked()


async def last(gateway: RunningGateway) -> dict[str, Any]:
    return (await gateway.rows(1))[0]


async def paint(gateway: RunningGateway, model: str = "painter", **more: Any) -> Any:
    return await gateway.post({"model": model, "prompt": "a cat", **more}, "/v1/images/generations")


async def hear(gateway: RunningGateway, model: str, seconds: int = 3, **fields: str) -> Any:
    body, kind = form({"model": model, **fields}, {"file": ("call of Ann.wav", wav(seconds))})
    headers = {"Content-Type": kind}
    return await gateway.post(body, "/v1/audio/transcriptions", **headers)


# --- images --------------------------------------------------------------------------------------


async def test_images_are_charged_by_the_piece(gateway, upstream):
    upstream.handler = answering({"created": 1, "data": [{"url": "https://x/1"}] * 2})
    answer = await paint(gateway, n=2, quality="hd", size="1024x1792")
    assert answer.status == 200 and len(answer.json["data"]) == 2
    assert upstream.requests[0].json["model"] == "up-painter"
    row = await last(gateway)
    assert row["endpoint"] == "images" and row["basis"] == "measured"
    assert row["units"] == {"image_hd_1024x1792": 2}
    assert row["cost_picousd"] == 24 * 10**10


async def test_fewer_images_than_asked_cost_less_and_none_costs_nothing(gateway, upstream):
    upstream.handler = answering({"data": [{"url": "u"}]})
    await paint(gateway, n=4, size="512x512", quality="standard")
    assert (await last(gateway))["cost_picousd"] == 4 * 10**10
    upstream.handler = answering({"data": []})
    await paint(gateway, n=4)
    row = await last(gateway)
    assert (row["basis"], row["cost_picousd"]) == ("none", 0)


async def test_images_are_charged_by_reported_tokens(gateway, upstream):
    usage = {
        "input_tokens": 50,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        "output_tokens": 4160,
        "total_tokens": 4210,
    }
    upstream.handler = answering({"data": [{"b64_json": PNG}], "usage": usage})
    await paint(gateway, "gpt-image", quality="high", size="1024x1024")
    row = await last(gateway)
    assert row["basis"] == "reported" and row["input_tokens"] == 10
    assert row["units"] == {"image_input": 40, "image_output": 4160}
    assert row["cost_picousd"] == 10 * 5_000_000 + 40 * 10_000_000 + 4160 * 40_000_000


@pytest.mark.parametrize(
    "usage", [None, {"input_tokens": -1, "output_tokens": 10}, {"output_tokens": 10**30}]
)
async def test_without_a_sane_report_images_cost_their_published_tokens(gateway, upstream, usage):
    upstream.handler = answering({"data": [{"b64_json": PNG}], "usage": usage})
    await paint(gateway, "gpt-image", quality="low", size="1024x1024")
    row = await last(gateway)
    assert row["basis"] == "measured" and row["units"] == {"image_output": 272}


async def test_streamed_images_pass_as_events_and_their_end_waits_for_the_charge(gateway, upstream):
    events = [
        {"type": "image_generation.partial_image", "b64_json": PNG, "partial_image_index": 0},
        {
            "type": "image_generation.completed",
            "b64_json": PNG,
            "usage": {"input_tokens": 8, "output_tokens": 1056},
        },
    ]
    lines = [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events]
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    upstream.handler = raw(head, *map(framed, lines), b"0\r\n\r\n")
    answer = await paint(gateway, "gpt-image", stream=True, partial_images=1)
    assert answer.body == b"".join(lines)
    row = await last(gateway)
    assert row["units"] == {"image_output": 1056} and row["input_tokens"] == 8
    assert row["outcome"] == "completed"


async def test_edits_take_a_form(gateway, upstream):
    upstream.handler = answering({"data": [{"b64_json": PNG}]})
    body, kind = form(
        {"model": "painter", "prompt": "a dog", "n": "1"}, {"image[]": ("me.png", b"\x89PNG")}
    )
    answer = await gateway.post(body, "/v1/images/edits", **{"Content-Type": kind})
    assert answer.status == 200
    sent = upstream.requests[0]
    assert b"up-painter" in sent.body and b'filename="file.png"' in sent.body
    assert b"XYZ" not in sent.body and b"me.png" not in sent.body
    assert (await last(gateway))["cost_picousd"] == 12 * 10**10  # of unknown size: the dearest


# --- speech --------------------------------------------------------------------------------------


async def test_speech_is_relayed_and_charged_by_characters(gateway, upstream):
    audio = bytes(range(256)) * 100
    head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: %d\r\n\r\n" % len(audio)
    upstream.handler = raw(head, audio[:9000], audio[9000:])
    answer = await gateway.post(
        {"model": "speaker", "input": "h\u00e9llo \U0001f600", "voice": "alloy"}, "/v1/audio/speech"
    )
    assert answer.body == audio and answer.headers["content-type"] == "audio/mpeg"
    row = await last(gateway)
    assert row["units"] == {"character": 7} and row["cost_picousd"] == 7 * 15_000_000


async def test_speech_that_breaks_off_is_cut_and_charged(gateway, upstream):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 90000\r\n\r\n"
    upstream.handler = raw(head, b"x" * 9000, b"y" * 9000)
    with pytest.raises(Exception):  # noqa: B017 - the connection is cut inside the body
        await gateway.post({"model": "speaker", "input": "hello"}, "/v1/audio/speech")
    row = await last(gateway)
    assert row["outcome"] == "upstream_failed" and row["units"] == {"character": 5}


async def test_an_error_before_any_audio_is_free(gateway, upstream):
    upstream.handler = answering({"error": {"message": "no"}}, 400)
    answer = await gateway.post({"model": "speaker", "input": "hello"}, "/v1/audio/speech")
    assert answer.code == "upstream_rejected"
    assert (await last(gateway))["cost_picousd"] == 0


async def test_a_client_that_leaves_pays_for_the_speech_it_began(gateway, upstream):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 90000\r\n\r\n"
    upstream.handler = raw(head, b"x" * 9000, b"y" * 9000, then="hang")
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(1):
            await gateway.post({"model": "speaker", "input": "hello"}, "/v1/audio/speech")
    row = await last(gateway)
    assert row["outcome"] == "client_gone" and row["units"] == {"character": 5}


# --- transcription -------------------------------------------------------------------------------


async def test_audio_is_charged_by_the_reported_duration(gateway, upstream):
    usage = {"type": "duration", "seconds": 4}
    upstream.handler = answering({"text": "hi", "usage": usage})
    answer = await hear(gateway, "whisper")
    assert answer.json["text"] == "hi"
    sent = upstream.requests[0]
    assert b"up-whisper" in sent.body and b"Ann" not in sent.body and wav(3) in sent.body
    row = await last(gateway)
    assert (row["basis"], row["units"]) == ("reported", {"audio_hour": 4000})
    assert row["cost_picousd"] == 4000 * 100_000


@pytest.mark.parametrize("seconds", [-1, 1e300, "4", True, None])
async def test_audio_without_a_sane_report_is_charged_as_measured(gateway, upstream, seconds):
    upstream.handler = answering({"text": "hi", "usage": {"type": "duration", "seconds": seconds}})
    await hear(gateway, "whisper")
    row = await last(gateway)
    assert (row["basis"], row["units"]) == ("measured", {"audio_hour": 3000})


async def test_plain_text_and_verbose_answers(gateway, upstream):
    upstream.handler = raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n",
        b"Content-Length: 3\r\n\r\nhi\n",
        then="hang",
    )
    answer = await hear(gateway, "whisper", response_format="text")
    assert answer.body == b"hi\n" and answer.headers["content-type"].startswith("text/plain")
    assert (await last(gateway))["units"] == {"audio_hour": 3000}
    upstream.handler = answering({"text": "hi", "duration": 2.5, "segments": []})
    await hear(gateway, "whisper", response_format="verbose_json")
    assert (await last(gateway))["units"] == {"audio_hour": 2500}


async def test_audio_is_charged_by_reported_tokens(gateway, upstream):
    usage = {
        "type": "tokens",
        "input_tokens": 35,
        "input_token_details": {"text_tokens": 5, "audio_tokens": 30},
        "output_tokens": 10,
        "total_tokens": 45,
    }
    upstream.handler = answering({"text": "hi", "usage": usage})
    await hear(gateway, "listener", prompt="names")
    row = await last(gateway)
    assert (row["input_tokens"], row["output_tokens"]) == (5, 10)
    assert row["units"] == {"audio_input": 30}
    assert row["cost_picousd"] == 5 * 2_500_000 + 10 * 10_000_000 + 30 * 6_000_000


async def test_a_streamed_transcript(gateway, upstream):
    done = {
        "type": "transcript.text.done",
        "text": "hi",
        "usage": {"type": "tokens", "input_tokens": 30, "output_tokens": 4},
    }
    delta = {"type": "transcript.text.delta", "delta": "hi"}
    events = [f"data: {json.dumps(e)}\n\n".encode() for e in (delta, done)]
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    upstream.handler = raw(head, *map(framed, events), b"0\r\n\r\n")
    answer = await hear(gateway, "listener", stream="true")
    assert answer.body == b"".join(events)
    assert (await last(gateway))["units"] == {"audio_input": 30}


# --- moderations, rerank -------------------------------------------------------------------------


async def test_moderations_are_charged_by_their_tokens(gateway, upstream):
    upstream.handler = answering({"id": "m", "results": [{"flagged": False}]})
    answer = await gateway.post(
        {"model": "judge", "input": ["hello world", "x"]}, "/v1/moderations"
    )
    assert answer.json["results"]
    row = await last(gateway)
    assert row["input_tokens"] == 3 and row["cost_picousd"] == 3_000_000


@pytest.mark.parametrize(
    ("meta", "searches", "basis"),
    [
        ({"billed_units": {"search_units": 3}}, 3, "reported"),
        ({"billed_units": {"search_units": 3.0}}, 3, "reported"),
        ({"billed_units": {"search_units": -3}}, 2, "measured"),
        (None, 2, "measured"),
    ],
)
async def test_searches(gateway, upstream, meta, searches, basis):
    upstream.handler = answering({"results": [], "meta": meta})
    asked = {"model": "ranker", "query": "q", "documents": ["d"] * 101}
    await gateway.post(asked, "/v1/rerank")
    row = await last(gateway)
    assert (row["units"], row["basis"]) == ({"search": searches}, basis)
    assert row["cost_picousd"] == searches * 2 * 10**9


async def test_a_reranker_of_tokens_reads_the_query_with_every_document(gateway, upstream):
    upstream.handler = answering({"results": []})
    asked = {"model": "token-ranker", "query": "hello", "documents": ["hello", {"text": "hello"}]}
    await gateway.post(asked, "/v1/rerank")
    assert (await last(gateway))["input_tokens"] == 4
    upstream.handler = answering({"results": [], "usage": {"total_tokens": 9}})
    await gateway.post(asked, "/v1/rerank")
    row = await last(gateway)
    assert (row["input_tokens"], row["basis"]) == (9, "reported")


# --- what is refused -----------------------------------------------------------------------------


async def test_what_has_no_price_is_refused_unasked(gateway, upstream):
    for model in ("free-form", "whisper"):
        assert (await paint(gateway, model)).code == "model_not_priced"
        spoken = {"model": model, "input": "x"}
        assert (await gateway.post(spoken, "/v1/audio/speech")).code == "model_not_priced"
    assert (await hear(gateway, "free-form")).code == "model_not_priced"
    asked = {"model": "whisper", "query": "q", "documents": ["d"]}
    assert (await gateway.post(asked, "/v1/rerank")).code == "model_not_priced"
    assert (await gateway.post({"model": "whisper", "input": "x"}, "/v1/moderations")).status == 503
    chat = {"model": "whisper", "messages": [{"role": "user", "content": "x"}]}
    assert (await gateway.post(chat)).code == "model_not_priced"
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("images/generations", {"model": "painter"}, "prompt"),
        ("images/generations", {"model": "painter", "prompt": "x", "n": 0}, "n"),
        ("images/generations", {"model": "painter", "prompt": "x", "n": 17}, "n"),
        ("images/generations", {"model": "painter", "prompt": "x", "size": 3}, "size"),
        ("images/generations", {"model": "painter", "prompt": "x", "n": 2, "stream": True}, "n"),
        ("audio/speech", {"model": "speaker", "input": 3}, "input"),
        ("audio/speech", {"model": "speaker", "input": "x", "stream_format": "x"}, "stream_format"),
        ("moderations", {"model": "judge"}, "input"),
        ("moderations", {"model": "judge", "input": "x", "stream": True}, "stream"),
        ("rerank", {"model": "ranker", "query": "x", "documents": []}, "documents"),
        ("rerank", {"model": "ranker", "documents": ["x"]}, "query"),
        ("rerank", {"query": "x", "documents": ["x"]}, "model"),
    ],
)
async def test_wrong_fields_are_named(gateway, upstream, path, body, param):
    answer = await gateway.post(body, f"/v1/{path}")
    assert answer.status == 400 and answer.json["error"]["param"] == param
    assert upstream.requests == []


async def test_wrong_bodies(gateway, upstream):
    path = "/v1/audio/transcriptions"
    kind = {"Content-Type": "multipart/form-data; boundary=XYZ"}
    assert (await gateway.post({"model": "whisper"}, path)).status == 415
    assert (await gateway.post(b"--XYZ\r\n", path, **kind)).code == "invalid_request"
    assert (await gateway.post(b"junk", path, **kind)).code == "invalid_request"
    body, _ = form({"model": "whisper"}, {})
    assert (await gateway.post(body, path, **kind)).json["error"]["param"] == "file"
    body, _ = form({}, {"file": ("a.wav", b"x")})
    assert (await gateway.post(body, path, **kind)).json["error"]["param"] == "model"
    assert upstream.requests == []


async def test_what_credit_does_not_cover_is_refused(tmp_path, upstream):
    async with running(
        tmp_path / "data", catalog=media_catalog(upstream.port), credit_usd="0.05"
    ) as poor:
        answer = await paint(poor, n=2, size="512x512", quality="standard")
        assert answer.code == "insufficient_credit" and upstream.requests == []


async def test_a_vanished_client_is_noticed_while_a_picture_is_made(gateway, upstream):
    async def slow(request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    upstream.handler = slow
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.5):
            await paint(gateway)
    row = await last(gateway)
    assert (row["outcome"], row["cost_picousd"]) == ("client_gone", 0)


async def test_audio_in_a_chat_is_charged_at_its_own_price(gateway, upstream):
    usage = {
        "prompt_tokens": 50,
        "prompt_tokens_details": {"audio_tokens": 30, "text_tokens": 20, "cached_tokens": 0},
        "completion_tokens": 9,
        "completion_tokens_details": {"audio_tokens": 5, "text_tokens": 4},
    }
    upstream.handler = answering({**completion("hi"), "usage": usage})
    chat = {"model": "realtime", "messages": [{"role": "user", "content": "x"}]}
    assert (await gateway.post(chat)).status == 200
    row = await last(gateway)
    assert (row["input_tokens"], row["output_tokens"]) == (20, 4)
    assert row["units"] == {"audio_input": 30, "audio_output": 5}
    cost = 20 * 4_000_000 + 4 * 16_000_000 + 30 * 32_000_000 + 5 * 64_000_000
    assert row["cost_picousd"] == cost
