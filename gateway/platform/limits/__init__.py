"""Limits: rates, concurrency and budgets of accounts and keys, decided in memory."""

from gateway.platform.limits.terms import Limits, Share, Terms

__all__ = ["Limits", "Share", "Terms"]
