"""Media endpoints tell a provider nobody's name, and a client no key of the operator's."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import RunningGateway, running
from tests.fakes.media import form, media_catalog, wav
from tests.fakes.upstream import FakeUpstream, answering, streaming

NAMED = {"user": "canary-1", "safety_identifier": "canary-2", "user_id": "canary-3"}
MORE = {"client_metadata": {"device": "canary-4"}, "session_id": "canary-5"}


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    catalog = media_catalog(upstream.port)
    async with running(tmp_path / "data", catalog=catalog, upstream_attempts=1) as one:
        yield one


async def test_fields_of_a_form_that_name_somebody_become_pseudonyms(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = answering({"error": {"message": "no"}}, 400)
    files = {"file": ("canary of Ann.wav", wav(1))}
    body, kind = form({"model": "whisper", **NAMED}, files)
    headers = {"Content-Type": kind, "X-Forwarded-For": "canary"}
    answer = await gateway.post(body, "/v1/audio/transcriptions", **headers)
    assert answer.status == 400
    sent = upstream.requests[-1]
    assert b"canary" not in sent.head + sent.body
    assert sent.body.count(b"\r\n\r\nu_") == len(NAMED)


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/images/generations", {"model": "painter", "prompt": "a cat"}),
        ("/v1/audio/speech", {"model": "speaker", "input": "hi", "voice": "alloy"}),
        ("/v1/moderations", {"model": "judge", "input": "hi"}),
    ],
)
async def test_fields_of_a_document_that_name_somebody_do_too(
    gateway: RunningGateway, upstream: FakeUpstream, path: str, asked: dict[str, Any]
) -> None:
    upstream.handler = answering({"error": {"message": "no"}}, 400)
    assert (await gateway.post(asked | NAMED | MORE, path)).status == 400
    sent = upstream.requests[-1]
    assert b"canary" not in sent.head + sent.body
    assert sent.json["user"].startswith("u_") and "session_id" not in sent.json


async def test_an_error_in_a_stream_of_pictures_passes_without_the_key(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    partial = {"type": "image_generation.partial_image", "b64_json": "AAAA"}
    words = "Limit of sk-upstream-secret in org-abcd1234"
    failed = {"type": "error", "error": {"message": words}}
    upstream.handler = streaming(
        *(f"data: {json.dumps(event)}\n\n".encode() for event in (partial, failed))
    )
    asked = {"model": "gpt-image", "prompt": "a cat", "stream": True, "partial_images": 1}
    answer = await gateway.post(asked, "/v1/images/generations")
    assert b"Limit of [removed] in [removed]" in answer.body
    assert b"secret" not in answer.body and b"abcd1234" not in answer.body
