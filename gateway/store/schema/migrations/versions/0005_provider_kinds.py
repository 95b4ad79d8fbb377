"""Fields of providers that only some kinds have. The statements are frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("providers", sa.Column("region", sa.Text(), nullable=True))
    op.add_column("providers", sa.Column("api_version", sa.Text(), nullable=True))
