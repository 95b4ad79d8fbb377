"""The catalog as a declarative TOML document: read strictly, written back in the same form.

An entry is made exactly as the file says: a key left out means its default. Unknown keys are
errors that name the nearest known one. `api_key` is `env:NAME` (a reference, kept as such), a
literal (stored encrypted), or "stored" (keep what is there: what an export writes in place of a
literal). This file knows nothing of the database; its errors never quote a credential.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.base.money import MoneyError
from gateway.platform.catalog.address import split_base_url, split_url
from gateway.platform.catalog.snapshot import ENDPOINTS, KINDS
from gateway.platform.pricing import prices
from gateway.platform.pricing.prices import Price
from gateway.platform.refusals import Refusal

STORED = "stored"
ENV_PREFIX = "env:"
SANDBOX_URL = "http://sandbox.invalid/v1"
# Where a provider is when its entry names no address; `{region}` is the entry's own.
BASE_URLS = {
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "bedrock": "https://bedrock-runtime.{region}.amazonaws.com",
    "sandbox": SANDBOX_URL,
}
MAX_MODEL_TOKENS = 100_000_000
MAX_FILE_BYTES = 16 * 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class CatalogError(Refusal):
    """The document is malformed or refers to something that is not there; nothing was changed."""


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """One `[[providers]]` table. `api_key` and `proxy` may hold secrets and are not shown."""

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


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One `[[models]]` table; `targets` are (provider, model) pairs in the order to try.

    `encoding` None means: the counter's own choice for the first target's model.
    """

    name: str
    context_tokens: int
    max_output_tokens: int
    output_reserve_tokens: int | None
    encoding: str | None
    targets: tuple[tuple[str, str], ...]
    price: Price | None


@dataclass(frozen=True, slots=True)
class Document:
    """A whole catalog by name, in the order it was written."""

    providers: Mapping[str, ProviderEntry]
    models: Mapping[str, ModelEntry]


def nearest(name: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or the known names where none is near."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known)) or 'none'}"


class _Entry:
    """One table of the document while it is read: typed access, then a check for unknown keys."""

    def __init__(self, where: str, raw: Any, known: tuple[str, ...]) -> None:
        self.where = where
        if not isinstance(raw, dict):
            raise CatalogError(f"{where} must be a table")
        for key in raw:
            if key not in known:
                raise CatalogError(f"{where}: unknown key {key!r}{nearest(key, known)}")
        self._raw = raw

    def fail(self, text: str) -> CatalogError:
        return CatalogError(f"{self.where}: {text}")

    def text(self, key: str, default: str | None = None, *, pattern: re.Pattern[str]) -> str:
        value = self._raw.get(key, default)
        if value is None:
            raise self.fail(f"{key} is missing")
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.fail(f"{key} is not a valid name: letters, digits and a few marks")
        return value

    def choice(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        value = self._raw.get(key, default)
        if value not in choices:
            raise self.fail(f"{key} is one of {', '.join(choices)}")
        return str(value)

    def flag(self, key: str) -> bool:
        value = self._raw.get(key, False)
        if not isinstance(value, bool):
            raise self.fail(f"{key} is true or false")
        return value

    def tokens(self, key: str, *, least: int, default: int | None = None) -> int | None:
        value = self._raw.get(key, default)
        if value is None:
            return None
        if type(value) is not int or not least <= value <= MAX_MODEL_TOKENS:
            raise self.fail(f"{key} is a whole number of tokens, at least {least}")
        return value

    def url(self, key: str, check: Callable[[str], Any], default: str | None = None) -> str | None:
        value = self._raw.get(key, default)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.fail(f"{key} must be a URL in quotes")
        try:
            check(value)
        except ValueError as error:
            raise self.fail(f"{key} {error}") from None
        return value

    def tables(self, key: str) -> list[Any]:
        value = self._raw.get(key, [])
        if not isinstance(value, list):
            raise self.fail(f"{key} must be written as [[{key}]]")
        return value

    def get(self, key: str) -> Any:
        return self._raw.get(key)


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
    top = _Entry(source, raw, ("providers", "models"))
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
)


def _provider(where: str, raw: Any) -> ProviderEntry:
    entry = _Entry(where, raw, _PROVIDER_KEYS)
    name = entry.text("name", pattern=_NAME)
    kind = entry.choice("kind", "openai", tuple(KINDS))
    region, api_version = _own_fields(entry, kind)
    default = BASE_URLS.get(kind)
    base_url = entry.url("base_url", split_base_url, default and default.format(region=region))
    if base_url is None:
        raise entry.fail("base_url is missing")
    api_key = entry.get("api_key")
    if api_key is not None:
        _check_api_key(entry, api_key)
    spoken = ENDPOINTS if kind == "openai" else KINDS[kind]
    endpoints = entry.get("endpoints")
    if endpoints is None:
        endpoints = list(KINDS[kind])
    if not isinstance(endpoints, list) or not endpoints or set(map(str, endpoints)) - {*spoken}:
        raise entry.fail(f"endpoints is a list of {', '.join(spoken)}")
    return ProviderEntry(
        name=name,
        kind=kind,
        base_url=base_url,
        api_key=api_key,
        allow_private_address=entry.flag("allow_private_address"),
        proxy=entry.url("proxy", _check_proxy),
        disconnect=entry.choice("disconnect", "abort", ("abort", "drain")),
        endpoints=tuple(name for name in ENDPOINTS if name in endpoints),
        region=region,
        api_version=api_version,
    )


def _own_fields(entry: _Entry, kind: str) -> tuple[str | None, str | None]:
    """`region` and `api_version`, each where the kind has it."""
    for key, owner in (("region", "bedrock"), ("api_version", "azure-openai")):
        if entry.get(key) is not None and kind != owner:
            raise entry.fail(f"{key} belongs to kind {owner}")
    region = entry.text("region", pattern=_REGION) if kind == "bedrock" else None
    version = entry.get("api_version")
    return region, None if version is None else entry.text("api_version", pattern=_NAME)


def _check_api_key(entry: _Entry, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise entry.fail('api_key is "env:NAME", a key, or left out')
    if value.startswith(ENV_PREFIX):
        if not _ENV_NAME.fullmatch(value.removeprefix(ENV_PREFIX)):
            raise entry.fail("api_key: after env: the name of an environment variable is expected")
    elif not (value.isascii() and value.isprintable() and " " not in value and len(value) < 4_096):
        # It goes into a header line as it stands.
        raise entry.fail("api_key must be plain ASCII without spaces")


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
)


def _model(where: str, raw: Any) -> ModelEntry:
    entry = _Entry(where, raw, _MODEL_KEYS)
    name = entry.text("name", pattern=_MODEL_NAME)
    context = entry.tokens("context_tokens", least=1)
    longest = entry.tokens("max_output_tokens", least=0)
    if context is None or longest is None:
        missing = "context_tokens" if context is None else "max_output_tokens"
        raise entry.fail(f"{missing} is missing")
    targets = tuple(_target(entry, table) for table in entry.tables("targets"))
    if not targets:
        raise entry.fail("at least one [[models.targets]] is needed")
    return ModelEntry(
        name=name,
        context_tokens=context,
        max_output_tokens=longest,
        output_reserve_tokens=entry.tokens("output_reserve_tokens", least=1),
        encoding=entry.text("encoding", pattern=_NAME) if entry.get("encoding") else None,
        targets=targets,
        price=_price(entry, entry.get("price")),
    )


def _target(model: _Entry, raw: Any) -> tuple[str, str]:
    entry = _Entry(f"{model.where}: target", raw, ("provider", "model"))
    return entry.text("provider", pattern=_NAME), entry.text("model", pattern=_MODEL_NAME)


def _price(model: _Entry, raw: Any) -> Price | None:
    if raw is None:
        return None
    known = prices.known_fields(raw) if isinstance(raw, dict) else ()
    entry = _Entry(f"{model.where}: price", raw, known)
    for key, value in raw.items():
        if not isinstance(value, str):
            raise entry.fail(f'{key} is a decimal in quotes, such as "0.15"')
    try:
        return prices.parse(raw)
    except MoneyError as error:
        raise entry.fail(str(error)) from None
