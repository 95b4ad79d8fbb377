"""Table of the audit log: append-only rows in one hash chain. Triggers refuse change and deletion.

Ids stand in it, never an address or a name: it outlives the people it speaks of.
"""

from sqlalchemy import CheckConstraint, Index, Table

from gateway.store.schema import integer, metadata, octets, text

audit_log = Table(
    "audit_log",
    metadata,
    integer("seq", primary_key=True, autoincrement=False),
    integer("at_us"),
    text("actor"),
    text("role"),
    text("action"),
    text("target"),
    text("detail"),
    octets("digest"),
    CheckConstraint("length(digest) = 32", name="digest"),
    Index("ix_audit_log_actor_seq", "actor", "seq"),
    sqlite_strict=True,
)
