"""The catalog as a declarative TOML document: read strictly, written back in the same form.

An entry is made exactly as the file says: a key left out means its default. Unknown keys are
errors that name the nearest known one. `api_key` is `env:NAME` (a reference, kept as such), a
literal (stored encrypted), or "stored" (keep what is there: what an export writes in place of a
literal); `api_keys` is a list of such. This file knows nothing of the database; its errors never
quote a credential.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from gateway.base.money import MoneyError
from gateway.platform.catalog.address import split_base_url, split_url
from gateway.platform.catalog.entries import (
    ENV_PREFIX,
    STORED,
    Document,
    ModelEntry,
    ProviderEntry,
    TargetEntry,
)
from gateway.platform.catalog.reader import MAX_LIST, MODEL_NAME, NAME, CatalogError, Table, nearest
from gateway.platform.catalog.snapshot import ENDPOINTS, KINDS, POLICIES, QUIRKS
from gateway.platform.pricing import prices
from gateway.platform.pricing.prices import Price

__all__ = [
    "ENV_PREFIX",
    "KINDS",
    "SANDBOX_URL",
    "STORED",
    "CatalogError",
    "Document",
    "ModelEntry",
    "ProviderEntry",
    "TargetEntry",
    "nearest",
    "parse",
    "read_file",
]

SANDBOX_URL = "http://sandbox.invalid/v1"
# Where a provider is when its entry names no address; `{region}` is the entry's own.
BASE_URLS = {
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "bedrock": "https://bedrock-runtime.{region}.amazonaws.com",
    "sandbox": SANDBOX_URL,
}
MAX_FILE_BYTES = 16 * 2**20
MAX_WEIGHT = 1_000_000
MAX_CONCURRENT = 1_000_000
MAX_HEALTH_INTERVAL_S = 86_400
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def read_file(path: Path) -> str:
    """The text of a catalog file. Raises CatalogError."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CatalogError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
        return path.read_text("utf-8")
    except OSError as error:
        raise CatalogError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CatalogError(f"{path} is not text in UTF-8") from None


def parse(text: str, source: str = "catalog") -> Document:
    """Read a document. Raises CatalogError: one line that names the file, the entry and the key."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{source} is not valid TOML: {error}") from None
    top = Table(source, raw, ("providers", "models"))
    providers: dict[str, ProviderEntry] = {}
    for index, table in enumerate(top.tables("providers"), 1):
        provider = _provider(_where(source, "provider", index, table), table)
        if provider.name in providers:
            raise CatalogError(f"{source}: provider {provider.name!r} is written twice")
        providers[provider.name] = provider
    models: dict[str, ModelEntry] = {}
    for index, table in enumerate(top.tables("models"), 1):
        model = _model(_where(source, "model", index, table), table)
        if model.name in models:
            raise CatalogError(f"{source}: model {model.name!r} is written twice")
        models[model.name] = model
    return Document(providers, models)


def _where(source: str, noun: str, index: int, table: Any) -> str:
    name = table.get("name") if isinstance(table, dict) else None
    known = f" {name[:200]!r}" if isinstance(name, str) else f" {index}"
    return f"{source}: {noun}{known}"


_PROVIDER_KEYS = (
    "name",
    "kind",
    "base_url",
    "api_key",
    "allow_private_address",
    "proxy",
    "disconnect",
    "endpoints",
    "region",
    "api_version",
    "api_keys",
    "health_interval_s",
    "quirks",
)


def _provider(where: str, raw: Any) -> ProviderEntry:
    entry = Table(where, raw, _PROVIDER_KEYS)
    name = entry.text("name", pattern=NAME)
    kind = entry.choice("kind", "openai", tuple(KINDS))
    region, api_version = _own_fields(entry, kind)
    default = BASE_URLS.get(kind)
    base_url = entry.url("base_url", split_base_url, default and default.format(region=region))
    if base_url is None:
        raise entry.fail("base_url is missing")
    api_key = entry.get("api_key")
    if api_key is not None:
        _check_api_key(entry, "api_key", api_key)
    spoken = ENDPOINTS if kind == "openai" else KINDS[kind]
    endpoints = entry.some("endpoints", spoken, default=KINDS[kind])
    if not endpoints:
        raise entry.fail(f"endpoints is a list of {', '.join(spoken)}")
    return ProviderEntry(
        name=name,
        kind=kind,
        base_url=base_url,
        api_key=api_key,
        allow_private_address=entry.flag("allow_private_address"),
        proxy=entry.url("proxy", _check_proxy),
        disconnect=entry.choice("disconnect", "abort", ("abort", "drain")),
        endpoints=endpoints,
        region=region,
        api_version=api_version,
        api_keys=_api_keys(entry),
        health_interval_s=entry.number("health_interval_s", 1, MAX_HEALTH_INTERVAL_S),
        quirks=entry.some("quirks", QUIRKS),
    )


def _own_fields(entry: Table, kind: str) -> tuple[str | None, str | None]:
    """`region` and `api_version`, each where the kind has it."""
    for key, owner in (("region", "bedrock"), ("api_version", "azure-openai")):
        if entry.get(key) is not None and kind != owner:
            raise entry.fail(f"{key} belongs to kind {owner}")
    region = entry.text("region", pattern=_REGION) if kind == "bedrock" else None
    version = entry.get("api_version")
    return region, None if version is None else entry.text("api_version", pattern=NAME)


def _api_keys(entry: Table) -> tuple[str, ...]:
    value = entry.get("api_keys")
    if value is None:
        return ()
    if entry.get("api_key") is not None:
        raise entry.fail("api_key or api_keys, not both")
    if not isinstance(value, list) or not 0 < len(value) <= MAX_LIST:
        raise entry.fail(f"api_keys is a list of 1 to {MAX_LIST} keys")
    for api_key in value:
        _check_api_key(entry, "api_keys", api_key)
        if api_key != STORED and value.count(api_key) > 1:
            raise entry.fail("api_keys: one of them is written twice")
    return tuple(value)


def _check_api_key(entry: Table, key: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise entry.fail(f'{key} is "env:NAME", a key, or left out')
    if value.startswith(ENV_PREFIX):
        if not _ENV_NAME.fullmatch(value.removeprefix(ENV_PREFIX)):
            raise entry.fail(f"{key}: after env: the name of an environment variable is expected")
    elif not (value.isascii() and value.isprintable() and " " not in value and len(value) < 4_096):
        # It goes into a header line as it stands.
        raise entry.fail(f"{key} must be plain ASCII without spaces")


def _check_proxy(url: str) -> None:
    if url != STORED:
        split_url(url, ("http", "socks5"))


_MODEL_KEYS = (
    "name",
    "context_tokens",
    "max_output_tokens",
    "output_reserve_tokens",
    "encoding",
    "targets",
    "price",
    "policy",
    "aliases",
    "fallbacks",
    "hedge",
)
_TARGET_KEYS = ("provider", "model", "weight", "region", "max_concurrent", "price")


def _model(where: str, raw: Any) -> ModelEntry:
    entry = Table(where, raw, _MODEL_KEYS)
    name = entry.text("name", pattern=MODEL_NAME)
    context = entry.tokens("context_tokens", least=1)
    longest = entry.tokens("max_output_tokens", least=0)
    if context is None or longest is None:
        missing = "context_tokens" if context is None else "max_output_tokens"
        raise entry.fail(f"{missing} is missing")
    targets = tuple(_target(entry, table) for table in entry.tables("targets"))
    if not targets:
        raise entry.fail("at least one [[models.targets]] is needed")
    pairs = [(target.provider, target.model) for target in targets]
    for provider, model in pairs:
        if pairs.count((provider, model)) > 1:
            raise entry.fail(f"the target {provider}:{model} is written twice")
    return ModelEntry(
        name=name,
        context_tokens=context,
        max_output_tokens=longest,
        output_reserve_tokens=entry.tokens("output_reserve_tokens", least=1),
        encoding=entry.text("encoding", pattern=NAME) if entry.get("encoding") else None,
        targets=targets,
        price=_price(entry, entry.get("price")),
        policy=entry.choice("policy", "ordered", POLICIES),
        aliases=entry.names("aliases", MODEL_NAME),
        fallbacks=entry.names("fallbacks", MODEL_NAME),
        hedge=entry.flag("hedge"),
    )


def _target(model: Table, raw: Any) -> TargetEntry:
    entry = Table(f"{model.where}: target", raw, _TARGET_KEYS)
    return TargetEntry(
        provider=entry.text("provider", pattern=NAME),
        model=entry.text("model", pattern=MODEL_NAME),
        weight=entry.number("weight", 0, MAX_WEIGHT, 1) or 0,
        region=entry.text("region", pattern=NAME) if entry.get("region") else None,
        max_concurrent=entry.number("max_concurrent", 1, MAX_CONCURRENT),
        price=_price(entry, entry.get("price")),
    )


def _price(model: Table, raw: Any) -> Price | None:
    if raw is None:
        return None
    known = prices.known_fields(raw) if isinstance(raw, dict) else ()
    entry = Table(f"{model.where}: price", raw, known)
    for key, value in raw.items():
        if not isinstance(value, str):
            raise entry.fail(f'{key} is a decimal in quotes, such as "0.15"')
    try:
        return prices.parse(raw)
    except MoneyError as error:
        raise entry.fail(str(error)) from None
