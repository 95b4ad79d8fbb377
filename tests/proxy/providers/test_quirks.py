"""Quirks of providers: what is renamed or left out, and that the rest passes as it came."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.proxy.providers.quirks import adapted
from tests.fakes.gateway import chat, running
from tests.fakes.upstream import FakeUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    server = await FakeUpstream().start()
    yield server
    await server.stop()


BODY = (
    b'{ "model":"m", "user" : "u", "stream_options":{"include_usage":true},'
    b' "messages": [ {"content":"\\u00e9  1.50"} ], "temperature":1.0,'
    b' "max_completion_tokens" : 7, "big":123456789012345678901234567890 }'
)


def test_what_stays_is_not_touched() -> None:
    sent = adapted(BODY, frozenset(("no_user", "no_stream_options", "max_tokens")), chat=True)
    members = json.loads(sent)
    assert members.pop("max_tokens") == 7
    kept = json.loads(BODY)
    for name in ("user", "stream_options", "max_completion_tokens"):
        del kept[name]
    assert members == kept
    assert b'[ {"content":"\\u00e9  1.50"} ]' in sent and b"1.0" in sent


def test_a_body_without_them_passes_as_it_came() -> None:
    body = b'{ "model" : "m",  "max_tokens":3 }'
    assert adapted(body, frozenset(("no_user", "max_tokens")), chat=True) is body
    assert adapted(BODY, frozenset(("max_tokens",)), chat=False) is BODY


def test_of_two_limits_the_providers_own_stays() -> None:
    body = b'{"max_tokens":3,"max_completion_tokens":9}'
    assert json.loads(adapted(body, frozenset(("max_tokens",)), chat=True)) == {"max_tokens": 3}


@pytest.mark.parametrize("asked", [True, False])
async def test_a_provider_is_sent_what_it_takes(
    tmp_path: Path, upstream: FakeUpstream, asked: bool
) -> None:
    async with running(tmp_path / "data", upstream) as gateway:
        text = (await gateway.command("catalog.export"))["toml"]
        quirks = '\nquirks = ["max_tokens", "no_stream_options", "no_user"]\n'
        text = text.replace('kind = "openai"\n', 'kind = "openai"' + quirks)
        await gateway.command("catalog.apply", toml=text)
        more = {"stream_options": {"include_usage": True}} if asked else {}
        await gateway.post(chat(user="me", stream=True, max_completion_tokens=9, **more))
        sent = upstream.requests[-1].json
        assert set(sent) == {"model", "messages", "stream", "max_tokens"}
        assert sent["max_tokens"] == 9
