"""Tables of incidents and planned maintenance, and of what was added to them later.

The words are the operator's own and public. Nothing is deleted: what was wrong is withdrawn.
"""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, Table

from gateway.store.schema import integer, metadata, text

incidents = Table(
    "incidents",
    metadata,
    text("id", primary_key=True),
    text("kind"),
    text("title"),
    text("words"),
    text("models"),  # a JSON list of names; an empty one is every model
    integer("begins_us"),
    integer("ends_us", nullable=True),  # of maintenance as planned; of an incident once it is over
    integer("entered_us"),
    text("entered_by"),
    integer("withdrawn_us", nullable=True),
    text("withdrawn_by", nullable=True),
    text("withdrawn_for", nullable=True),
    CheckConstraint("kind IN ('incident', 'maintenance')", name="kind"),
    CheckConstraint("kind = 'incident' OR ends_us IS NOT NULL", name="planned"),
    CheckConstraint("ends_us >= begins_us", name="times"),
    CheckConstraint("(withdrawn_us IS NULL) = (withdrawn_for IS NULL)", name="withdrawn"),
    sqlite_strict=True,
)

incident_updates = Table(
    "incident_updates",
    metadata,
    text("incident_id"),
    integer("no"),
    integer("at_us"),
    text("words"),
    text("entered_by"),
    PrimaryKeyConstraint("incident_id", "no"),
    ForeignKeyConstraint(["incident_id"], ["incidents.id"]),
    sqlite_strict=True,
)
