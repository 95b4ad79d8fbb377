"""Every official SDK before every kind of provider, through the whole gateway, and the charges."""

import dataclasses
from pathlib import Path

import pytest

from tests.fakes.clients.matrix import ASKS, CLIENTS, check_seen, check_told
from tests.fakes.gateway import running
from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT
from tests.fakes.providers.server import providers

CATALOG = """
[[providers]]
name = "chat"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "sk-upstream"
allow_private_address = true
endpoints = ["chat"]
[[providers]]
name = "responses"
kind = "azure-openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "azure"
allow_private_address = true
endpoints = ["responses"]
[[providers]]
name = "messages"
kind = "anthropic"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "sk-ant"
allow_private_address = true
[[providers]]
name = "gemini"
kind = "gemini"
base_url = "http://127.0.0.1:{port}/v1beta"
api_key = "AIza"
allow_private_address = true
[[providers]]
name = "bedrock"
kind = "bedrock"
region = "eu-west-1"
base_url = "http://127.0.0.1:{port}"
api_key = "AKIDEXAMPLE:secret"
allow_private_address = true
"""
MODEL = """
[[models]]
name = "{name}"
context_tokens = 100000
max_output_tokens = 10000
[[models.targets]]
provider = "{name}"
model = "{upstream}"
[models.price]
input = "1"
cache_read = "0.5"
output = "2"
"""
KINDS = {
    "chat": "gpt-5",
    "responses": "gpt-5",
    "messages": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
    "bedrock": "eu.anthropic.claude-sonnet-4-5-v1:0",
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("client", CLIENTS)
async def test_every_kind_answers_every_client(tmp_path: Path, client: str, stream: bool) -> None:
    async with providers() as upstream:
        catalog = CATALOG.format(port=upstream.port)
        for name, model in KINDS.items():
            catalog += MODEL.format(name=name, upstream=model)
        async with running(tmp_path / "data", catalog=catalog) as gateway:
            for kind, model in KINDS.items():
                for name, ask in ASKS.items():
                    upstream.seen.clear()
                    asked = dataclasses.replace(ask, stream=stream)
                    told = await CLIENTS[client](gateway.url, gateway.key, kind, asked)
                    check_told(name, told)
                    check_seen(name, kind, upstream.seen)
                    assert {seen.model for seen in upstream.seen} == {model}
                    rows = await gateway.rows(limit=len(told))
                    for row in rows:
                        assert (row["basis"], row["outcome"]) == ("reported", "completed")
                        assert row["cost_microusd"] == INPUT - CACHED + CACHED // 2 + 2 * OUTPUT
            await gateway.assert_nothing_leaked()
