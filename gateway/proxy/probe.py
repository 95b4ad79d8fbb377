"""A tiny real request to a provider, asked for by an administrator: does it answer, and how soon?

It takes the way every request takes (pool, address checks, the provider's own head and key), but
nobody's account: it is not routed, charged or logged, and tells no breaker. What comes back is a
status, a time and a code of the error catalogue, never the provider's words.
"""

import asyncio
from typing import Any, NamedTuple, cast

import msgspec

from gateway._native.jsonscan import scan_request
from gateway.base.errors import GatewayError, UpstreamTimeout, UpstreamUnreachable
from gateway.platform.catalog import Model, Target
from gateway.platform.refusals import Refusal
from gateway.proxy.dialects.endpoints import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    GEMINI,
    MESSAGES,
    RESPONSES,
    Endpoint,
)
from gateway.proxy.dialects.translation import spoken_by, wire_of
from gateway.proxy.exchange import Client, Exchange, Plane

TIMEOUT_S = 20.0
OUTPUT_TOKENS = 16  # the least that every provider takes
MAX_BODY_BYTES = 65_536
_WORD = "Say OK."
_SAID = [{"role": "user", "content": _WORD}]
_ASKED: tuple[tuple[Endpoint, dict[str, Any]], ...] = (
    (CHAT, {"messages": _SAID}),
    (MESSAGES, {"messages": _SAID, "max_tokens": OUTPUT_TOKENS}),
    (GEMINI, {"contents": [{"role": "user", "parts": [{"text": _WORD}]}]}),
    (RESPONSES, {"input": _WORD}),
    (COMPLETIONS, {"prompt": _WORD}),
    (EMBEDDINGS, {"input": _WORD}),
)


class Probed(NamedTuple):
    """What a probe found. `status` 0: there was no answer; `code` '' where all is well."""

    model: str
    status: int
    elapsed_ms: int
    code: str


async def probe(plane: Plane, provider: str) -> Probed:
    """Ask a provider through the first model it serves. Raises Refusal where there is none."""
    model, target = _place(plane, provider)
    started_s = plane.loop.time()
    answer = _Answer(plane.loop)
    code = ""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await _ask(plane, model, target, answer)
    except TimeoutError:
        code = UpstreamTimeout.code
    except GatewayError as error:
        code = error.code
    elapsed_ms = round((plane.loop.time() - started_s) * 1000)
    if not code and answer.status != 200:
        upstream = plane.upstreams.of(target.provider)
        code = upstream.error(answer.status, answer.headers, bytes(answer.body)).code
    return Probed(f"{provider}:{target.model}", answer.status, elapsed_ms, code)


async def _ask(plane: Plane, model: Model, target: Target, answer: "_Answer") -> None:
    upstream = plane.upstreams.of(target.provider)
    data = upstream.request(_exchange(plane, model, target), target)
    wire = await upstream.dial()
    try:
        wire.request(data, answer)
        await answer.done
    finally:
        wire.abandon()


def _place(plane: Plane, provider: str) -> tuple[Model, Target]:
    for model in plane.catalog.snapshot.models.values():
        for target in model.targets:
            if target.provider.name == provider:
                return model, target
    raise Refusal("no model is served by this provider yet; add one, then test it")


def _exchange(plane: Plane, model: Model, target: Target) -> Exchange:
    """A request in the first dialect that the target speaks itself, or that is translated to it."""
    own = [each for each in _ASKED if each[0].name in spoken_by(target)]
    spoken = own or [each for each in _ASKED if wire_of(each[0], target) is not None]
    if not spoken:
        raise Refusal("this provider speaks none of the endpoints that a test can ask")
    endpoint, fields = spoken[0]
    body = msgspec.json.encode({"model": target.model, **fields})
    x = Exchange(plane, cast(Client, None), endpoint, body, "", {})
    x.scan, x.model_name, x.model = scan_request(body), target.model, model
    x.wire = wire_of(endpoint, target) or endpoint
    if endpoint.max_tokens_field:
        x.clamped_tokens = OUTPUT_TOKENS
    return x


class _Answer:
    """Keeps the status and, for the words of an error, the beginning of the body."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = bytearray()
        self.done: asyncio.Future[None] = loop.create_future()

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The head has come."""
        self.status, self.headers = status, headers

    def data(self, data: bytes) -> None:
        """A piece of the body has come."""
        self.body += data[: MAX_BODY_BYTES - len(self.body)]

    def relayed(self) -> None:
        """Nothing is relayed here."""

    def ended(self) -> None:
        """The answer is whole."""
        if not self.done.done():
            self.done.set_result(None)

    def failed(self, error: GatewayError) -> None:
        """The connection broke."""
        if not self.done.done():
            self.done.set_exception(error if self.status == 0 else UpstreamUnreachable())
