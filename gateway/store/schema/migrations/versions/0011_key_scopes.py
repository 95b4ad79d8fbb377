"""What keys may be used for, and why they ended. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("api_keys", sa.Column("scope", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("ended_by", sa.Text(), nullable=True))
