"""Every official SDK in front of every kind of provider, through a whole gateway.

Each client asks each kind all questions of tests/fakes/clients/matrix.py: text, a picture, parallel
tools with their results, a schema, thinking, thinking with tools; whole and streamed. The client
must be told everything, the provider asked everything and given its own signatures back, and the
row that is charged must hold the provider's numbers. The guide lists these pairs.
"""

import dataclasses
from pathlib import Path

import pytest

from gateway.web.console.guides import text_of
from tests.fakes.clients.matrix import ASKS, CLIENTS, check_seen, check_told
from tests.fakes.gateway import running
from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT, REASONING
from tests.fakes.providers.server import providers

GUIDE = text_of("translation")
# The kind of provider, as the guide names it -> its entry in the catalog.
PROVIDERS = {
    "openai (chat)": 'kind = "openai"\nendpoints = ["chat"]\nbase_url = "{address}/v1"',
    "openai (responses)": 'kind = "openai"\nendpoints = ["responses"]\nbase_url = "{address}/v1"',
    "azure-openai": 'kind = "azure-openai"\nbase_url = "{address}/v1"',
    "anthropic": 'kind = "anthropic"\nbase_url = "{address}/v1"',
    "gemini": 'kind = "gemini"\nbase_url = "{address}/v1beta"',
    "bedrock (Claude)": 'kind = "bedrock"\nregion = "us-east-1"\nbase_url = "{address}"',
    "bedrock (others)": 'kind = "bedrock"\nregion = "us-east-1"\nbase_url = "{address}"',
}
SDKS = {
    "chat": "openai, chat completions",
    "responses": "openai, Responses",
    "messages": "anthropic",
    "gemini": "google-genai",
}
ENTRY = """
[[providers]]
name = "{name}"
{provider}
api_key = "AKIDEXAMPLE:upstream-secret"
allow_private_address = true
[[models]]
name = "{name}"
context_tokens = 100000
max_output_tokens = 10000
encoding = "o200k_base"
[[models.targets]]
provider = "{name}"
model = "{upstream}"
[models.price]
input = "1"
cache_read = "0.5"
cache_write = "2"
output = "2"
"""
# What the provider calls the model: at Bedrock its maker decides on the form.
UPSTREAM = "anthropic.claude-opus-5"
OTHER = "us.amazon.nova-2-lite-v1:0"
# What check_seen calls the provider's dialect.
SPOKEN = {
    "openai (chat)": "chat",
    "openai (responses)": "responses",
    "azure-openai": "chat",  # of the two it speaks, but for a client of Responses
    "anthropic": "messages",
    "gemini": "gemini",
    "bedrock (Claude)": "bedrock",
    "bedrock (others)": "converse",
}


def table() -> str:
    """The guide's table: a cell stands there when its test is here."""
    lines = [
        "| SDK | " + " | ".join(PROVIDERS) + " |",
        "|---" * (len(PROVIDERS) + 1) + "|",
    ]
    lines += [f"| {SDKS[client]} |" + " yes |" * len(PROVIDERS) for client in CLIENTS]
    return "\n".join(lines)


@pytest.mark.parametrize("client", CLIENTS)
async def test_everything_is_asked_told_and_charged(tmp_path: Path, client: str) -> None:
    async with providers() as upstream:
        address = f"http://127.0.0.1:{upstream.port}"
        names = {f"m{number}": kind for number, kind in enumerate(PROVIDERS)}
        catalog = "".join(
            ENTRY.format(
                name=name,
                provider=PROVIDERS[kind].format(address=address),
                upstream=OTHER if SPOKEN[kind] == "converse" else UPSTREAM,
            )
            for name, kind in names.items()
        )
        async with running(tmp_path / "data", catalog=catalog) as gateway:
            for name, kind in names.items():
                direct = client == "responses" and kind == "azure-openai"
                spoken = "responses" if direct else SPOKEN[kind]
                for question, ask in ASKS.items():
                    for stream in (False, True):
                        upstream.seen.clear()
                        asked = dataclasses.replace(ask, stream=stream)
                        told = await CLIENTS[client](gateway.url, gateway.key, name, asked)
                        untold = spoken == "converse"  # how much of the output was reasoning
                        check_told(question, told, reasoning=0 if untold else REASONING)
                        check_seen(question, spoken, upstream.seen)
                        model = OTHER if spoken == "converse" else UPSTREAM
                        assert {seen.model for seen in upstream.seen} == {model}
            rows = await gateway.rows(limit=200)
            assert len(rows) == 16 * len(PROVIDERS)
            for row in rows:
                assert (row["basis"], row["outcome"]) == ("reported", "completed")
                counts = (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"])
                assert counts == (INPUT - CACHED, CACHED, OUTPUT)
                assert row["cost_microusd"] == INPUT - CACHED + CACHED // 2 + 2 * OUTPUT
            await gateway.assert_nothing_leaked()


def test_the_guide_has_the_table() -> None:
    assert table() in GUIDE
