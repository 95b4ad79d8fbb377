"""Quirks of providers: what is renamed or left out, and that the rest passes as it came."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

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


def bent(body: object, *quirks: str) -> dict[str, Any]:
    found = json.loads(adapted(json.dumps(body).encode(), frozenset(quirks), chat=True))
    assert isinstance(found, dict)
    return found


def test_parts_of_text_become_one_string_and_others_stay() -> None:
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    picture = {"type": "image_url", "image_url": {"url": "https://a"}}
    messages = [
        {"role": "system", "content": texts},
        {"role": "user", "content": [*texts, picture]},
        {"role": "assistant", "content": None},
        {"role": "user", "content": "c"},
        {"role": "tool", "tool_call_id": "t", "content": texts[:1]},
    ]
    sent = bent({"messages": messages}, "plain_text")["messages"]
    assert [message["content"] for message in sent] == [
        "a\n\nb",
        [*texts, picture],
        None,
        "c",
        "a",
    ]
    for odd in ("x", None, [1, {"content": [7]}, {"content": [{"type": "text", "text": 3}]}]):
        assert bent({"messages": odd}, "plain_text") == {"messages": odd}


@pytest.mark.parametrize(
    ("quirk", "asked", "sent"),
    [
        ("thinking", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ("thinking", {"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ("enable_thinking", {"reasoning_effort": "none"}, {"enable_thinking": False}),
        ("enable_thinking", {"reasoning_effort": "low"}, {"enable_thinking": True}),
        (
            "enable_thinking",
            {"reasoning_effort": "low", "enable_thinking": False},
            {"enable_thinking": False},
        ),
        ("thinking", {"temperature": 1}, {"temperature": 1}),
    ],
)
def test_reasoning_is_switched_off_in_the_providers_words(
    quirk: str, asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert bent(asked, quirk) == sent


def test_a_call_has_its_reasoning_or_a_blank() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "assistant", "tool_calls": [call], "reasoning_content": "so"},
        {"role": "assistant", "content": "done", "tool_calls": []},
    ]
    sent = bent({"messages": messages}, "reasoning_content")["messages"]
    assert [message.get("reasoning_content") for message in sent] == [" ", "so", None]


async def test_a_translated_request_has_plain_texts_and_its_limit_renamed(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    """Also where a tool has a parameter of the limit's name."""
    schema = {"type": "object", "properties": {"max_completion_tokens": {"type": "integer"}}}
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    asked = {
        "model": "m",
        "max_tokens": 9,
        "system": texts,
        "messages": [{"role": "user", "content": texts}],
        "tools": [{"name": "f", "input_schema": schema}],
    }
    async with running(tmp_path / "data", upstream) as gateway:
        text = (await gateway.command("catalog.export"))["toml"]
        text = text.replace('kind = "openai"\n', 'kind = "openai"\nendpoints = ["chat"]\n')
        await gateway.command("catalog.apply", toml=text)
        await gateway.post(asked, "/v1/messages")
        sent = upstream.requests[-1].json
        assert [message["content"] for message in sent["messages"]] == ["a\n\nb", "a\n\nb"]
        assert sent["tools"][0]["function"]["parameters"] == schema
        assert sent["max_tokens"] == 9 and "max_completion_tokens" not in sent
