"""The ledger room: what customers own, what the operator earned, and the proof of both."""

from gateway.platform.ledger.ledger import Ledger

__all__ = ["Ledger"]
