"""Embeddings of Bedrock's models, asked for as OpenAI's: each maker's form, usage and charge."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import openai
import pytest

from tests.fakes.gateway import RunningGateway, running
from tests.fakes.upstream import FakeUpstream, Received, answering, reset

TITAN, TITAN_1 = "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v1"
COHERE, COHERE_3 = "eu.cohere.embed-v4:0", "cohere.embed-english-v3"
CATALOG = """
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
context_tokens = 8192
max_output_tokens = 0
[[models.targets]]
provider = "bedrock"
model = "{upstream}"
[models.price]
input = "20"
output = "0"
"""
MODELS = {"titan": TITAN, "titan-1": TITAN_1, "cohere": COHERE, "cohere-3": COHERE_3}


def vector(text: str, length: int = 3) -> list[float]:
    """What a text embeds to here; every number is one that 32 bits hold."""
    return [len(text) + at / 4 for at in range(length)]


class Bedrock:
    """InvokeModel of the models that embed. Source: Bedrock user guide, their parameters."""

    def __init__(self) -> None:
        self.open = self.most = 0
        self.counts = True

    async def handle(self, request: Received, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0.01)
        self.open -= 1
        assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
        path = unquote(request.head.split(b" ")[1].decode())
        model = path.removeprefix("/model/").removesuffix("/invoke")
        body, headers = request.json, b""
        if "titan" in model:
            assert set(body) <= {"inputText", "dimensions", "normalize", "embeddingTypes"}
            found = vector(body["inputText"], body.get("dimensions", 3))
            answer: dict[str, Any] = {"embedding": found, "embeddingsByType": {"float": found}}
            if self.counts:
                answer["inputTextTokenCount"] = len(body["inputText"])
        else:
            assert body["input_type"] in ("search_document", "search_query")
            assert 0 < len(body["texts"]) <= 96
            length = body.get("output_dimension", 3)
            floats = [vector(text, length) for text in body["texts"]]
            kinds = body.get("embedding_types")
            answer = {"id": "x", "embeddings": {"float": floats} if kinds else floats}
            if self.counts:
                total = sum(map(len, body["texts"]))
                headers = b"X-Amzn-Bedrock-Input-Token-Count: %d\r\n" % total
        await answering(answer, headers=headers)(request, writer)


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    catalog = CATALOG.format(port=upstream.port)
    for name, model in MODELS.items():
        catalog += MODEL.format(name=name, upstream=model)
    async with running(tmp_path / "data", catalog=catalog, upstream_attempts=1) as one:
        yield one


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("texts", ["one", ["one"], [f"text {n}" for n in range(200)]])
@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}])
async def test_the_official_client_gets_its_vectors_and_is_charged(
    gateway: RunningGateway,
    upstream: FakeUpstream,
    name: str,
    texts: Any,
    form: dict[str, Any],
) -> None:
    bedrock = Bedrock()
    upstream.handler = bedrock.handle
    async with openai.AsyncOpenAI(
        base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0
    ) as sdk:
        found = await sdk.embeddings.create(model=name, input=texts, user="me", **form)
    asked = [texts] if isinstance(texts, str) else texts
    assert [one.embedding for one in found.data] == [vector(text) for text in asked]
    assert [one.index for one in found.data] == list(range(len(asked)))
    tokens = sum(map(len, asked))
    assert (found.model, found.usage.prompt_tokens) == (name, tokens)
    [row] = await gateway.rows()
    assert (row["input_tokens"], row["output_tokens"], row["basis"]) == (tokens, 0, "reported")
    assert row["cost_microusd"] == tokens * 20
    assert bedrock.most <= 8
    await gateway.assert_nothing_leaked()


async def test_where_no_tokens_are_told_they_are_counted_here(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    bedrock = Bedrock()
    bedrock.counts = False
    upstream.handler = bedrock.handle
    for name in ("titan", "cohere"):
        answer = await gateway.post({"model": name, "input": ["a b c", "d e"]}, "/v1/embeddings")
        assert answer.status == 200 and "usage" not in answer.json
    rows = await gateway.rows()
    assert {row["basis"] for row in rows} == {"measured"}
    assert all(row["input_tokens"] > 0 and row["cost_microusd"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("name", "fields", "sent"),
    [
        ("titan", {"dimensions": 5}, {"inputText": "hi", "dimensions": 5}),
        (
            "cohere",
            {"dimensions": 5, "input_type": "search_query"},
            {
                "texts": ["hi"],
                "input_type": "search_query",
                "embedding_types": ["float"],
                "output_dimension": 5,
            },
        ),
    ],
)
async def test_lengths_and_types_are_asked_for_in_the_makers_words(
    gateway: RunningGateway,
    upstream: FakeUpstream,
    name: str,
    fields: dict[str, Any],
    sent: dict[str, Any],
) -> None:
    upstream.handler = Bedrock().handle
    answer = await gateway.post({"model": name, "input": "hi", **fields}, "/v1/embeddings")
    assert answer.json["data"][0]["embedding"] == vector("hi", 5)
    assert upstream.requests[-1].json == sent


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        ("titan", {"input": [1, 2]}, "input"),
        ("titan", {"input": [[1, 2]]}, "input"),
        ("titan", {"input": []}, "input"),
        ("titan", {"input": ["x"] * 2049}, "input"),
        ("titan", {"input_type": "search_query"}, "input_type"),
        ("titan-1", {"dimensions": 5}, "dimensions"),
        ("cohere-3", {"dimensions": 5}, "dimensions"),
        ("cohere", {"encoding_format": "int8"}, "encoding_format"),
        ("cohere", {"hologram": 1}, "hologram"),
    ],
)
async def test_what_a_model_cannot_be_told_is_refused_by_name(
    gateway: RunningGateway, upstream: FakeUpstream, name: str, fields: Any, param: str
) -> None:
    answer = await gateway.post({"model": name, "input": "hi", **fields}, "/v1/embeddings")
    assert answer.status == 400 and answer.json["error"]["param"] == param
    assert upstream.requests == []
    assert await gateway.balance_microusd() == 10_000_000


async def test_a_model_that_embeds_does_nothing_else_and_others_do_not_embed(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    asked = {"model": "titan", "messages": [{"role": "user", "content": "hi"}]}
    assert (await gateway.post(asked)).code == "endpoint_not_supported_by_model"
    catalog = CATALOG.format(port=upstream.port)
    for name, model in (("claude", "anthropic.claude-opus-5"), ("llama", "meta.llama3")):
        catalog += MODEL.format(name=name, upstream=model)
    await gateway.command("catalog.apply", toml=catalog)
    for name in ("claude", "llama"):
        answer = await gateway.post({"model": name, "input": "hi"}, "/v1/embeddings")
        assert answer.code == "endpoint_not_supported_by_model"


FAULTS: dict[str, tuple[Any, int, str]] = {
    "throttled": (answering({"message": "slow"}, 429), 429, "upstream_rate_limited"),
    "denied": (answering({"message": "no"}, 403), 502, "upstream_credentials_exhausted"),
    "invalid": (answering({"message": "too long"}, 400), 400, "upstream_rejected"),
    "odd": (answering({"embedding": 3}), 502, "upstream_bad_response"),
    "short": (answering({"embeddings": []}), 502, "upstream_bad_response"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["titan", "cohere"])
async def test_one_failure_is_the_failure_of_all_and_is_free(
    gateway: RunningGateway, upstream: FakeUpstream, fault: str, name: str
) -> None:
    handler, status, code = FAULTS[fault]
    bedrock = Bedrock()
    served = 0

    async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        chosen = handler if served == (11 if name == "titan" else 2) else bedrock.handle
        await chosen(request, writer)

    upstream.handler = handle
    texts = [f"text {n}" for n in range(300)]
    answer = await gateway.post({"model": name, "input": texts}, "/v1/embeddings")
    assert (answer.status, answer.code) == (status, code)
    assert served < 40 or fault == "short", "the others are not asked for"
    assert await gateway.balance_microusd() == 10_000_000
    await gateway.assert_nothing_leaked()


async def test_a_connection_that_died_is_redone_and_a_lost_one_fails(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    bedrock = Bedrock()
    upstream.handler = bedrock.handle
    asked = {"model": "titan", "input": [f"text {n}" for n in range(20)]}
    assert (await gateway.post(asked, "/v1/embeddings")).status == 200
    died = 0

    async def dying(request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal died
        if died < 3:  # pooled connections that close as they are used again
            died += 1
            reset(writer)
            return
        await bedrock.handle(request, writer)

    upstream.handler = dying
    assert (await gateway.post(asked, "/v1/embeddings")).status == 200
    assert died == 3

    async def lost(request: Received, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    upstream.handler = lost
    answer = await gateway.post(asked, "/v1/embeddings")
    assert (answer.status, answer.code) == (502, "upstream_unreachable")
    await gateway.assert_nothing_leaked()


async def test_a_client_that_leaves_ends_the_batch(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    async def hang(request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    upstream.handler = hang
    body = json.dumps({"model": "titan", "input": ["a"] * 50}).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    async with asyncio.timeout(10):
        while len(upstream.requests) < 8:
            await asyncio.sleep(0.01)
        writer.close()
        while upstream.open:
            await asyncio.sleep(0.01)
    assert len(upstream.requests) == 8
    await gateway.assert_nothing_leaked()
