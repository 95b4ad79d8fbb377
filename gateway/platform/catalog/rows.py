"""The catalog's rows: reading them as a document, applying changes, and finding prices in effect.

All SQL of the catalog is here, in functions of a connection; the caller owns the transaction.
Literal credentials are sealed to their provider's name before they are written.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from gateway.platform.catalog.changes import Change
from gateway.platform.catalog.entries import (
    ENV_PREFIX,
    Document,
    ModelEntry,
    ProviderEntry,
    TargetEntry,
)
from gateway.platform.pricing.prices import Price
from gateway.store.schema.catalog import models, prices, providers, targets
from gateway.store.secrets import Secrets

_KEY_COLUMN = "providers.api_key"
_PROXY_COLUMN = "providers.proxy"
_POOL_COLUMN = "providers.api_keys"

# What a price is of: a model, or one of its targets (a provider and its name for the model).
Priced = tuple[str, str, str]


def read_document(connection: Connection, secrets: Secrets, now_us: int) -> Document:
    """The stored catalog with the prices in effect at `now_us`; credentials in plain."""
    provider_rows = connection.execute(select(providers).order_by(providers.c.no)).all()
    by_no = {row.no: row.name for row in provider_rows}
    in_effect = read_prices(connection, now_us)
    found = connection.execute(select(models).order_by(models.c.no)).all()
    names = {row.no: row.name for row in found}
    routes: dict[int, list[TargetEntry]] = {}
    for row in connection.execute(
        select(targets).order_by(targets.c.model_no, targets.c.position)
    ).all():
        provider = by_no[row.provider_no]
        price = in_effect.get((names[row.model_no], provider, row.model))
        routes.setdefault(row.model_no, []).append(
            TargetEntry(provider, row.model, row.weight, row.region, row.max_concurrent, price)
        )
    return Document(
        {row.name: _provider_entry(row, secrets) for row in provider_rows},
        {
            row.name: ModelEntry(
                row.name,
                row.context_tokens,
                row.max_output_tokens,
                row.output_reserve_tokens,
                row.encoding or None,
                tuple(routes.get(row.no, ())),
                in_effect.get((row.name, "", "")),
                row.policy,
                _names(row.aliases),
                _names(row.fallbacks),
                bool(row.hedge),
            )
            for row in found
        },
    )


def _names(text: str) -> tuple[str, ...]:
    """A comma-separated column; names hold no comma."""
    return tuple(text.split(",")) if text else ()


def read_created_us(connection: Connection) -> dict[str, int]:
    """When each model was added, in epoch microseconds."""
    found = connection.execute(select(models.c.name, models.c.created_us)).all()
    return {row.name: row.created_us for row in found}


def read_prices(connection: Connection, now_us: int) -> dict[Priced, Price]:
    """The prices of models and targets in effect at `now_us`; none where it was withdrawn."""
    found = connection.execute(select(prices).where(_in_effect(now_us)).order_by(prices.c.no))
    in_effect: dict[Priced, Price] = {}
    for row in found:
        priced = (row.model, row.provider, row.target)
        in_effect.pop(priced, None)
        if not row.withdrawn:
            in_effect[priced] = _price(row)
    return in_effect


def read_version(connection: Connection, version: int) -> tuple[Price, int] | None:
    """A version of a price and when it took effect, in epoch microseconds; None for no such one."""
    row = connection.execute(select(prices).where(prices.c.no == version)).first()
    return None if row is None else (_price(row), int(row.effective_us))


def read_versions(connection: Connection, model: str) -> list[tuple[int, int, int, Price | None]]:
    """(number, effective_us, created_us, price or None) of a model's own price, newest first."""
    columns = prices.c
    query = select(prices).where(
        columns.model == model, columns.provider == "", columns.target == ""
    )
    return [
        (row.no, row.effective_us, row.created_us, None if row.withdrawn else _price(row))
        for row in connection.execute(query.order_by(columns.no.desc()))
    ]


def _in_effect(now_us: int) -> ColumnElement[bool]:
    """Of these rows a model's last one counts: a later decision replaces every earlier one.

    Only a version made for a later time waits for the clock, so a clock that steps back neither
    brings an old price back nor leaves a model without one.
    """
    columns = prices.c
    return or_(columns.effective_us <= columns.created_us, columns.effective_us <= now_us)


def next_price_us(connection: Connection, now_us: int) -> int | None:
    """When the next scheduled price takes effect, or None."""
    column = prices.c.effective_us
    query = select(func.min(column)).where(not_(_in_effect(now_us)))
    return connection.execute(query).scalar()


def awaiting(connection: Connection, now_us: int) -> list[str]:
    """The models that a version was made for whose time has not come, by name."""
    columns = prices.c
    query = select(columns.model).where(not_(_in_effect(now_us)), columns.provider == "")
    return list(connection.scalars(query.distinct().order_by(columns.model)))


def apply(connection: Connection, changes: Sequence[Change], secrets: Secrets, now_us: int) -> None:
    """Write changes in their order; the document they were made from is the stored one."""
    for change in changes:
        if change.noun == "provider":
            _apply_provider(connection, change, secrets)
        else:
            _apply_model(connection, change, now_us)


def _provider_entry(row: Any, secrets: Secrets) -> ProviderEntry:
    api_key: str | None = row.api_key_ref
    if row.api_key_sealed is not None:
        api_key = secrets.unseal(row.api_key_sealed, table=_KEY_COLUMN, row=row.name)
    proxy: str | None = row.proxy
    if row.proxy_sealed is not None:
        proxy = secrets.unseal(row.proxy_sealed, table=_PROXY_COLUMN, row=row.name)
    pool: tuple[str, ...] = ()
    if row.api_keys_sealed is not None:
        pool = tuple(
            secrets.unseal(row.api_keys_sealed, table=_POOL_COLUMN, row=row.name).split(" ")
        )
    return ProviderEntry(
        row.name,
        row.kind,
        row.base_url,
        api_key,
        bool(row.allow_private_address),
        proxy,
        row.disconnect,
        tuple(row.endpoints.split(",")),
        row.region,
        row.api_version,
        pool,
        row.health_interval_s,
        tuple(row.quirks.split(",")) if row.quirks else (),
    )


def _price(row: Any) -> Price:
    return Price(
        row.no,
        row.input_picousd,
        row.cache_read_picousd,
        row.cache_write_picousd,
        row.output_picousd,
        row.reasoning_picousd,
        row.request_picousd,
        tuple(msgspec.json.decode(row.units, type=dict[str, int]).items()) if row.units else (),
        bool(row.tokens_priced),
    )


def _apply_provider(connection: Connection, change: Change, secrets: Secrets) -> None:
    if change.entry is None:
        connection.execute(delete(providers).where(providers.c.name == change.name))
        return
    entry = change.entry
    if not isinstance(entry, ProviderEntry):
        raise TypeError("a provider's change carries a provider")
    is_reference = entry.api_key is not None and entry.api_key.startswith(ENV_PREFIX)
    sealed_key = sealed_proxy = None
    if entry.api_key is not None and not is_reference:
        sealed_key = secrets.seal(entry.api_key, table=_KEY_COLUMN, row=entry.name)
    if entry.proxy is not None and "@" in entry.proxy:
        sealed_proxy = secrets.seal(entry.proxy, table=_PROXY_COLUMN, row=entry.name)
    sealed_pool = None
    if entry.api_keys:  # a key holds no space
        sealed_pool = secrets.seal(" ".join(entry.api_keys), table=_POOL_COLUMN, row=entry.name)
    row = {
        "name": entry.name,
        "kind": entry.kind,
        "base_url": entry.base_url,
        "api_key_ref": entry.api_key if is_reference else None,
        "api_key_sealed": sealed_key,
        "allow_private_address": int(entry.allow_private_address),
        "proxy": entry.proxy if sealed_proxy is None else None,
        "proxy_sealed": sealed_proxy,
        "disconnect": entry.disconnect,
        "endpoints": ",".join(entry.endpoints),
        "region": entry.region,
        "api_version": entry.api_version,
        "api_keys_sealed": sealed_pool,
        "health_interval_s": entry.health_interval_s,
        "quirks": ",".join(entry.quirks),
    }
    if change.sign == "+":
        connection.execute(insert(providers).values(**row))
    else:
        connection.execute(update(providers).where(providers.c.name == entry.name).values(**row))


def _apply_model(connection: Connection, change: Change, now_us: int) -> None:
    name = change.name
    model_no = connection.execute(select(models.c.no).where(models.c.name == name)).scalar()
    if model_no is not None:
        connection.execute(delete(targets).where(targets.c.model_no == model_no))
    wanted: dict[Priced, Price | None] = {}
    if change.entry is None:
        connection.execute(delete(models).where(models.c.no == model_no))
        wanted[(name, "", "")] = None
    elif isinstance(change.entry, ModelEntry):
        _write_model(connection, change.entry, model_no, now_us)
        wanted[(name, "", "")] = change.entry.price
        for target in change.entry.targets:
            wanted[(name, target.provider, target.model)] = target.price
    else:
        raise TypeError("a model's change carries a model")
    for priced in read_prices(connection, now_us):
        if priced[0] == name:
            wanted.setdefault(priced, None)  # of a target that is gone
    for priced, price in wanted.items():
        _set_price(connection, priced, price, now_us)


def _write_model(
    connection: Connection, entry: ModelEntry, model_no: int | None, now_us: int
) -> None:
    row = {
        "context_tokens": entry.context_tokens,
        "max_output_tokens": entry.max_output_tokens,
        "output_reserve_tokens": entry.output_reserve_tokens,
        "encoding": entry.encoding or "",
        "policy": entry.policy,
        "aliases": ",".join(entry.aliases),
        "fallbacks": ",".join(entry.fallbacks),
        "hedge": int(entry.hedge),
    }
    if model_no is None:
        made = connection.execute(insert(models).values(name=entry.name, created_us=now_us, **row))
        model_no = (made.inserted_primary_key or (None,))[0]
    else:
        connection.execute(update(models).where(models.c.no == model_no).values(**row))
    for position, target in enumerate(entry.targets):
        name = target.provider
        provider_no = select(providers.c.no).where(providers.c.name == name).scalar_subquery()
        connection.execute(
            insert(targets).values(
                model_no=model_no,
                position=position,
                provider_no=provider_no,
                model=target.model,
                weight=target.weight,
                region=target.region,
                max_concurrent=target.max_concurrent,
            )
        )


def _set_price(connection: Connection, priced: Priced, price: Price | None, now_us: int) -> None:
    """Add a version when the price differs from the one in effect; None withdraws it."""
    model, provider, target = priced
    columns = prices.c
    last = connection.execute(
        select(prices)
        .where(
            columns.model == model,
            columns.provider == provider,
            columns.target == target,
            _in_effect(now_us),
        )
        .order_by(columns.no.desc())
        .limit(1)
    ).first()
    current = None if last is None or last.withdrawn else _price(last)
    if price is current is None or (price is not None and price.same_as(current)):
        return
    add_version(connection, priced, price, now_us, now_us)


def add_version(
    connection: Connection, priced: Priced, price: Price | None, effective_us: int, now_us: int
) -> None:
    """Add a version, whatever the one in effect; None withdraws."""
    model, provider, target = priced
    amounts = price or Price(0, 0, 0, 0, 0)
    highest = connection.execute(select(func.max(prices.c.no))).scalar() or 0
    connection.execute(
        insert(prices).values(
            no=highest + 1,  # never reused: charges name it
            model=model,
            provider=provider,
            target=target,
            effective_us=effective_us,
            created_us=now_us,
            withdrawn=int(price is None),
            input_picousd=amounts.input,
            cache_read_picousd=amounts.cache_read,
            cache_write_picousd=amounts.cache_write,
            output_picousd=amounts.output,
            reasoning_picousd=amounts.reasoning,
            request_picousd=amounts.request,
            units=msgspec.json.encode(dict(amounts.units)).decode() if amounts.units else "",
            tokens_priced=int(amounts.tokens),
        )
    )
