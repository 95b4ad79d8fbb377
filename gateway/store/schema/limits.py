"""Tables of limits: tiers, what accounts and keys have of their own, and the state of rates.

NULL is no limit of its own. `limit_state` lets rates survive a restart: when, by the wall clock,
nothing of what was granted is counted any more. Budgets have no state here: what was spent is
summed up from the hourly rollup.
"""

from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, PrimaryKeyConstraint, Table

from gateway.store.schema import integer, metadata, text


def _limits() -> list[Column[Any]]:
    names = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
    budgets = ("day_microusd", "week_microusd", "month_microusd")
    return [integer(name, nullable=True) for name in (*names, *budgets)]


limit_tiers = Table(
    "limit_tiers",
    metadata,
    text("name", primary_key=True),
    *_limits(),
    sqlite_strict=True,
)

account_limits = Table(
    "account_limits",
    metadata,
    integer("account_no", primary_key=True, autoincrement=False),
    text("tier", nullable=True),
    *_limits(),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    ForeignKeyConstraint(["tier"], ["limit_tiers.name"]),
    sqlite_strict=True,
)

key_limits = Table(
    "key_limits",
    metadata,
    integer("key_no", primary_key=True, autoincrement=False),
    integer("account_no"),
    *_limits(),
    ForeignKeyConstraint(["key_no"], ["api_keys.no"]),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    sqlite_strict=True,
)

limit_state = Table(
    "limit_state",
    metadata,
    text("scope"),
    integer("no"),
    text("kind"),
    integer("reset_us"),
    PrimaryKeyConstraint("scope", "no", "kind"),
    CheckConstraint("scope IN ('account', 'key')", name="scope"),
    CheckConstraint("kind IN ('requests', 'tokens')", name="kind"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
