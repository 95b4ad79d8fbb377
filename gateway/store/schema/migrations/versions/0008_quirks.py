"""How a provider departs from the API it speaks. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column."""
    op.add_column("providers", sa.Column("quirks", sa.Text(), nullable=False, server_default=""))
