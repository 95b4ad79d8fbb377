"""Table of sessions: who is signed in to the console. Tokens are kept as digests only."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Table

from gateway.store.schema import integer, metadata, octets

sessions = Table(
    "sessions",
    metadata,
    octets("digest", primary_key=True),
    integer("account_no"),
    integer("created_us"),
    integer("expires_us"),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("length(digest) = 32", name="digest"),
    Index("ix_sessions_account_no_created_us", "account_no", "created_us"),
    sqlite_strict=True,
)
