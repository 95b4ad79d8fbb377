"""Keys of organisations: to which member each was issued. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = "organisation_keys"


def upgrade() -> None:
    """Create the table and its index."""
    op.create_table(
        NAME,
        sa.Column("key_no", INT64, nullable=False, autoincrement=False),
        sa.Column("organisation_no", INT64, nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.ForeignKeyConstraint(["key_no"], ["api_keys.no"], name=f"fk_{NAME}_key_no_api_keys"),
        sa.ForeignKeyConstraint(
            ["organisation_no"],
            ["organisations.account_no"],
            name=f"fk_{NAME}_organisation_no_organisations",
        ),
        sa.ForeignKeyConstraint(
            ["account_no"], ["accounts.no"], name=f"fk_{NAME}_account_no_accounts"
        ),
        sa.PrimaryKeyConstraint("key_no", name=f"pk_{NAME}"),
        sqlite_strict=True,
    )
    op.create_index(
        f"ix_{NAME}_organisation_no_account_no", NAME, ["organisation_no", "account_no"]
    )
