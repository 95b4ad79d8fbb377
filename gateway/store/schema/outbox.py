"""Table of facts that wait for delivery outside the database, such as mail.

Rows are appended in the transaction of what they tell of. The body is sealed, and emptied when
the row is done.
"""

from sqlalchemy import CheckConstraint, Index, Table

from gateway.store.schema import integer, metadata, octets, text

outbox = Table(
    "outbox",
    metadata,
    text("id", primary_key=True),
    text("topic"),
    octets("sealed", nullable=True),
    text("state"),
    integer("attempts"),
    integer("created_us"),
    integer("due_us"),
    integer("done_us", nullable=True),
    text("error", nullable=True),  # the kind of the last failure, never its text
    CheckConstraint("state IN ('due', 'shown', 'done', 'failed', 'void')", name="state"),
    Index("ix_outbox_state_due_us", "state", "due_us"),
    sqlite_strict=True,
)
