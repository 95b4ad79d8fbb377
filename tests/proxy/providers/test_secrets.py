"""No key, account or organisation of the operator's comes back in a provider's words.

Also not in an answer of status 200: an error inside a stream passes as it came, but for these.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import RunningGateway, running
from tests.fakes.providers import chat, gemini, messages, responses
from tests.fakes.providers.plan import Plan
from tests.fakes.upstream import SSE_HEAD, FakeUpstream, Received, answering, framed, streaming
from tests.proxy.providers.test_kinds import CATALOG, KEYS, KINDS, MODEL, PATHS, payload

WORDS = "Rate limit reached for {key} in organization org-abcd1234 of projects/9876"
SECRETS = (b"org-abcd1234", b"projects/9876", *(key.encode() for key in KEYS.values()))
# As providers have been seen to say them: OpenAI, Anthropic (two forms), OpenRouter (two), Google
# (three), Azure.
TELLING = (
    ("Project `proj_JMo3Q9spNIEWhSxusokLegJY` has no access to it", "proj_JMo3"),
    ("exceed the limit of your organization (d3f27ff7-9afe-4ee2-9645-76ecfc73c2b7)", "d3f27ff7"),
    ("per minute (org: 6b700525-ce41-438a-87ff-0ceffd4e4419, model: m)", "6b700525"),
    ("of user_2xAbCdEfGhIjKlMnOpQrStUvWf5", "user_2x"),
    ("of org_2xAbCdEfGhIjKlMnOpQrStUvWf5", "org_2x"),
    ("has not been used in project 123456789012 before", "123456789012"),
    ("see https://console.invalid/?project=123456789012", "123456789012"),
    ("consumer 'project_number:123456789012'", "123456789012"),
    ("at https://the-operators.openai.azure.com/openai", "the-operators"),
)
STREAMS: dict[str, Any] = {
    "chat": chat,
    "responses": responses,
    "messages": messages,
    "gemini": gemini,
}


def error_of(client: str) -> dict[str, Any]:
    words = WORDS.format(key=KEYS[client])
    inner = {"message": words, "type": "rate_limit_error", "code": "rate_limit_exceeded"}
    if client == "responses":
        return {"type": "error", "sequence_number": 9, "code": "x", "message": words, "param": None}
    if client == "messages":
        return {"type": "error", "error": inner}
    return {"id": "c1", "choices": [], "error": inner} if client == "chat" else {"error": inner}


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    catalog = CATALOG.format(port=upstream.port)
    for name in STREAMS:
        catalog += MODEL.format(name=name, upstream=KINDS[name])
    async with running(tmp_path / "data", catalog=catalog, upstream_attempts=1) as one:
        yield one


def asked(client: str, *, stream: bool) -> tuple[dict[str, Any], str]:
    path = PATHS[client].format(client)
    if client == "gemini":
        if stream:
            path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
        return payload(client, client), path
    return payload(client, client, stream=stream), path


@pytest.mark.parametrize("client", STREAMS)
@pytest.mark.parametrize("cut", [None, 1, 11, 40, 80, 120])
async def test_an_error_inside_a_stream_passes_without_them(
    gateway: RunningGateway, upstream: FakeUpstream, client: str, cut: int | None
) -> None:
    """However its bytes are split: an event that begins to tell an error is shown whole."""
    begun = STREAMS[client].stream(Plan("", "one two three four"))[:-2]
    name = b"event: error\n" if client in ("messages", "responses") else b""
    failing = name + b"data: " + json.dumps(error_of(client)).encode() + b"\n\n"
    pieces = (
        [failing] if cut is None else [failing[:cut], failing[cut : 2 * cut], failing[2 * cut :]]
    )

    async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE_HEAD)
        for data in (*begun, *pieces):
            writer.write(framed(data))
            await writer.drain()
            await asyncio.sleep(0.002)
        writer.write(b"0\r\n\r\n")

    upstream.handler = handle
    body, path = asked(client, stream=True)
    answer = await gateway.post(body, path)
    assert answer.status == 200
    assert b"Rate limit reached for [removed]" in answer.body, "its words are the client's to read"
    assert not any(secret in answer.body for secret in SECRETS)
    last = answer.body.strip().rsplit(b"\n\n", 1)[-1].rpartition(b"data: ")[2]
    assert json.loads(last), "what was JSON stays JSON"
    [row] = await gateway.rows()
    assert row["outcome"] == "upstream_failed"
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize(("words", "telling"), TELLING)
async def test_words_that_go_back_tell_no_account_in_any_form_seen(
    gateway: RunningGateway, upstream: FakeUpstream, words: str, telling: str
) -> None:
    """Neither those of a status, nor those inside a stream."""
    upstream.handler = answering({"error": {"message": words}, "user_id": telling}, 400)
    body, path = asked("chat", stream=False)
    refused = await gateway.post(body, path)
    assert (refused.status, telling.encode() in refused.body) == (400, False)
    begun = chat.stream(Plan("", "one two"))[:-2]
    failing = {"id": "c1", "choices": [], "error": {"message": words, "code": 502}}
    upstream.handler = streaming(b"".join(begun) + b"data: %b\n\n" % json.dumps(failing).encode())
    body, path = asked("chat", stream=True)
    broken = await gateway.post(body, path)
    assert (broken.status, telling.encode() in broken.body) == (200, False)
    assert b"[removed]" in broken.body


async def test_what_a_router_heard_from_the_provider_behind_it_goes_back(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    """OpenRouter says "Provider returned error", and what it was in `metadata.raw`."""
    inner = {"error": {"message": "At most 1 image, says org-abcd1234.", "param": "messages"}}
    for raw in (json.dumps(inner), "At most 1 image, says org-abcd1234."):
        error = {"message": "Provider returned error", "code": 400}
        error["metadata"] = {"raw": raw, "provider_name": "Crucible"}
        upstream.handler = answering({"error": error, "user_id": "user_2xAbCdEfGhIjKl"}, 400)
        body, path = asked("chat", stream=False)
        answer = await gateway.post(body, path)
        assert answer.status == 400
        assert answer.json["error"]["message"] == "At most 1 image, says [removed]."


async def test_a_whole_answer_that_failed_half_way_passes_without_them(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    told = responses.whole(Plan("", "half of it"))
    told |= {"status": "failed", "error": {"code": "x", "message": WORDS.format(key="azure-key")}}
    upstream.handler = answering(told)
    body, path = asked("responses", stream=False)
    answer = await gateway.post(body, path)
    assert answer.status == 200 and answer.json["status"] == "failed"
    assert b"org-abcd1234" not in answer.body and b"projects/9876" not in answer.body


async def test_texts_of_a_sound_answer_are_not_looked_at(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    """A client may well be told about keys: only errors are a provider's own words."""
    text = "A key looks like sk-abcdefgh, an organisation like org-abcd1234."
    upstream.handler = answering(chat.whole(Plan("", text)))
    body, path = asked("chat", stream=False)
    assert (await gateway.post(body, path)).json["choices"][0]["message"]["content"] == text
    upstream.handler = streaming(b"".join(chat.stream(Plan("", text))))
    body, path = asked("chat", stream=True)
    told = (await gateway.post(body, path)).body
    chunks = [json.loads(event[6:]) for event in told.split(b"\n\n") if event[6:7] == b"{"]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == text
