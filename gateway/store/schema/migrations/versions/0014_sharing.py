"""Invitations into organisations, whose console a session shows, credit taken back. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = "organisation_invitations"
TAKEN = "kind IN ('revocation', 'forfeiture')"


def upgrade() -> None:
    """Create the table, add the columns and the index."""
    op.create_table(
        NAME,
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organisation_no", INT64, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("address_digest", sa.LargeBinary(), nullable=False),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("monthly_limit_microusd", INT64, nullable=True),
        sa.Column("invited_by", INT64, nullable=False),
        sa.Column("created_us", INT64, nullable=False),
        sa.Column("expires_us", INT64, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{NAME}"),
        sa.UniqueConstraint("digest", name=f"uq_{NAME}_digest"),
        sa.ForeignKeyConstraint(
            ["organisation_no"],
            ["organisations.account_no"],
            name=f"fk_{NAME}_organisation_no_organisations",
        ),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["accounts.no"], name=f"fk_{NAME}_invited_by_accounts"
        ),
        sa.CheckConstraint("length(digest) = 32", name="digest"),
        sa.CheckConstraint("role IN ('owner', 'manager', 'member')", name="role"),
        sa.CheckConstraint("monthly_limit_microusd >= 0", name="limit"),
        sqlite_strict=True,
    )
    op.create_index(f"ix_{NAME}_organisation_no", NAME, ["organisation_no"])
    op.create_index(f"ix_{NAME}_address_digest", NAME, ["address_digest"])
    op.add_column("sessions", sa.Column("desk_no", INT64, nullable=True))
    # Written out, because the column brings its CHECK along.
    op.execute(
        "ALTER TABLE adjustments ADD COLUMN kind TEXT DEFAULT 'grant' NOT NULL "
        "CONSTRAINT ck_adjustments_kind CHECK (kind IN ('grant', 'revoke', 'forfeit'))"
    )
    op.add_column("adjustments", sa.Column("corrects", sa.Text(), nullable=True))
    op.create_index(
        "ix_ledger_entries_debit_no",
        "ledger_entries",
        ["debit_no"],
        sqlite_where=sa.text(TAKEN),
        postgresql_where=sa.text(TAKEN),
    )
