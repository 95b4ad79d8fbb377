"""Every table of every room, loaded into the one MetaData; migrations compare against it."""

from gateway.store.schema import (
    accounts,
    ages,
    audit,
    catalog,
    incidents,
    keys,
    ledger,
    limits,
    metadata,
    organisations,
    outbox,
    policy,
    registers,
    request_log,
    reviews,
    sessions,
)

__all__ = [
    "accounts",
    "ages",
    "audit",
    "catalog",
    "incidents",
    "keys",
    "ledger",
    "limits",
    "metadata",
    "organisations",
    "outbox",
    "policy",
    "registers",
    "request_log",
    "reviews",
    "sessions",
]
