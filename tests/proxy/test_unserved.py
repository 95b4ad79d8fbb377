"""Fields that would pass unpriced, or name what the provider keeps, are refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway._native.jsonscan import scan_request
from gateway.base.errors import FieldNotServed
from gateway.proxy.dialects import endpoints
from gateway.proxy.dialects.unserved import refuse_items, refuse_unserved
from tests.fakes.gateway import chat, running
from tests.fakes.upstream import FakeUpstream

TEXT = [{"role": "user", "content": "hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]
BYTES = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}


def fields(name: str, more: dict[str, Any]) -> dict[str, Any]:
    usual: dict[str, dict[str, Any]] = {
        "chat": {"messages": TEXT},
        "completions": {"prompt": "hi"},
        "responses": {"input": "hi"},
        "messages": {"messages": TEXT, "max_tokens": 9},
        "gemini": {"contents": CONTENTS},
    }
    return {"model": "sandbox/echo", **usual[name], **more}


def part(**said: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [said]}]}


def drawn(uri: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": uri}}]}]}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("chat", {"web_search_options": {}}, "web_search_options"),
    ("chat", {"tools": [{"type": "web_search", "web_search": {}}]}, "tools[0].type"),
    ("chat", {"tools": [{"type": ["function"]}]}, "tools[0].type"),
    ("chat", {"tools": [{"google_search": {}}]}, "tools[0].type"),
    ("chat", {"enable_search": True}, "enable_search"),
    ("chat", {"search_parameters": {"mode": "auto"}}, "search_parameters"),
    ("chat", {"plugins": [{"id": "web"}]}, "plugins"),
    ("chat", {"deferred": True}, "deferred"),
    ("chat", {"provider": {"order": ["dearest"]}}, "provider"),
    ("chat", {"service_tier": "priority"}, "service_tier"),
    ("chat", {"extra_body": {"google": {"cached_content": "cachedContents/1"}}}, "extra_body"),
    ("chat", part(type="file", file={"file_id": "file-1"}), "messages[0].content[0].file.file_id"),
    ("chat", {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages[0].audio"),
    ("completions", {"service_tier": "priority"}, "service_tier"),
    ("responses", {"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ("responses", {"tools": [{"type": "code_interpreter"}]}, "tools[0].type"),
    ("responses", {"tools": [{"type": "mcp", "server_url": "x"}]}, "tools[0].type"),
    ("responses", {"tools": [{"type": "shell"}]}, "tools[0].type"),
    (
        "responses",
        {"tools": [{"type": "namespace", "tools": [{"type": "image_generation"}]}]},
        "tools[0].tools[0].type",
    ),
    (
        "responses",
        {"input": [{"type": "tool_search_output", "tools": [{"type": "file_search"}]}]},
        "input[0].tools[0].type",
    ),
    ("responses", {"previous_response_id": "resp_1"}, "previous_response_id"),
    ("responses", {"conversation": {"id": "conv_1"}}, "conversation"),
    ("responses", {"prompt": {"id": "pmpt_1"}}, "prompt"),
    ("responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
    ("responses", {"input": [*TEXT, {"id": "msg_1"}]}, "input[1]"),
    (
        "responses",
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "input[0].content[0].file_id",
    ),
    ("responses", {"service_tier": "Priority"}, "service_tier"),
    ("messages", {"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools[0].type"),
    ("messages", {"tools": [{"type": "code_execution_20250825"}]}, "tools[0].type"),
    ("messages", {"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
    ("messages", {"container": "c_1"}, "container"),
    ("messages", {"speed": "fast"}, "speed"),
    ("messages", {"inference_geo": "us"}, "inference_geo"),
    (
        "messages",
        part(type="document", source={"type": "file", "file_id": "f"}),
        "messages[0].content[0].source.file_id",
    ),
    ("gemini", {"tools": [{"googleSearch": {}}]}, "tools[0].googleSearch"),
    ("gemini", {"tools": {"google_search": {}}}, "tools[0].google_search"),
    (
        "gemini",
        {"tools": [{"functionDeclarations": []}, {"urlContext": {}}]},
        "tools[1].urlContext",
    ),
    ("gemini", {"cachedContent": "cachedContents/1"}, "cachedContent"),
    ("gemini", {"cached_content": "cachedContents/1"}, "cached_content"),
    ("gemini", {"serviceTier": "SERVICE_TIER_PRIORITY"}, "serviceTier"),
    (
        "gemini",
        drawn("https://GenerativeLanguage.googleapis.com./v1beta/files/x"),
        "contents[0].parts[0].fileData.fileUri",
    ),
    ("gemini", drawn("gs://bucket/x"), "contents[0].parts[0].fileData.fileUri"),
]
PASSED: list[tuple[str, dict[str, Any]]] = [
    ("chat", {"tools": [{"type": "function", "function": {"name": "file_id"}}]}),
    ("chat", {"service_tier": "auto", "enable_search": False, "web_search_options": None}),
    ("chat", {"audio": {"voice": "alloy"}, "modalities": ["text", "audio"]}),
    ("completions", {"prompt": "previous_response_id"}),
    ("responses", {"tools": [{"type": "custom"}, {"type": "local_shell"}]}),
    ("responses", {"tools": [{"type": "shell", "environment": {"type": "local"}}]}),
    ("responses", {"input": TEXT, "service_tier": "default", "previous_response_id": None}),
    (
        "responses",
        {"input": [{"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}]},
    ),
    ("messages", {"tools": [{"name": "f"}, {"type": "bash_20250124", "name": "bash"}]}),
    ("messages", part(type="tool_use", id="t", name="f", input={"file_id": "mine"})),
    ("messages", {"service_tier": "standard_only"}),
    ("gemini", {"tools": [{"functionDeclarations": [], "googleSearch": None}]}),
    ("gemini", drawn("https://www.youtube.com/watch?v=1")),
    ("gemini", {"contents": [{"parts": [BYTES]}]}),
]


async def test_each_is_refused_and_nothing_is_charged(tmp_path: Path) -> None:
    paths = {
        "gemini": "/v1beta/models/sandbox/echo:generateContent",
        "messages": "/v1/messages",
        "responses": "/v1/responses",
        "completions": "/v1/completions",
        "chat": "/v1/chat/completions",
    }
    async with running(tmp_path / "data") as gateway:
        for name, more, param in REFUSED:
            answer = await gateway.post(fields(name, more), paths[name])
            assert answer.status == 400, (name, more, answer.body)
            error = answer.json["error"]
            assert error["code"] == "field_not_served" or name == "gemini"
            assert param in error["message"], (more, error)
        rows = await gateway.rows(limit=len(REFUSED))
        assert {row["cost_microusd"] for row in rows} <= {0}
        await gateway.assert_nothing_leaked()


@pytest.mark.parametrize(("name", "more", "param"), REFUSED)
def test_the_field_is_named(name: str, more: dict[str, Any], param: str) -> None:
    body = json.dumps(fields(name, more)).encode()
    with pytest.raises(FieldNotServed) as refused:
        look(name, body)
    assert refused.value.param == param


@pytest.mark.parametrize(("name", "more"), PASSED)
def test_what_runs_at_the_callers_passes(name: str, more: dict[str, Any]) -> None:
    look(name, json.dumps(fields(name, more)).encode())


def look(name: str, body: bytes) -> None:
    endpoint, scan = endpoints.BY_NAME[name], scan_request(body)
    if scan.watched or scan.references:
        refuse_unserved(endpoint, body, scan)
    if name == "responses":
        refuse_items(body, scan)


def test_a_plain_request_is_not_looked_at() -> None:
    scan = scan_request(json.dumps(chat("file_id", temperature=1, stream=True)).encode())
    assert not (scan.watched or scan.references or scan.caches)
    escaped = (
        b'{"model":"m","to\\u006fls":[],"messages":[{"file_\\u0069d":"f","cache_control":{}}]}'
    )
    scan = scan_request(escaped)
    assert scan.watched and scan.references and scan.caches


async def test_reasoning_that_only_an_id_stands_for_is_left_out(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "sealed"},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
    ]
    upstream = await FakeUpstream().start()
    try:
        async with running(tmp_path / "data", upstream) as gateway:
            await gateway.post({"model": "m", "input": items}, "/v1/responses")
        asked = upstream.requests[-1].json["input"]
    finally:
        await upstream.stop()
    assert asked == [items[0], items[2], {k: v for k, v in items[3].items() if k != "id"}, items[4]]
