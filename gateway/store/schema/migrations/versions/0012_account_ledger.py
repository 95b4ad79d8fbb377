"""Attempts of a request that was tried more than once; grants found by their lot. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column and the index."""
    op.add_column("request_log", sa.Column("trail", sa.Text(), nullable=False, server_default=""))
    op.create_index(
        "ix_ledger_entries_credit_no",
        "ledger_entries",
        ["credit_no"],
        sqlite_where=sa.text("kind <> 'charge'"),
        postgresql_where=sa.text("kind <> 'charge'"),
    )
