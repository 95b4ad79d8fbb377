"""The sandbox as an upstream: makes requests for the built-in wire, explains its errors.

The request for the wire is one line of JSON (what a provider would know of its model and its
customer) and then the body a real provider would get, rewritten in the same way. So a request is
bytes here too, and an attempt can be repeated.
"""

import asyncio

import msgspec

from gateway.base.errors import GatewayError
from gateway.platform.catalog import Provider, Target
from gateway.proxy.exchange import Exchange
from gateway.proxy.providers.body import request_body
from gateway.proxy.providers.failure import translated
from gateway.proxy.providers.sandbox.options import split_model
from gateway.proxy.providers.sandbox.wire import Envelope, SandboxWire

_encode = msgspec.json.Encoder().encode


class SandboxUpstream:
    """The one provider of kind `sandbox`; its address and credentials do not matter."""

    __slots__ = ("_loop",)

    def __init__(self, provider: Provider, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def take_idle(self) -> SandboxWire:
        """A wire is only a few fields, so there is always one."""
        return SandboxWire(self._loop)

    async def dial(self) -> SandboxWire:
        """As `take_idle`."""
        return SandboxWire(self._loop)

    def request(self, x: Exchange, target: Target) -> bytes:
        """Envelope line and body. Options of the caller's name win over those of the target's."""
        assert x.model is not None
        base, options = split_model(target.model)
        asked = (
            split_model(x.model_name)[1] if x.model_name.partition(":")[0] == x.model.name else ""
        )
        envelope = Envelope(
            id=x.id,
            endpoint=x.wire.name,
            base=base,
            model=x.model_name,
            options=(options, asked),
            stream=x.stream,
            encoding=x.model.encoding,
            prompt_tokens=x.measured_input,
            max_output_tokens=x.model.max_output_tokens,
            created_s=x.started_us // 1_000_000,
        )
        return _encode(envelope) + b"\n" + request_body(x, target)

    def error(self, status: int, headers: dict[bytes, bytes], body: bytes) -> GatewayError:
        """The sandbox's errors have the shape of the OpenAI API."""
        return translated(status, headers, body)
