"""Incidents and planned maintenance, and what is added to them. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("models", sa.Text(), nullable=False),
        sa.Column("begins_us", INT64, nullable=False),
        sa.Column("ends_us", INT64, nullable=True),
        sa.Column("entered_us", INT64, nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("withdrawn_us", INT64, nullable=True),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_for", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sa.CheckConstraint("kind IN ('incident', 'maintenance')", name="kind"),
        sa.CheckConstraint("kind = 'incident' OR ends_us IS NOT NULL", name="planned"),
        sa.CheckConstraint("ends_us >= begins_us", name="times"),
        sa.CheckConstraint("(withdrawn_us IS NULL) = (withdrawn_for IS NULL)", name="withdrawn"),
        sqlite_strict=True,
    )
    op.create_table(
        "incident_updates",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("no", INT64, nullable=False),
        sa.Column("at_us", INT64, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "no", name="pk_incident_updates"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name="fk_incident_updates_incident_id_incidents"
        ),
        sqlite_strict=True,
    )
