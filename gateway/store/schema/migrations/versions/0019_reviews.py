"""Review cases of keys. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CLOSED = (
    "(state = 'open') = (closed_us IS NULL) AND (state = 'open') = (closed_by IS NULL) "
    "AND (state = 'open') = (finding IS NULL) AND (state = 'open') = (words IS NULL)"
)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "review_cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key_no", INT64, nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("opened_us", INT64, nullable=False),
        sa.Column("networks", INT64, nullable=False),
        sa.Column("since_us", INT64, nullable=False),
        sa.Column("most_networks", INT64, nullable=False),
        sa.Column("window_hours", INT64, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("closed_us", INT64, nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("finding", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_review_cases"),
        sa.CheckConstraint("kind IN ('address_spread')", name="kind"),
        sa.CheckConstraint("state IN ('open', 'closed')", name="state"),
        sa.CheckConstraint(
            "finding IN ('own_use', 'leaked', 'passed_on', 'unclear')", name="finding"
        ),
        sa.CheckConstraint(CLOSED, name="closed"),
        sa.CheckConstraint("networks > most_networks AND since_us <= opened_us", name="figures"),
        sqlite_strict=True,
    )
    op.create_index("ix_review_cases_state_id", "review_cases", ["state", "id"])
    op.create_index("ix_review_cases_key_no", "review_cases", ["key_no"])
    only_open = sa.text("state = 'open'")
    op.create_index(
        "uq_review_cases_open_key_no",
        "review_cases",
        ["key_no"],
        unique=True,
        sqlite_where=only_open,
        postgresql_where=only_open,
    )
