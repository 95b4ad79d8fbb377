"""Writes a catalog document as TOML that `catalog apply` reads back to the same catalog.

A literal credential is never written: "stored" stands in its place, which an apply to the same
installation understands as "keep it". Keys that equal their default are left out.
"""

import json

from gateway.platform.catalog.document import SANDBOX_URL
from gateway.platform.catalog.entries import (
    ENV_PREFIX,
    STORED,
    Document,
    ModelEntry,
    ProviderEntry,
    TargetEntry,
)
from gateway.platform.catalog.snapshot import KINDS
from gateway.platform.pricing import prices
from gateway.platform.pricing.prices import Price


def render(document: Document) -> str:
    """The document as TOML text, entries in their own order."""
    blocks = [_provider(entry) for entry in document.providers.values()]
    blocks += [_model(entry) for entry in document.models.values()]
    return "\n".join(blocks)


def shown_api_key(api_key: str) -> str:
    """An `api_key` as it may be shown: a reference as it is, a literal as "stored"."""
    return api_key if api_key.startswith(ENV_PREFIX) else STORED


def shown_proxy(proxy: str) -> str:
    """A proxy as it may be shown: one that holds credentials as "stored"."""
    return STORED if "@" in proxy else proxy


def _text(value: str) -> str:
    # JSON's string escapes are TOML's too, except that TOML also wants DEL escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _provider(entry: ProviderEntry) -> str:
    lines = ["[[providers]]", f"name = {_text(entry.name)}", f"kind = {_text(entry.kind)}"]
    if entry.kind != "sandbox" or entry.base_url != SANDBOX_URL:
        lines.append(f"base_url = {_text(entry.base_url)}")
    if entry.api_key is not None:
        lines.append(f"api_key = {_text(shown_api_key(entry.api_key))}")
    if entry.api_keys:
        lines.append(f"api_keys = {_list(tuple(map(shown_api_key, entry.api_keys)))}")
    if entry.allow_private_address:
        lines.append("allow_private_address = true")
    if entry.proxy is not None:
        lines.append(f"proxy = {_text(shown_proxy(entry.proxy))}")
    if entry.disconnect != "abort":
        lines.append(f"disconnect = {_text(entry.disconnect)}")
    if entry.region is not None:
        lines.append(f"region = {_text(entry.region)}")
    if entry.api_version is not None:
        lines.append(f"api_version = {_text(entry.api_version)}")
    if entry.endpoints != KINDS[entry.kind]:
        lines.append(f"endpoints = {_list(entry.endpoints)}")
    if entry.health_interval_s is not None:
        lines.append(f"health_interval_s = {entry.health_interval_s}")
    if entry.quirks:
        lines.append(f"quirks = {_list(entry.quirks)}")
    return "\n".join(lines) + "\n"


def _model(entry: ModelEntry) -> str:
    lines = [
        "[[models]]",
        f"name = {_text(entry.name)}",
        f"context_tokens = {entry.context_tokens}",
        f"max_output_tokens = {entry.max_output_tokens}",
    ]
    if entry.output_reserve_tokens is not None:
        lines.append(f"output_reserve_tokens = {entry.output_reserve_tokens}")
    if entry.encoding is not None:
        lines.append(f"encoding = {_text(entry.encoding)}")
    if entry.policy != "ordered":
        lines.append(f"policy = {_text(entry.policy)}")
    if entry.aliases:
        lines.append(f"aliases = {_list(entry.aliases)}")
    if entry.fallbacks:
        lines.append(f"fallbacks = {_list(entry.fallbacks)}")
    if entry.hedge:
        lines.append("hedge = true")
    for target in entry.targets:
        lines += _target(target)
    if entry.price is not None:
        lines += ["[models.price]", *_price(entry.price)]
    return "\n".join(lines) + "\n"


def _target(entry: TargetEntry) -> list[str]:
    lines = [
        "[[models.targets]]",
        f"provider = {_text(entry.provider)}",
        f"model = {_text(entry.model)}",
    ]
    if entry.weight != 1:
        lines.append(f"weight = {entry.weight}")
    if entry.region is not None:
        lines.append(f"region = {_text(entry.region)}")
    if entry.max_concurrent is not None:
        lines.append(f"max_concurrent = {entry.max_concurrent}")
    if entry.price is not None:
        lines += ["[models.targets.price]", *_price(entry.price)]
    return lines


def _price(price: Price) -> list[str]:
    return [f"{key} = {_text(text)}" for key, text in prices.render(price).items()]
