"""The catalog as requests see it: one immutable snapshot in memory, swapped whole.

A request takes the snapshot once and keeps it, so a catalog change never mixes two states within
one request. Credentials live here in plain, in memory only, and no `repr` shows them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.platform.pricing.prices import Price

Disconnect = Literal["abort", "drain"]
ENDPOINTS = ("chat", "completions", "embeddings", "responses", "messages", "gemini")
_OPENAI = ("chat", "completions", "embeddings", "responses")

# What a provider of each kind speaks unless its entry says otherwise. A provider may be asked in
# another dialect too: the data plane translates to one of these.
KINDS: Mapping[str, tuple[str, ...]] = {
    "openai": _OPENAI,
    "azure-openai": _OPENAI,
    "anthropic": ("messages",),
    "gemini": ("gemini",),
    "bedrock": ("messages",),
    "sandbox": _OPENAI,
}


@dataclass(frozen=True, slots=True)
class Provider:
    """An upstream: where it is, how to reach it, what it speaks.

    `host` is lower case and without brackets, `path` has no trailing slash. `needs_key` with
    `api_key` None: a key is configured but its environment variable (`missing_variable`) is unset.
    `proxy` is an `http://` or `socks5://` URL that may hold credentials. `region` is of kind
    bedrock, `api_version` of azure-openai.
    """

    name: str
    kind: str
    scheme: str
    host: str
    port: int
    path: str
    api_key: str | None = field(default=None, repr=False)
    needs_key: bool = False
    missing_variable: str | None = None
    allow_private_address: bool = False
    proxy: str | None = field(default=None, repr=False)
    disconnect: Disconnect = "abort"
    endpoints: frozenset[str] = frozenset(_OPENAI)
    region: str | None = None
    api_version: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One way to serve a model: a provider, and the name it knows the model by."""

    provider: Provider
    model: str


@dataclass(frozen=True, slots=True)
class Model:
    """What clients ask for. `targets` are in the order to try; `price` None means refused.

    `output_reserve_tokens` None means the setting `ledger.output_reserve_tokens`.
    """

    name: str
    context_tokens: int
    max_output_tokens: int
    output_reserve_tokens: int | None
    encoding: str
    targets: tuple[Target, ...]
    price: Price | None
    created_s: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every provider and model by name, the warnings found while loading, and when to look again.

    `next_price_us` is when the next scheduled price takes effect, if one is scheduled.
    """

    models: Mapping[str, Model] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    next_price_us: int | None = None
