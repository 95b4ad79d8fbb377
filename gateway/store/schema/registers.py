"""Tables of the registers: breaches and what was added to them, agreements, attestations.

All are append-only: triggers refuse change and deletion, so a later row says what is different.
Times in epoch microseconds; a day is its start in UTC. `entered_by` is an account's id or `local`.
"""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Table

from gateway.store.schema import integer, metadata, text

breaches = Table(
    "breaches",
    metadata,
    text("id", primary_key=True),
    integer("entered_us"),
    text("entered_by"),
    integer("aware_us"),
    text("discovered"),
    text("nature"),
    integer("persons"),
    integer("records"),
    text("consequences"),
    text("measures"),
    integer("high_risk"),
    CheckConstraint("high_risk IN (0, 1)", name="high_risk"),
    CheckConstraint("persons >= 0 AND records >= 0", name="numbers"),
    sqlite_strict=True,
)

breach_updates = Table(
    "breach_updates",
    metadata,
    text("id", primary_key=True),
    text("breach_id"),
    integer("entered_us"),
    text("entered_by"),
    text("act"),
    integer("at_us", nullable=True),
    text("words"),
    ForeignKeyConstraint(["breach_id"], ["breaches.id"]),
    CheckConstraint(
        "act IN ('authority_notified', 'persons_notified', 'authority_not_needed', "
        "'persons_not_needed', 'risk_high', 'risk_not_high', 'facts')",
        name="act",
    ),
    Index("ix_breach_updates_breach_id", "breach_id"),
    sqlite_strict=True,
)

processor_agreements = Table(
    "processor_agreements",
    metadata,
    text("id", primary_key=True),
    integer("entered_us"),
    text("entered_by"),
    text("provider"),
    text("title"),
    text("signed_by"),
    integer("signed_us"),
    integer("valid_until_us", nullable=True),
    text("note"),
    Index("ix_processor_agreements_provider", "provider"),
    sqlite_strict=True,
)

attestations = Table(
    "attestations",
    metadata,
    text("id", primary_key=True),
    integer("entered_us"),
    text("entered_by"),
    text("kind"),
    text("scope"),
    text("done_by"),
    integer("done_us"),
    text("result"),
    integer("next_due_us", nullable=True),
    CheckConstraint(
        "kind IN ('risk_assessment', 'vulnerability_scan', 'penetration_test', "
        "'intrusion_detection', 'firewall', 'incident_plan', 'other')",
        name="kind",
    ),
    sqlite_strict=True,
)
