"""What each kind of provider is sent and answers: identity, errors in each dialect, cut streams."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.proxy.dialects.translation import spoken_by
from gateway.proxy.probe import probe
from tests.fakes.gateway import RunningGateway, running
from tests.fakes.providers import bedrock, converse, messages
from tests.fakes.providers.plan import Plan
from tests.fakes.upstream import FakeUpstream, answering, framed, raw, streaming

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "gemini": "/v1beta/models/{}:generateContent",
}
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
[[providers]]
name = "converse"
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
    "converse": "eu.meta.llama3-3-70b-instruct-v1:0",
}
KEYS = {"chat": "sk-upstream", "responses": "azure", "messages": "sk-ant", "gemini": "AIza"}
FORMS = {
    "chat": b"/v1/chat/completions",
    "responses": b"/v1/responses",
    "messages": b"/v1/messages",
    "gemini": b":generateContent",
    "bedrock": b"/invoke",
    "converse": b"/converse",
}
OWN_LINES = {
    *("host", "content-type", "content-length", "accept", "accept-encoding", "user-agent"),
    *("authorization", "x-api-key", "x-goog-api-key", "api-key", "anthropic-version"),
    *("x-amz-date", "anthropic-beta"),
}


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    catalog = CATALOG.format(port=upstream.port)
    for name, model in KINDS.items():
        catalog += MODEL.format(name=name, upstream=model)
    settings = {"upstream_attempts": 1}
    async with running(tmp_path / "data", catalog=catalog, **settings) as one:
        yield one


def payload(client: str, model: str, **more: Any) -> dict[str, Any]:
    """A small request; for Gemini the model stands in the path."""
    if client == "gemini":
        return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **more}
    said = [{"role": "user", "content": "hi"}]
    named = {"model": model, "user": "me@example.com", **more}
    if client == "responses":
        return {**named, "input": "hi"}
    if client == "messages":
        own = {"model": model, "metadata": {"user_id": "me@example.com"}, **more}
        return {**own, "messages": said, "max_tokens": 50}
    return {**named, "messages": said}


def client_headers(key: str) -> dict[str, str]:
    """Two hundred lines of a client's, each with a word of its own to look for."""
    named = ("Cookie", "Referer", "X-Forwarded-For", "User-Agent", "Forwarded", "Via", "From")
    lines = {name: f"canary-{name}" for name in named}
    lines |= {f"X-Stainless-{number}": f"canary-{number}" for number in range(100)}
    lines |= {f"OpenAI-Organization-{number}": f"canary-{number}" for number in range(90)}
    return lines | {"anthropic-beta": "canary-beta", "x-goog-user-project": "canary-project"}


@pytest.mark.parametrize("client", PATHS)
@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_of_the_client_goes_up_and_nothing_of_the_provider_comes_back(
    gateway: RunningGateway, upstream: FakeUpstream, client: str, kind: str
) -> None:
    lines = b"Set-Cookie: up=1\r\nopenai-organization: org-x\r\nrequest-id: up-1\r\n"
    upstream.handler = answering({"error": {"message": "no " + KEYS.get(kind, "x")}}, 400, lines)
    path = PATHS[client].format(kind)
    headers = client_headers(gateway.key)
    answer = await gateway.post(payload(client, kind), f"{path}?key={gateway.key}", **headers)
    assert answer.status == 400
    [request] = upstream.requests
    assert set(request.headers) <= OWN_LINES
    sent = request.head + request.body
    for secret in (b"canary", gateway.key.encode(), b"me@example.com"):
        assert secret not in sent
    told = json.dumps(dict(answer.headers)).encode() + answer.body
    for secret in (b"up=1", b"org-x", b"up-1", b"sk-upstream", b"sk-ant", b"AKIDEXAMPLE"):
        assert secret not in told


def told_type(client: str, body: dict[str, Any]) -> tuple[str, str]:
    """The kind of an error as the client's SDK reads it, and the gateway's own code."""
    error = body["error"]
    if client == "gemini":
        return error["status"], error["details"][0]["reason"]
    if client == "messages":
        assert body["type"] == "error" and body["request_id"].startswith("req")
    return error["type"], error["code"]


REFUSED = {
    401: (502, "upstream_credentials_exhausted", "api_error", "UNAVAILABLE"),
    403: (502, "upstream_credentials_exhausted", "api_error", "UNAVAILABLE"),
    404: (400, "upstream_rejected", "invalid_request_error", "INVALID_ARGUMENT"),
    429: (429, "upstream_rate_limited", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    500: (502, "upstream_failed", "api_error", "UNAVAILABLE"),
    529: (429, "upstream_rate_limited", "rate_limit_error", "RESOURCE_EXHAUSTED"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", REFUSED)
async def test_errors_are_told_in_the_clients_dialect(
    gateway: RunningGateway, upstream: FakeUpstream, kind: str, status: int
) -> None:
    upstream.handler = answering({"error": {"message": "m"}, "message": "m"}, status)
    expected, code, anthropic, gemini = REFUSED[status]
    for client, path in PATHS.items():
        answer = await gateway.post(payload(client, kind), path.format(kind))
        assert (answer.status, answer.headers["x-request-id"][:3]) == (expected, "req")
        assert ("request-id" in answer.headers) == (client == "messages")
        kind_told, code_told = told_type(client, answer.json)
        assert code_told == code
        if client in ("messages", "gemini"):
            assert kind_told == {"messages": anthropic, "gemini": gemini}[client]
    assert await gateway.balance_microusd() == 10_000_000


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("messages", 400, {"message": "Your credit balance is too low to access the API."}),
        ("messages", 400, {"message": "This organization has been disabled."}),
        ("chat", 400, {"code": "Arrearage", "message": "Access denied, your account..."}),
        ("chat", 429, {"code": "insufficient_quota", "message": "You exceeded your quota."}),
        ("chat", 429, {"type": "exceeded_current_quota_error", "message": "suspended"}),
        ("chat", 429, {"code": "1113", "message": "arrears"}),
        ("chat", 429, {"type": "insufficient_balance_error", "message": "no balance (1008)"}),
        ("messages", 500, {"type": "api_error", "message": "insufficient balance (1008)"}),
    ],
)
async def test_an_account_of_the_operators_without_money_is_the_gateways_trouble(
    gateway: RunningGateway, upstream: FakeUpstream, kind: str, status: int, error: dict[str, str]
) -> None:
    upstream.handler = answering({"error": error}, status)
    answer = await gateway.post(payload(kind, kind), PATHS[kind])
    assert answer.status == 502
    assert answer.json["error"]["code"] == "upstream_credentials_exhausted"
    assert error["message"].encode() not in answer.body


async def test_a_wrong_key_that_google_calls_a_bad_request_is_the_gateways(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    message = "API key not valid. Please pass a valid API key."
    upstream.handler = answering({"error": {"code": 400, "message": message}}, 400)
    answer = await gateway.post(payload("chat", "gemini"))
    assert (answer.status, answer.code) == (502, "upstream_credentials_exhausted")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_test_of_a_provider_asks_in_its_own_form(
    gateway: RunningGateway, upstream: FakeUpstream, kind: str
) -> None:
    upstream.handler = answering({})
    found = await probe(gateway.plane, kind)
    assert found.status == 200
    [request] = upstream.requests
    line = request.head.split(b"\r\n")[0].split(b" ")[1]
    assert line.endswith(FORMS[kind]), line
    body = request.json
    if kind == "converse":
        assert body["messages"] == [{"role": "user", "content": [{"text": "Say OK."}]}]
        assert body["inferenceConfig"] == {"maxTokens": 16}


def test_targets_of_other_forms_never_race(gateway: RunningGateway) -> None:
    snapshot = gateway.plane.catalog.snapshot
    spoken = {name: spoken_by(snapshot.models[name].targets[0]) for name in KINDS}
    assert spoken["bedrock"] != spoken["converse"]  # though kind and endpoints are the same


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = messages.stream(Plan("", "one two three four five"))


@pytest.mark.parametrize("client", ["chat", "responses", "messages", "gemini"])
@pytest.mark.parametrize("kind", ["messages", "bedrock", "converse"])
async def test_a_stream_that_is_cut_ends_in_an_error_and_is_charged_as_measured(
    gateway: RunningGateway, upstream: FakeUpstream, client: str, kind: str
) -> None:
    media, events = b"text/event-stream", EVENTS
    if kind != "messages":
        media = b"application/vnd.amazon.eventstream"
        form = bedrock if kind == "bedrock" else converse
        events = form.stream(Plan("", "one two three four five"))
    upstream.handler = raw(HEAD % media, *map(framed, events[:5]), then="reset")
    path = PATHS[client].format(kind)
    body = payload(client, kind, stream=True)
    if client == "gemini":
        body = payload(client, kind)
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
    answer = await gateway.post(body, path)
    assert answer.status == 200
    last = answer.body.strip().rsplit(b"\n\n", 1)[-1].split(b"data: ")[-1]
    assert b"upstream_truncated" in last
    assert b"[DONE]" not in answer.body and b"message_stop" not in answer.body
    assert b"response.completed" not in answer.body
    [row] = await gateway.rows()
    assert (row["basis"], row["outcome"]) == ("measured", "upstream_failed")
    assert 0 < row["output_tokens"] < 20 and row["input_tokens"] > 0
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("client", ["chat", "messages", "gemini"])
async def test_an_error_inside_a_stream_is_told_in_the_clients_dialect(
    gateway: RunningGateway, upstream: FakeUpstream, client: str
) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "secret words"}}
    failing = b"event: error\ndata: " + json.dumps(overloaded).encode() + b"\n\n"
    upstream.handler = streaming(*EVENTS[:5], failing)
    path = PATHS[client].format("messages")
    body = payload(client, "messages", stream=True)
    if client == "gemini":
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
        body.pop("stream")
    answer = await gateway.post(body, path)
    last = answer.body.strip().rsplit(b"\n\n", 1)[-1]
    assert b"overloaded_error" in last if client == "messages" else b"upstream_failed" in last
    assert client == "messages" or b"secret words" not in answer.body
    assert answer.body.count(b"event: error") == (client == "messages")
    [row] = await gateway.rows()
    assert row["outcome"] == "upstream_failed" and row["cost_microusd"] > 0


async def test_counting_is_free_and_says_how_exact_it_is(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    body = payload("messages", "messages")
    counted = await gateway.post(body, "/v1/messages/count_tokens")
    assert 0 < counted.json["input_tokens"] < 20
    assert counted.headers["x-tallygate-count"] == "estimate"
    contents = payload("gemini", "chat")
    for asked in (contents, {"generateContentRequest": {"model": "models/chat", **contents}}):
        answer = await gateway.post(asked, "/v1beta/models/chat:countTokens")
        assert 0 < answer.json["totalTokens"] < 20
        assert answer.headers["x-tallygate-count"] == "exact"
    assert upstream.requests == []
    assert await gateway.balance_microusd() == 10_000_000
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize(
    "headers",
    [{"x-api-key": "{}"}, {"x-goog-api-key": "{}"}, {"Authorization": "Bearer {}"}],
)
async def test_keys_and_lists_of_models_have_the_clients_forms(
    gateway: RunningGateway, headers: dict[str, str]
) -> None:
    own = {name: value.format(gateway.key) for name, value in headers.items()}

    async def listed(path: str, **more: str) -> Any:
        async with gateway.session.get(gateway.url + path, headers={**own, **more}) as response:
            return await response.json()

    anthropic = {"anthropic-version": "2023-06-01"}
    if "x-goog-api-key" not in own:
        assert (await listed("/v1/models"))["object"] == "list"
        models = await listed("/v1/models", **anthropic)
        assert models["data"][0]["type"] == "model" and models["has_more"] is False
        assert (await listed("/v1/models/chat", **anthropic))["id"] == "chat"
    google = await listed("/v1beta/models")
    assert google["models"][0]["name"].startswith("models/")
    assert (await listed("/v1beta/models/chat"))["inputTokenLimit"] == 100_000
    missing = await listed("/v1beta/models/none")
    assert missing["error"]["status"] == "NOT_FOUND"
    async with gateway.session.get(f"{gateway.url}/v1beta/models?key={gateway.key}") as response:
        assert response.status == 200
    async with gateway.session.get(f"{gateway.url}/v1beta/models?key=wrong") as response:
        assert (await response.json())["error"]["status"] == "UNAUTHENTICATED"
