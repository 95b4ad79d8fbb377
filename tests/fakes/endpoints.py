"""All inference endpoints: what is asked of each, who answers it, and a catalog of their models.

`provide` plays the providers of three kinds and of all media; only the shape of an answer counts.
"""

import asyncio
from typing import Any

from tests.fakes.media import PRICES
from tests.fakes.upstream import Received, answering, completion

PROVIDER = """
[[providers]]
name = "{kind}"
kind = "{kind}"
base_url = "http://127.0.0.1:{port}/{path}"
api_key = "sk-upstream-secret"
allow_private_address = true
"""
MODEL = """
[[models]]
name = "{name}"
context_tokens = 100000
max_output_tokens = 10000
encoding = "o200k_base"
[[models.targets]]
provider = "{kind}"
model = "up"
[models.price]
{price}
"""
KINDS = {"openai": "v1", "anthropic": "v1", "gemini": "v1beta"}
MESSAGES = [{"role": "user", "content": "hi"}]
# What is asked of each endpoint, but for its model: enough to be served.
ASKED: dict[str, dict[str, Any]] = {
    "chat": {"messages": MESSAGES},
    "completions": {"prompt": "hi"},
    "embeddings": {"input": "hi"},
    "responses": {"input": "hi"},
    "messages": {"messages": MESSAGES, "max_tokens": 9},
    "count_tokens": {"messages": MESSAGES},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    "gemini_count": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    "images": {"model": "painter", "prompt": "hi"},
    "speech": {"model": "speaker", "input": "hi", "voice": "v"},
    "moderations": {"model": "judge", "input": "hi"},
    "rerank": {"model": "ranker", "query": "hi", "documents": ["a", "b"]},
}
FORMS = {"image_edits": "painter", "transcriptions": "whisper", "translations": "whisper"}
FILES = {"image_edits": "image", "transcriptions": "file", "translations": "file"}
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
TOKENS = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
TEXT = {"type": "text", "text": "hello"}
PART = {"role": "model", "parts": [{"text": "hello"}]}
ANSWERS: dict[str, Any] = {  # a provider's, by how its address ends
    "chat/completions": completion(),
    "completions": completion(),
    "embeddings": {"data": [{"embedding": [0.5], "index": 0}], "usage": USAGE},
    "responses": {"id": "r", "status": "completed", "output": [], "usage": TOKENS},
    "messages": {"id": "m", "type": "message", "content": [TEXT], "usage": TOKENS},
    "count_tokens": {"input_tokens": 1},
    "generateContent": {"candidates": [{"content": PART, "finishReason": "STOP"}]},
    "countTokens": {"totalTokens": 1},
    "generations": {"created": 1, "data": [{"b64_json": "AA=="}]},
    "edits": {"created": 1, "data": [{"b64_json": "AA=="}]},
    "transcriptions": {"text": "hello"},
    "translations": {"text": "hello"},
    "moderations": {"id": "m", "results": []},
    "rerank": {"results": [{"index": 0, "relevance_score": 0.5}]},
}


async def provide(received: Received, writer: asyncio.StreamWriter) -> None:
    """A whole answer, whatever was asked."""
    path = received.head.split()[1].decode().partition("?")[0]
    if path.endswith("/audio/speech"):
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 5\r\n\r\nsound"
        )
        return
    name = max((name for name in ANSWERS if path.endswith(name)), key=len)
    await answering(ANSWERS[name])(received, writer)


def catalog(port: int) -> str:
    price = 'input = "1"\noutput = "2"'
    text = "".join(PROVIDER.format(kind=kind, path=KINDS[kind], port=port) for kind in KINDS)
    text += "".join(MODEL.format(name=f"by-{kind}", kind=kind, price=price) for kind in KINDS)
    made = PRICES.items()
    return text + "".join(MODEL.format(name=n, kind="openai", price=p) for n, p in made)
