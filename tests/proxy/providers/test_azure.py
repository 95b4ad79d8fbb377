"""Azure's addresses, against those that the official client makes: same request line, same key.

`openai.AzureOpenAI` and a gateway ask the same fake provider, and what came is compared.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncAzureOpenAI, OpenAIError

from gateway.platform.catalog import Provider
from gateway.proxy.realtime.dial import session_path
from tests.fakes.gateway import running
from tests.fakes.media import form, wav
from tests.fakes.upstream import FakeUpstream, answering

VERSION = "2025-04-01-preview"
DEPLOYMENT = "my-gpt.4o_eu"
CATALOG = """
[[providers]]
name = "azure"
kind = "azure-openai"
base_url = "http://127.0.0.1:{port}{path}"
api_version = "{version}"
api_key = "azure-key"
allow_private_address = true
[[models]]
name = "m"
context_tokens = 100000
max_output_tokens = 10000
[[models.targets]]
provider = "azure"
model = "{deployment}"
[models.price]
input = "1"
output = "2"
character = "1"
audio_hour = "1"
image = "0.01"
"""
Ask = Callable[[AsyncAzureOpenAI], Awaitable[Any]]
SAID: list[Any] = [{"role": "user", "content": "hi"}]
ASKED: dict[str, tuple[Ask, dict[str, Any]]] = {
    "/v1/chat/completions": (
        lambda sdk: sdk.chat.completions.create(model=DEPLOYMENT, messages=SAID),
        {"messages": SAID},
    ),
    "/v1/completions": (
        lambda sdk: sdk.completions.create(model=DEPLOYMENT, prompt="hi"),
        {"prompt": "hi"},
    ),
    "/v1/embeddings": (
        lambda sdk: sdk.embeddings.create(model=DEPLOYMENT, input="hi"),
        {"input": "hi"},
    ),
    "/v1/responses": (
        lambda sdk: sdk.responses.create(model=DEPLOYMENT, input="hi"),
        {"input": "hi"},
    ),
    "/v1/images/generations": (
        lambda sdk: sdk.images.generate(model=DEPLOYMENT, prompt="a cat"),
        {"prompt": "a cat"},
    ),
    "/v1/audio/speech": (
        lambda sdk: sdk.audio.speech.create(model=DEPLOYMENT, input="hi", voice="alloy"),
        {"input": "hi", "voice": "alloy"},
    ),
    "/v1/audio/transcriptions": (
        lambda sdk: sdk.audio.transcriptions.create(model=DEPLOYMENT, file=("a.wav", wav(1))),
        {},
    ),
}


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    fake = await FakeUpstream().start()
    fake.handler = answering({"error": {"message": "no"}}, 400)
    yield fake
    await fake.stop()


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("base", ["", "/openai"])
async def test_the_official_client_asks_at_the_same_address(
    tmp_path: Path, upstream: FakeUpstream, path: str, base: str
) -> None:
    ask, body = ASKED[path]
    endpoint = f"http://127.0.0.1:{upstream.port}"
    sdk = AsyncAzureOpenAI(
        azure_endpoint=endpoint, api_version=VERSION, api_key="azure-key", max_retries=0
    )
    async with sdk:
        with pytest.raises(OpenAIError):
            await ask(sdk)
    catalog = CATALOG.format(port=upstream.port, path=base, version=VERSION, deployment=DEPLOYMENT)
    async with running(tmp_path / "data", catalog=catalog) as gateway:
        if path.endswith("transcriptions"):
            content, kind = form({"model": "m"}, {"file": ("a.wav", wav(1))})
            answer = await gateway.post(content, path, **{"Content-Type": kind})
        else:
            answer = await gateway.post({"model": "m", **body}, path)
        assert answer.status == 400
    theirs, ours = upstream.requests
    assert ours.head.split(b"\r\n")[0] == theirs.head.split(b"\r\n")[0]
    assert ours.headers["api-key"] == theirs.headers["api-key"] == "azure-key"
    assert "authorization" not in ours.headers


async def test_realtime_sessions_name_the_deployment() -> None:
    sdk = AsyncAzureOpenAI(
        azure_endpoint="https://name.openai.azure.com", api_version=VERSION, api_key="azure-key"
    )
    url, headers = await sdk._configure_realtime(DEPLOYMENT, {}, api_key="azure-key")
    assert headers == {"api-key": "azure-key"}
    for path in ("", "/openai"):
        provider = Provider(
            *("azure", "azure-openai", "https", "name.openai.azure.com", 443, path),
            api_version=VERSION,
        )
        assert url.raw_path.decode() == path + session_path(provider, DEPLOYMENT)
    newer = Provider("a", "azure-openai", "https", "name.openai.azure.com", 443, "/openai/v1")
    assert session_path(newer, "gpt-realtime") == "/realtime?model=gpt-realtime"
