"""The catalog as requests see it: one immutable snapshot in memory, swapped whole.

A request takes the snapshot once and keeps it, so a catalog change never mixes two states within
one request. Credentials live here in plain, in memory only, and no `repr` shows them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from gateway.platform.pricing.prices import Price

Disconnect = Literal["abort", "drain"]
ENDPOINTS = (
    *("chat", "completions", "embeddings", "responses", "messages", "gemini"),
    *("images", "image_edits", "speech", "transcriptions", "translations"),
    *("moderations", "rerank", "realtime"),
)
_TEXT = ("chat", "completions", "embeddings", "responses")
_OPENAI = (*_TEXT, *ENDPOINTS[6:])

# What a provider of each kind speaks unless its entry says otherwise. A provider may be asked in
# another dialect too: the data plane translates to one of these.
KINDS: Mapping[str, tuple[str, ...]] = {
    "openai": _OPENAI,
    "azure-openai": _OPENAI,
    "anthropic": ("messages",),
    "gemini": ("gemini",),
    "bedrock": ("messages", "converse", "embeddings"),
    "sandbox": _TEXT,
}
POLICIES = ("ordered", "weighted", "latency", "cheapest", "sticky")

# How a provider departs from the OpenAI API. `max_tokens`, `max_completion_tokens`: it knows only
# this name of the limit on output. `no_stream_options`, `no_user`: it refuses that field; usage
# then comes unasked, or is counted here. `plain_text`: a message of nothing but text must be one
# string, not parts. `thinking`, `enable_thinking`: the switch of reasoning, which OpenAI's effort
# `none` becomes. `reasoning_content`: it refuses a call of a tool that its reasoning did not come
# back with, so a blank stands for it.
QUIRKS = (
    *("max_tokens", "max_completion_tokens", "no_stream_options", "no_user"),
    *("plain_text", "thinking", "enable_thinking", "reasoning_content"),
)


@dataclass(frozen=True, slots=True)
class Provider:
    """An upstream: where it is, how to reach it, what it speaks.

    `host` is lower case and without brackets, `path` has no trailing slash. `needs_key` with
    `api_key` None: a key is configured but its environment variable (`missing_variable`) is unset.
    `proxy` is an `http://` or `socks5://` URL that may hold credentials. `region` is of kind
    bedrock, `api_version` of azure-openai. `api_keys` are the keys of
    a pool that can be used here, `api_key` the first of them; `of_key(n)` is the same provider
    seen through the n-th, and `key_no` says which that is.
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
    quirks: frozenset[str] = frozenset()
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    key_no: int = 0
    health_interval_s: int | None = None

    def of_key(self, number: int) -> "Provider":
        """This provider with the n-th key of its pool as `api_key`."""
        if number == self.key_no:
            return self
        return replace(self, api_key=self.api_keys[number], key_no=number)


@dataclass(frozen=True, slots=True)
class Target:
    """One way to serve a model: a provider, and the name it knows the model by.

    `price` is what a request served here costs the caller: the target's own or the model's.
    """

    provider: Provider
    model: str
    weight: int = 1
    region: str | None = None
    max_concurrent: int | None = None
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """What clients ask for. `targets` are in the order to try; `price` None means refused.

    `output_reserve_tokens` None means the setting `ledger.output_reserve_tokens`.
    `dearest_price` is never below the price of any target, field by field: what a hold reckons
    with. `fallbacks` are models that are offered, without their own fallbacks.
    """

    name: str
    context_tokens: int
    max_output_tokens: int
    output_reserve_tokens: int | None
    encoding: str
    targets: tuple[Target, ...]
    price: Price | None
    created_s: int
    policy: str = "ordered"
    aliases: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    hedge: bool = False
    dearest_price: Price | None = None


class Announced(NamedTuple):
    """A price that will be in effect from a time on; None is a withdrawal."""

    effective_us: int
    price: Price | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every provider and model by name, the warnings found while loading, and when to look again.

    `aliases` are further names of models. `next_price_us` is when the next scheduled price takes
    effect, if one is scheduled; `coming` has those of each model, the next one first.
    """

    models: Mapping[str, Model] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    next_price_us: int | None = None
    aliases: Mapping[str, Model] = field(default_factory=dict)
    coming: Mapping[str, tuple[Announced, ...]] = field(default_factory=dict)

    def named(self, name: str) -> Model | None:
        """The model of a name or alias, or None."""
        return self.models.get(name) or self.aliases.get(name)
