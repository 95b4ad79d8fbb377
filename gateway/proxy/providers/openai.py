"""Providers that speak the OpenAI API, whichever of its endpoints.

Also the Messages API or Gemini's, where a compatible server offers them at the same address and
takes the same bearer key.
"""

from gateway.platform.catalog import Target
from gateway.proxy.dialects.endpoints import Endpoint
from gateway.proxy.exchange import Exchange
from gateway.proxy.providers.anthropic import message_lines
from gateway.proxy.providers.gemini import method_path
from gateway.proxy.providers.http import HttpUpstream


class OpenAIUpstream(HttpUpstream):
    """One provider of kind `openai`."""

    def path(self, x: Exchange, target: Target) -> str:
        """The endpoint's own path behind the address, which ends in /v1 or what stands for it."""
        if x.wire.name == "gemini":
            return method_path(target.model, stream=x.stream)
        return versionless(x.wire)

    def lines(self, x: Exchange) -> bytes:
        """Messages are asked for with their version."""
        return message_lines(x) if x.wire.name == "messages" else b""


def versionless(wire: Endpoint) -> str:
    """An endpoint's path without its version, which the provider's address names."""
    return wire.path.removeprefix("/v1")
