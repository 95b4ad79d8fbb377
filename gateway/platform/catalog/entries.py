"""What a catalog document says, as values: providers, models and their targets by name.

Plain data without behaviour; reading, comparing, storing and writing them are in the files beside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.platform.catalog.snapshot import KINDS
from gateway.platform.pricing.prices import Price

STORED = "stored"
ENV_PREFIX = "env:"


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """One `[[providers]]` table. `api_key`, `api_keys` and `proxy` may hold secrets: never shown.

    `api_keys` is a pool that requests take turns at, instead of `api_key`. `health_interval_s`
    None: the provider is never asked without a request.
    """

    name: str
    kind: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    allow_private_address: bool = False
    proxy: str | None = field(default=None, repr=False)
    disconnect: str = "abort"
    endpoints: tuple[str, ...] = KINDS["openai"]
    region: str | None = None
    api_version: str | None = None
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    health_interval_s: int | None = None
    quirks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """One `[[models.targets]]` table; `price` None means the model's own."""

    provider: str
    model: str
    weight: int = 1
    region: str | None = None
    max_concurrent: int | None = None
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One `[[models]]` table; `targets` are in the order to try where the policy is `ordered`.

    `encoding` None means: the counter's own choice for the first target's model. `fallbacks` are
    names of other models, tried when no target of this one can answer.
    """

    name: str
    context_tokens: int
    max_output_tokens: int
    output_reserve_tokens: int | None
    encoding: str | None
    targets: tuple[TargetEntry, ...]
    price: Price | None
    policy: str = "ordered"
    aliases: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    hedge: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A whole catalog by name, in the order it was written."""

    providers: Mapping[str, ProviderEntry]
    models: Mapping[str, ModelEntry]
