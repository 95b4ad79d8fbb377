"""Makes the snapshot that requests read from a document: references resolved, prices settled.

Pure but for the environment it is given. A missing variable or price makes a warning, never an
error: the rest of the catalog works on.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.platform.catalog.address import split_base_url
from gateway.platform.catalog.entries import ENV_PREFIX, Document, ProviderEntry, TargetEntry
from gateway.platform.catalog.snapshot import Announced, Model, Provider, Snapshot, Target
from gateway.platform.metering.encodings import (
    DEFAULT_ENCODING,
    encoding_for_model,
    known_encodings,
)
from gateway.platform.pricing.dearest import dearest
from gateway.platform.pricing.prices import Price


def build_snapshot(
    document: Document,
    created_us: Mapping[str, int],
    environ: Mapping[str, str],
    *,
    sandbox: bool = True,
    next_price_us: int | None = None,
    coming: Mapping[str, tuple[Announced, ...]] | None = None,
) -> Snapshot:
    """A snapshot of a document; pure but for the environment it is given."""
    warnings: list[str] = []
    providers: dict[str, Provider] = {}
    for entry in document.providers.values():
        if entry.kind == "sandbox" and not sandbox:
            continue
        provider = _provider(entry, environ)
        if provider.missing_variable is not None:
            lack = f"{provider.missing_variable} is not set"
            warnings.append(
                f"provider {entry.name} has no credentials: {lack}"
                if provider.api_key is None
                else f"provider {entry.name} has fewer keys than it should: {lack}"
            )
        providers[entry.name] = provider
    models: dict[str, Model] = {}
    known = known_encodings()
    for model in document.models.values():
        targets = tuple(
            _target(entry, providers[entry.provider], model.price)
            for entry in model.targets
            if entry.provider in providers
        )
        if not targets:
            continue
        if model.price is None:
            warnings.append(f"model {model.name} has no price: requests for it are refused")
        encoding = model.encoding or encoding_for_model(targets[0].model)
        if encoding not in known:
            warnings.append(f"model {model.name} is counted as {DEFAULT_ENCODING}: no {encoding}")
            encoding = DEFAULT_ENCODING
        models[model.name] = Model(
            name=model.name,
            context_tokens=model.context_tokens,
            max_output_tokens=model.max_output_tokens,
            output_reserve_tokens=model.output_reserve_tokens,
            encoding=encoding,
            targets=targets,
            price=model.price,
            created_s=created_us.get(model.name, 0) // 1_000_000,
            policy=model.policy,
            aliases=model.aliases,
            fallbacks=model.fallbacks,
            hedge=model.hedge,
            dearest_price=dearest([target.price for target in targets if target.price is not None]),
        )
    return Snapshot(
        MappingProxyType(models),
        MappingProxyType(providers),
        tuple(warnings),
        next_price_us,
        MappingProxyType({alias: model for model in models.values() for alias in model.aliases}),
        MappingProxyType(coming or {}),
    )


def _target(entry: TargetEntry, provider: Provider, price: Price | None) -> Target:
    return Target(
        provider,
        entry.model,
        entry.weight,
        entry.region,
        entry.max_concurrent,
        entry.price if entry.price is not None else price,
    )


def _provider(entry: ProviderEntry, environ: Mapping[str, str]) -> Provider:
    address = split_base_url(entry.base_url)
    configured = entry.api_keys or (() if entry.api_key is None else (entry.api_key,))
    usable: list[str] = []
    missing: str | None = None
    for api_key in configured:
        found: str | None = api_key
        if api_key.startswith(ENV_PREFIX):
            variable = api_key.removeprefix(ENV_PREFIX)
            found = environ.get(variable, "").strip() or None
            if found is not None and not (found.isascii() and found.isprintable()):
                found = None  # it could not stand in a header line
            missing = missing or (variable if found is None else None)
        if found is not None and found not in usable:
            usable.append(found)
    return Provider(
        name=entry.name,
        kind=entry.kind,
        scheme=address.scheme,
        host=address.host,
        port=address.port,
        path=address.path,
        api_key=usable[0] if usable else None,
        needs_key=bool(configured),
        missing_variable=missing,
        allow_private_address=entry.allow_private_address,
        proxy=entry.proxy,
        disconnect="drain" if entry.disconnect == "drain" else "abort",
        endpoints=frozenset(entry.endpoints),
        quirks=frozenset(entry.quirks),
        api_keys=tuple(usable),
        health_interval_s=entry.health_interval_s,
        region=entry.region,
        api_version=entry.api_version,
    )
