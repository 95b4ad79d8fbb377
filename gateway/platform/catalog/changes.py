"""What an apply would change: the stored catalog against a wanted document, line by line.

Pure: two documents give a list of changes. Entries the wanted document does not name are left
alone unless `prune` is asked for. A changed credential is named, never shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gateway.platform.catalog.document import (
    STORED,
    CatalogError,
    Document,
    ModelEntry,
    ProviderEntry,
    nearest,
)
from gateway.platform.catalog.render import shown_api_key, shown_proxy
from gateway.platform.pricing import prices
from gateway.platform.pricing.prices import Price

Sign = Literal["+", "-", "~"]


@dataclass(frozen=True, slots=True)
class Change:
    """One entry added (+), removed (-) or changed (~); `entry` is what it becomes, if anything."""

    sign: Sign
    noun: Literal["provider", "model"]
    name: str
    details: tuple[str, ...] = ()
    entry: ProviderEntry | ModelEntry | None = None

    def __str__(self) -> str:
        details = ": " + "; ".join(self.details) if self.details else ""
        return f"{self.sign} {self.noun} {self.name}{details}"


def compare(stored: Document, wanted: Document, *, prune: bool = False) -> list[Change]:
    """The changes that make `stored` what `wanted` says, in an order that can be applied.

    Raises CatalogError when a target names no known provider, or "stored" has nothing stored.
    """
    wanted = Document(
        {name: _keep_stored(entry, stored) for name, entry in wanted.providers.items()},
        wanted.models,
    )
    usable = set(wanted.providers) | (set() if prune else set(stored.providers))
    for model in wanted.models.values():
        for provider, _ in model.targets:
            if provider not in usable:
                raise CatalogError(
                    f"model {model.name!r}: no provider {provider!r}{nearest(provider, usable)}"
                )
    changes = _entries("provider", stored.providers, wanted.providers)
    changes += _entries("model", stored.models, wanted.models)
    if prune:
        # Models leave before the providers their targets refer to.
        gone_models = [name for name in stored.models if name not in wanted.models]
        gone_providers = [name for name in stored.providers if name not in wanted.providers]
        changes += [Change("-", "model", name) for name in gone_models]
        changes += [Change("-", "provider", name) for name in gone_providers]
    return changes


def _keep_stored(entry: ProviderEntry, stored: Document) -> ProviderEntry:
    """Put what is stored where the document says "stored"."""
    before = stored.providers.get(entry.name)
    for field in ("api_key", "proxy"):
        if getattr(entry, field) != STORED:
            continue
        kept = getattr(before, field) if before is not None else None
        if kept is None:
            raise CatalogError(
                f'provider {entry.name!r}: {field} = "stored", but none is stored here; '
                "write the value itself" + (' or "env:NAME"' if field == "api_key" else "")
            )
        entry = replace(entry, **{field: kept})
    return entry


def _entries(
    noun: Literal["provider", "model"],
    stored: Mapping[str, Any],
    wanted: Mapping[str, Any],
) -> list[Change]:
    changes = []
    for name, entry in wanted.items():
        before = stored.get(name)
        if before is None:
            changes.append(Change("+", noun, name, _summary(entry), entry))
            continue
        details = _details(before, entry)
        if details:
            changes.append(Change("~", noun, name, details, entry))
    return changes


def _summary(entry: ProviderEntry | ModelEntry) -> tuple[str, ...]:
    if isinstance(entry, ProviderEntry):
        return (entry.base_url if entry.kind != "sandbox" else "built in",)
    return (_price_words(entry.price),)


def _price_words(price: Price | None) -> str:
    if price is None:
        return "no price (requests are refused)"
    words = ", ".join(f"{key} {text}" for key, text in prices.render(price).items())
    plain = price.request or price.units
    return f"{words} USD" if plain else f"{words} USD per million tokens"


def _details(before: Any, after: Any) -> tuple[str, ...]:
    details = []
    for field in type(after).__dataclass_fields__:
        old, new = getattr(before, field), getattr(after, field)
        if field == "price":
            if not (old is new is None or (old is not None and old.same_as(new))):
                details.append(f"price {_price_words(old)} -> {_price_words(new)}")
        elif old != new:
            details.append(f"{field} {_shown(field, old)} -> {_shown(field, new)}")
    return tuple(details)


def _shown(field: str, value: Any) -> str:
    if value is None:
        return "none"
    if field == "api_key":
        shown = shown_api_key(value)
        return shown if shown != STORED else "(hidden)"
    if field == "proxy":
        return shown_proxy(value) if "@" not in value else "(hidden)"
    if field == "targets":
        return ", ".join(f"{provider}:{model}" for provider, model in value)
    if field == "endpoints":
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
