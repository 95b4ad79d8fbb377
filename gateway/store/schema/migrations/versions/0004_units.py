"""Units beside text tokens: their prices, what a request used, and their rollup. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the rollup's table."""
    op.add_column("prices", sa.Column("units", sa.Text(), nullable=False, server_default=""))
    op.add_column("prices", sa.Column("tokens_priced", INT64, nullable=False, server_default="1"))
    op.add_column("request_log", sa.Column("units", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "usage_units_hourly",
        sa.Column("hour", INT64, nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("key_no", INT64, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("quantity", INT64, nullable=False),
        sa.PrimaryKeyConstraint(
            *("hour", "account_no", "key_no", "model", "provider", "unit"),
            name="pk_usage_units_hourly",
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
