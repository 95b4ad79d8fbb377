"""Which application sent a request, and the rollup by application. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SUMS = (
    *("requests", "failures", "input_tokens", "cache_read_tokens", "cache_write_tokens"),
    *("output_tokens", "reasoning_tokens", "cost_microusd", "overrun_microusd"),
)


def upgrade() -> None:
    """Add the column and the rollup's table."""
    op.add_column(
        "request_log", sa.Column("application", sa.Text(), nullable=False, server_default="")
    )
    op.create_table(
        "usage_applications_hourly",
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("hour", INT64, nullable=False),
        sa.Column("key_no", INT64, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        *(sa.Column(name, INT64, nullable=False) for name in SUMS),
        sa.PrimaryKeyConstraint(
            *("account_no", "hour", "key_no", "model", "application"),
            name="pk_usage_applications_hourly",
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
