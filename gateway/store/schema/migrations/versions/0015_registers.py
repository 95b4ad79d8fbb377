"""Registers of breaches, agreements with processors and attestations, append-only. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = ("breaches", "breach_updates", "processor_agreements", "attestations")
ACT = (
    "act IN ('authority_notified', 'persons_notified', 'authority_not_needed', "
    "'persons_not_needed', 'risk_high', 'risk_not_high', 'facts')"
)
KIND = (
    "kind IN ('risk_assessment', 'vulnerability_scan', 'penetration_test', "
    "'intrusion_detection', 'firewall', 'incident_plan', 'other')"
)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _integer(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, INT64, nullable=null)


def _table(name: str, *parts: sa.Column[str] | sa.Column[int] | sa.Constraint) -> None:
    """A table with what every row of the registers begins with."""
    op.create_table(
        name,
        _text("id"),
        _integer("entered_us"),
        _text("entered_by"),
        *parts,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sqlite_strict=True,
    )


def upgrade() -> None:
    """Create the tables and what refuses to change them."""
    _table(
        "breaches",
        _integer("aware_us"),
        _text("discovered"),
        _text("nature"),
        _integer("persons"),
        _integer("records"),
        _text("consequences"),
        _text("measures"),
        _integer("high_risk"),
        sa.CheckConstraint("high_risk IN (0, 1)", name="high_risk"),
        sa.CheckConstraint("persons >= 0 AND records >= 0", name="numbers"),
    )
    _table(
        "breach_updates",
        _text("breach_id"),
        _text("act"),
        _integer("at_us", null=True),
        _text("words"),
        sa.ForeignKeyConstraint(
            ["breach_id"], ["breaches.id"], name="fk_breach_updates_breach_id_breaches"
        ),
        sa.CheckConstraint(ACT, name="act"),
    )
    op.create_index("ix_breach_updates_breach_id", "breach_updates", ["breach_id"])
    _table(
        "processor_agreements",
        _text("provider"),
        _text("title"),
        _text("signed_by"),
        _integer("signed_us"),
        _integer("valid_until_us", null=True),
        _text("note"),
    )
    op.create_index("ix_processor_agreements_provider", "processor_agreements", ["provider"])
    _table(
        "attestations",
        _text("kind"),
        _text("scope"),
        _text("done_by"),
        _integer("done_us"),
        _text("result"),
        _integer("next_due_us", null=True),
        sa.CheckConstraint(KIND, name="kind"),
    )
    _refuse_changes()


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for act in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the registers are append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION registers_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the registers are append-only' USING ERRCODE = '23000'; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
            f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION registers_refuse()"
        )
