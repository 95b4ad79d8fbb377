"""What every model served, by day, over all accounts; filled from the log. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FILL = """
INSERT INTO service_daily (day, model, requests, failures, faults, cost_microusd)
SELECT started_us / 86400000000, model, count(*),
  sum(CASE WHEN outcome IN ('completed', 'client_gone', 'cache_hit') THEN 0 ELSE 1 END),
  sum(CASE WHEN outcome IN
    ('completed', 'client_gone', 'cache_hit', 'credit_exhausted', 'budget_exhausted') THEN 0
    WHEN status >= 400 AND status < 500 AND error_code <> 'upstream_rate_limited' THEN 0
    ELSE 1 END),
  sum(cost_microusd)
FROM request_log GROUP BY started_us / 86400000000, model
"""


def upgrade() -> None:
    """Add the table and sum up the log."""
    op.create_table(
        "service_daily",
        sa.Column("day", INT64, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("requests", INT64, nullable=False),
        sa.Column("failures", INT64, nullable=False),
        sa.Column("faults", INT64, nullable=False),
        sa.Column("cost_microusd", INT64, nullable=False),
        sa.PrimaryKeyConstraint("day", "model", name="pk_service_daily"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(FILL)
