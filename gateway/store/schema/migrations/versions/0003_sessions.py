"""Sessions of the console. The statements are frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table and its index."""
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("created_us", INT64, nullable=False),
        sa.Column("expires_us", INT64, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_no"], ["accounts.no"], name="fk_sessions_account_no_accounts"
        ),
        sa.CheckConstraint("length(digest) = 32", name="digest"),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
        sqlite_strict=True,
    )
    op.create_index("ix_sessions_account_no_created_us", "sessions", ["account_no", "created_us"])
