"""What an apply would change: the stored catalog against a wanted document, line by line.

Pure: two documents give a list of changes. Entries the wanted document does not name are left
alone unless `prune` is asked for. A changed credential is named, never shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gateway.platform.catalog.entries import (
    ENV_PREFIX,
    STORED,
    Document,
    ModelEntry,
    ProviderEntry,
    TargetEntry,
)
from gateway.platform.catalog.reader import CatalogError, nearest
from gateway.platform.catalog.render import shown_api_key, shown_proxy
from gateway.platform.pricing import prices
from gateway.platform.pricing.prices import Price

Sign = Literal["+", "-", "~"]
# What may be written as "stored", and what is wrong where nothing is.
_NOT_STORED = {
    "api_key": 'api_key = "stored", but none is stored here; write the value itself or "env:NAME"',
    "proxy": 'proxy = "stored", but none is stored here; write the value itself',
}


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

    Raises CatalogError when a target names no known provider, a fallback no known model, an alias
    is another model's name, or "stored" has nothing stored.
    """
    wanted = Document(
        {name: _keep_stored(entry, stored) for name, entry in wanted.providers.items()},
        wanted.models,
    )
    usable = set(wanted.providers) | (set() if prune else set(stored.providers))
    for model in wanted.models.values():
        for target in model.targets:
            if target.provider not in usable:
                raise CatalogError(
                    f"model {model.name!r}: no provider {target.provider!r}"
                    f"{nearest(target.provider, usable)}"
                )
    _check_names({**({} if prune else stored.models), **wanted.models})
    changes = _entries("provider", stored.providers, wanted.providers)
    changes += _entries("model", stored.models, wanted.models)
    if prune:
        # Models leave before the providers their targets refer to.
        gone_models = [name for name in stored.models if name not in wanted.models]
        gone_providers = [name for name in stored.providers if name not in wanted.providers]
        changes += [Change("-", "model", name) for name in gone_models]
        changes += [Change("-", "provider", name) for name in gone_providers]
    return changes


def newly_used(stored: Document, changes: list[Change]) -> list[str]:
    """Providers that changes add, send elsewhere or give a model they did not serve, once each.

    The sandbox is no provider of anybody else's.
    """
    kinds = {name: entry.kind for name, entry in stored.providers.items()}
    found: dict[str, None] = {}
    for change in changes:
        entry = change.entry
        if isinstance(entry, ProviderEntry):
            kinds[entry.name] = entry.kind
            before = stored.providers.get(entry.name)
            if before is None or before.base_url != entry.base_url:
                found[entry.name] = None
        elif isinstance(entry, ModelEntry):
            model = stored.models.get(entry.name)
            served = {each.provider for each in model.targets} if model is not None else set()
            found |= {e.provider: None for e in entry.targets if e.provider not in served}
    return [name for name in found if kinds[name] != "sandbox"]


def _check_names(models: Mapping[str, ModelEntry]) -> None:
    """Aliases name one model each, fallbacks another model that is there."""
    owners: dict[str, str] = {}
    for model in models.values():
        for alias in model.aliases:
            taken = alias if alias in models else owners.get(alias)
            if taken is not None:
                raise CatalogError(
                    f"model {model.name!r}: the alias {alias!r} is taken by model {taken!r}"
                )
            owners[alias] = model.name
        for fallback in model.fallbacks:
            if fallback == model.name or fallback not in models:
                others = set(models) - {model.name}
                raise CatalogError(
                    f"model {model.name!r}: fallback {fallback!r} is no other model"
                    f"{nearest(fallback, others)}"
                )


def _keep_stored(entry: ProviderEntry, stored: Document) -> ProviderEntry:
    """Put what is stored where the document says "stored"."""
    before = stored.providers.get(entry.name)
    for field, lack in _NOT_STORED.items():
        if getattr(entry, field) != STORED:
            continue
        kept = getattr(before, field) if before is not None else None
        if kept is None:
            raise CatalogError(f"provider {entry.name!r}: {lack}")
        entry = replace(entry, **{field: kept})
    if STORED in entry.api_keys:
        entry = replace(entry, api_keys=_keep_stored_pool(entry, before))
    return entry


def _keep_stored_pool(entry: ProviderEntry, before: ProviderEntry | None) -> tuple[str, ...]:
    """The n-th "stored" of a pool is the n-th literal key that is stored, in their order."""
    pool = before.api_keys if before is not None else ()
    literals = [key for key in pool if not key.startswith(ENV_PREFIX)]
    if entry.api_keys.count(STORED) > len(literals):
        raise CatalogError(
            f'provider {entry.name!r}: api_keys has more "stored" keys than are stored here '
            f'({len(literals)}); write the key itself or "env:NAME"'
        )
    return tuple(literals.pop(0) if key == STORED else key for key in entry.api_keys)


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
        elif field == "targets":
            if (was := _shown(field, old)) != (now := _shown(field, new)):
                details.append(f"targets {was} -> {now}")
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
        return ", ".join(map(_target_words, value))
    if field == "api_keys" and value:
        return ", ".join(key if key.startswith(ENV_PREFIX) else "(hidden)" for key in value)
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _target_words(target: TargetEntry) -> str:
    """A target in words that are equal for equal targets only."""
    words = f"{target.provider}:{target.model}"
    if target.weight != 1:
        words += f" weight {target.weight}"
    if target.region is not None:
        words += f" region {target.region}"
    if target.max_concurrent is not None:
        words += f" at most {target.max_concurrent}"
    if target.price is not None:
        words += f" price {_price_words(target.price)}"
    return words
