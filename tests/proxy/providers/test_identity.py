"""Whatever names a person or a device, wherever a client puts it, goes to no provider."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import RunningGateway, running
from tests.fakes.upstream import FakeUpstream, Received, answering
from tests.proxy.providers.test_kinds import CATALOG, KINDS, MODEL, PATHS, payload

OPENROUTER = """
[[providers]]
name = "router"
kind = "openai"
base_url = "http://openrouter.ai:{port}/api/v1"
proxy = "http://127.0.0.1:{port}"
api_key = "sk-or"
allow_private_address = true
endpoints = ["chat"]
"""
OWN = {"chat": "chat", "responses": "responses", "messages": "messages", "gemini": "gemini"}


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    catalog = CATALOG.format(port=upstream.port)
    for name, model in KINDS.items():
        catalog += MODEL.format(name=name, upstream=model)
    async with running(tmp_path / "data", catalog=catalog, upstream_attempts=1) as one:
        yield one


async def tunnelling(request: Received, writer: asyncio.StreamWriter) -> None:
    """A proxy that is the provider behind it as well."""
    if request.head.startswith(b"CONNECT "):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        return
    await answering({"error": {"message": "no"}}, 400)(request, writer)


def said(text: str) -> dict[str, Any]:
    """Every field that may name somebody, of whatever type."""
    return {
        "session_id": f"{text}-session",
        "user": f"{text}-user",
        "safety_identifier": {"deep": [f"{text}-safety"]},
        "prompt_cache_key": f"{text}-cache",
        "user_id": f"{text}-id",
        "metadata": {"user_id": f"{text}-metadata"},
        "client_metadata": {"x-codex-installation-id": f"{text}-installation"},
    }


@pytest.mark.parametrize("client", OWN)
async def test_fields_that_name_somebody_become_pseudonyms(
    gateway: RunningGateway, upstream: FakeUpstream, client: str
) -> None:
    """In the client's own dialect too, and however the name of a field is written."""
    upstream.handler = answering({"error": {"message": "no"}}, 400)
    body = json.dumps(payload(client, OWN[client]) | said("canary")).encode()
    for name in (b'"user"', b'"client_metadata"', b'"session_id"'):
        written = b'"\\u%04x%b' % (name[1], name[2:])
        for sent in (body, body.replace(name, written)):
            answer = await gateway.post(sent, PATHS[client].format(OWN[client]))
            assert answer.status == 400
            request = upstream.requests[-1]
            assert b"canary" not in request.body + request.head
            got = request.json
            assert got["prompt_cache_key"].startswith("u_") and len(got["prompt_cache_key"]) < 64
            assert got["metadata"]["user_id"].startswith("u_")
            assert got["client_metadata"] == {} and "session_id" not in got
    assert upstream.requests[0].body == upstream.requests[2].body, "the same for the same value"


@pytest.mark.parametrize("place", [0, 1, 9])
@pytest.mark.parametrize("indent", [None, 2])
async def test_the_session_is_cut_out_of_any_place(
    gateway: RunningGateway, upstream: FakeUpstream, place: int, indent: int | None
) -> None:
    members = list(payload("chat", "chat").items())
    members.insert(place, ("session_id", "canary"))
    body = json.dumps(dict(members), indent=indent).encode()
    await gateway.post(body)
    assert set(upstream.requests[-1].json) == {"model", "user", "messages"}


async def test_openrouter_is_told_a_pseudonym_of_the_session(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    catalog = OPENROUTER.format(port=upstream.port) + MODEL.format(name="router", upstream="x/y")
    async with running(tmp_path / "data", catalog=catalog, upstream_attempts=1) as gateway:
        asked = payload("chat", "router") | {"session_id": "canary", "user": 7}
        upstream.handler = tunnelling
        assert (await gateway.post(asked)).status == 400
    sent = upstream.requests[-1].json
    assert sent["session_id"].startswith("u_") and sent["user"].startswith("u_")


HEADS = (
    "X-Forwarded-For: canary\r\nx-forwarded-for: canary\r\nX-FORWARDED-FOR:canary",
    "Forwarded: for=canary;by=canary\r\nTrue-Client-IP: canary\r\nCF-Connecting-IP:\tcanary",
    "Authorization-Info: canary\r\nProxy-Authorization: Basic canary\r\nCookie: canary=1",
    "OpenAI-Organization: canary\r\nOpenAI-Project: canary\r\nOpenAI-Safety-Identifier: canary",
    "anthropic-beta: canary, canary-2\r\nanthropic-version: canary\r\nx-api-key-2: canary",
    "x-goog-user-project: canary\r\nx-goog-api-client: canary\r\nx-amz-security-token: canary",
    "User-Agent: canary\r\nX-Stainless-OS: canary\r\nsession_id: canary\r\nx-session-id: canary",
    "originator: canary\r\nHTTP-Referer: canary\r\nX-Title: canary\r\nbaggage: canary=1",
    "traceparent: 00-canary\r\nX-Request-Id: canary\r\nX-Client-Request-Id: canary",
)


@pytest.mark.parametrize("client", PATHS)
@pytest.mark.parametrize("kind", KINDS)
async def test_odd_headers_trailers_and_queries_stay_here(
    gateway: RunningGateway, upstream: FakeUpstream, client: str, kind: str
) -> None:
    upstream.handler = answering({"error": {"message": "no"}, "message": "no"}, 400)
    body = json.dumps(payload(client, kind)).encode()
    path = PATHS[client].format(kind)
    for lines in HEADS:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(
            f"POST {path}?key={gateway.key}&user=canary&%63anary=1 HTTP/1.1\r\nHost: canary\r\n"
            f"Authorization: Bearer {gateway.key}\r\nContent-Type: application/json\r\n{lines}\r\n"
            "Transfer-Encoding: chunked\r\nTrailer: X-Canary\r\nConnection: close\r\n\r\n"
            f"{len(body):x};canary=1\r\n".encode()
            + body
            + b"\r\n0\r\nX-Canary: canary\r\nUser: canary\r\n\r\n"
        )
        answer = await reader.read()
        writer.close()
        assert b" 400 " in answer.split(b"\r\n", 1)[0]
        if b"field_not_served" in answer or not upstream.requests:
            continue
        request = upstream.requests[-1]
        assert b"canary" not in (request.head + request.body).lower()
        assert gateway.key.encode() not in request.head + request.body
    assert upstream.requests
