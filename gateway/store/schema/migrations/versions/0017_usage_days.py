"""Usage by account and day; filled from the hours. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SUMS = (
    *("requests", "failures", "input_tokens", "cache_read_tokens", "cache_write_tokens"),
    *("output_tokens", "reasoning_tokens", "cost_microusd", "overrun_microusd"),
)
FILL = """
INSERT INTO usage_daily (account_no, day, key_no, model, provider, requests, failures,
  input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
  cost_microusd, overrun_microusd)
SELECT account_no, hour / 24, key_no, model, provider, sum(requests), sum(failures),
  sum(input_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens),
  sum(reasoning_tokens), sum(cost_microusd), sum(overrun_microusd)
FROM usage_hourly GROUP BY account_no, hour / 24, key_no, model, provider
"""


def upgrade() -> None:
    """Add the table and sum up the hours."""
    op.create_table(
        "usage_daily",
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("day", INT64, nullable=False),
        sa.Column("key_no", INT64, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        *(sa.Column(name, INT64, nullable=False) for name in SUMS),
        sa.PrimaryKeyConstraint(
            "account_no", "day", "key_no", "model", "provider", name="pk_usage_daily"
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(FILL)
