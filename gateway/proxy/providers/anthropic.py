"""Anthropic, and servers that speak its Messages API.

Source: Anthropic API reference, "Versioning" and "Beta headers". Of a client's own headers only
these two pass: the version when it looks like one, and those betas that are named here. They
change how a request or an answer looks, not what is charged for it nor where data is kept; any
other beta is left out, and the provider then refuses the fields it would have allowed.
"""

import re

from gateway.platform.catalog import Target
from gateway.proxy.exchange import Exchange
from gateway.proxy.providers.http import HttpUpstream

VERSION = b"2023-06-01"
_VERSION = re.compile(rb"20\d\d-[01]\d-[0-3]\d")
BETAS = frozenset(
    (
        b"claude-code-20250219",
        b"computer-use-2025-01-24",
        b"context-management-2025-06-27",
        b"effort-2025-11-24",
        b"extended-cache-ttl-2025-04-11",
        b"fine-grained-tool-streaming-2025-05-14",
        b"interleaved-thinking-2025-05-14",
        b"output-128k-2025-02-19",
        b"pdfs-2024-09-25",
        b"prompt-caching-2024-07-31",
        b"structured-outputs-2025-11-13",
        b"token-efficient-tools-2025-02-19",
    )
)


class AnthropicUpstream(HttpUpstream):
    """One provider of kind `anthropic`."""

    __slots__ = ()

    def path(self, x: Exchange, target: Target) -> str:
        """Always the same."""
        return "/messages"

    def credential(self, api_key: str) -> str:
        """The key in Anthropic's own header."""
        return f"x-api-key: {api_key}"

    def lines(self, x: Exchange) -> bytes:
        """The version and the betas."""
        return message_lines(x)


def message_lines(x: Exchange) -> bytes:
    """The header lines of a Messages request: the version, and the client's betas that may pass."""
    version = x.headers.get(b"anthropic-version", VERSION)
    if not _VERSION.fullmatch(version):
        version = VERSION
    lines = b"anthropic-version: %b\r\n" % version
    asked = betas(x)
    return lines + b"anthropic-beta: %b\r\n" % b",".join(asked) if asked else lines


def betas(x: Exchange) -> list[bytes]:
    """The betas the client asks for and may have, each once; none in translation."""
    if x.wire is not x.endpoint:
        return []
    named = (name.strip() for name in x.headers.get(b"anthropic-beta", b"").split(b","))
    return [name for name in dict.fromkeys(named) if name in BETAS]
