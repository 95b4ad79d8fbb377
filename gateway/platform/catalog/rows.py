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
from gateway.platform.catalog.document import ENV_PREFIX, Document, ModelEntry, ProviderEntry
from gateway.platform.pricing.prices import Price
from gateway.store.schema.catalog import models, prices, providers, targets
from gateway.store.secrets import Secrets

_KEY_COLUMN = "providers.api_key"
_PROXY_COLUMN = "providers.proxy"


def read_document(connection: Connection, secrets: Secrets, now_us: int) -> Document:
    """The stored catalog with the prices in effect at `now_us`; credentials in plain."""
    provider_rows = connection.execute(select(providers).order_by(providers.c.no)).all()
    by_no = {row.no: row.name for row in provider_rows}
    routes: dict[int, list[tuple[str, str]]] = {}
    for row in connection.execute(
        select(targets).order_by(targets.c.model_no, targets.c.position)
    ).all():
        routes.setdefault(row.model_no, []).append((by_no[row.provider_no], row.model))
    in_effect = read_prices(connection, now_us)
    found = connection.execute(select(models).order_by(models.c.no)).all()
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
                in_effect.get(row.name),
            )
            for row in found
        },
    )


def read_created_us(connection: Connection) -> dict[str, int]:
    """When each model was added, in epoch microseconds."""
    found = connection.execute(select(models.c.name, models.c.created_us)).all()
    return {row.name: row.created_us for row in found}


def read_prices(connection: Connection, now_us: int) -> dict[str, Price]:
    """The price of each model in effect at `now_us`; none where it was withdrawn."""
    found = connection.execute(select(prices).where(_in_effect(now_us)).order_by(prices.c.no))
    in_effect: dict[str, Price] = {}
    for row in found:
        in_effect.pop(row.model, None)
        if not row.withdrawn:
            in_effect[row.model] = _price(row)
    return in_effect


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
    if change.entry is None:
        connection.execute(delete(models).where(models.c.no == model_no))
        _set_price(connection, name, None, now_us)
        return
    entry = change.entry
    if not isinstance(entry, ModelEntry):
        raise TypeError("a model's change carries a model")
    row = {
        "context_tokens": entry.context_tokens,
        "max_output_tokens": entry.max_output_tokens,
        "output_reserve_tokens": entry.output_reserve_tokens,
        "encoding": entry.encoding or "",
    }
    if model_no is None:
        made = connection.execute(insert(models).values(name=name, created_us=now_us, **row))
        model_no = (made.inserted_primary_key or (None,))[0]
    else:
        connection.execute(update(models).where(models.c.no == model_no).values(**row))
    for position, (provider, model) in enumerate(entry.targets):
        provider_no = select(providers.c.no).where(providers.c.name == provider).scalar_subquery()
        connection.execute(
            insert(targets).values(
                model_no=model_no, position=position, provider_no=provider_no, model=model
            )
        )
    _set_price(connection, name, entry.price, now_us)


def _set_price(connection: Connection, model: str, price: Price | None, now_us: int) -> None:
    """Add a version when the price differs from the one in effect; None withdraws it."""
    columns = prices.c
    last = connection.execute(
        select(prices)
        .where(columns.model == model, _in_effect(now_us))
        .order_by(columns.no.desc())
        .limit(1)
    ).first()
    current = None if last is None or last.withdrawn else _price(last)
    if price is current is None or (price is not None and price.same_as(current)):
        return
    amounts = price or Price(0, 0, 0, 0, 0)
    highest = connection.execute(select(func.max(columns.no))).scalar() or 0
    connection.execute(
        insert(prices).values(
            no=highest + 1,  # never reused: charges name it
            model=model,
            effective_us=now_us,
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
