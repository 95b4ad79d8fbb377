"""Accounts: who may spend and who may administer, and the one-time links they sign in with."""

from gateway.platform.accounts.accounts import Account, Accounts

__all__ = ["Account", "Accounts"]
