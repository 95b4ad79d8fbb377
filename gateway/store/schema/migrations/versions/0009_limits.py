"""Limits of tiers, accounts and keys, and the state of rates. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIMITS = (
    "requests_per_minute",
    "tokens_per_minute",
    "concurrent_requests",
    "day_microusd",
    "week_microusd",
    "month_microusd",
)


def limits() -> list[sa.Column[int]]:
    """The columns that three tables share."""
    return [sa.Column(name, INT64, nullable=True) for name in LIMITS]


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "limit_tiers",
        sa.Column("name", sa.Text(), nullable=False),
        *limits(),
        sa.PrimaryKeyConstraint("name", name="pk_limit_tiers"),
        sqlite_strict=True,
    )
    op.create_table(
        "account_limits",
        sa.Column("account_no", INT64, nullable=False, autoincrement=False),
        sa.Column("tier", sa.Text(), nullable=True),
        *limits(),
        sa.ForeignKeyConstraint(
            ["account_no"], ["accounts.no"], name="fk_account_limits_account_no_accounts"
        ),
        sa.ForeignKeyConstraint(
            ["tier"], ["limit_tiers.name"], name="fk_account_limits_tier_limit_tiers"
        ),
        sa.PrimaryKeyConstraint("account_no", name="pk_account_limits"),
        sqlite_strict=True,
    )
    op.create_table(
        "key_limits",
        sa.Column("key_no", INT64, nullable=False, autoincrement=False),
        sa.Column("account_no", INT64, nullable=False),
        *limits(),
        sa.ForeignKeyConstraint(["key_no"], ["api_keys.no"], name="fk_key_limits_key_no_api_keys"),
        sa.ForeignKeyConstraint(
            ["account_no"], ["accounts.no"], name="fk_key_limits_account_no_accounts"
        ),
        sa.PrimaryKeyConstraint("key_no", name="pk_key_limits"),
        sqlite_strict=True,
    )
    op.create_table(
        "limit_state",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("no", INT64, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reset_us", INT64, nullable=False),
        sa.CheckConstraint("scope IN ('account', 'key')", name="scope"),
        sa.CheckConstraint("kind IN ('requests', 'tokens')", name="kind"),
        sa.PrimaryKeyConstraint("scope", "no", "kind", name="pk_limit_state"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.add_column("api_keys", sa.Column("cache_ttl_s", INT64, nullable=True))
