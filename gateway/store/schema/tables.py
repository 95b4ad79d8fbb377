"""Every table of every room, loaded into the one MetaData; migrations compare against it."""

from gateway.store.schema import accounts, catalog, keys, ledger, metadata, request_log, sessions

__all__ = ["accounts", "catalog", "keys", "ledger", "metadata", "request_log", "sessions"]
