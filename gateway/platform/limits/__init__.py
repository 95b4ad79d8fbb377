"""Limits: rates, concurrency and budgets of accounts and keys, decided in memory."""

from gateway.platform.limits.terms import Limits, Terms

__all__ = ["Limits", "Terms"]
