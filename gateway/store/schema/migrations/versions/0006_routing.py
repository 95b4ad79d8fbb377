"""Routing: policies, aliases and fallbacks of models, weights of targets, pools of keys."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns; what is stored keeps its meaning."""
    text, number = sa.Text(), INT64
    op.add_column("providers", sa.Column("api_keys_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("providers", sa.Column("health_interval_s", number, nullable=True))
    for name, kind, default in (
        ("policy", text, "ordered"),
        ("aliases", text, ""),
        ("fallbacks", text, ""),
        ("hedge", number, "0"),
    ):
        op.add_column("models", sa.Column(name, kind, nullable=False, server_default=default))
    op.add_column("targets", sa.Column("weight", number, nullable=False, server_default="1"))
    op.add_column("targets", sa.Column("region", text, nullable=True))
    op.add_column("targets", sa.Column("max_concurrent", number, nullable=True))
    for name in ("provider", "target"):
        op.add_column("prices", sa.Column(name, text, nullable=False, server_default=""))
