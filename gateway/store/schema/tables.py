"""Every table of every room, loaded into the one MetaData; migrations compare against it."""

from gateway.store.schema import ledger, metadata, request_log

__all__ = ["ledger", "metadata", "request_log"]
