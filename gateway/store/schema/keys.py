"""The table of API keys: a digest of the whole key, and the few characters that may be shown.

Nothing here is written per request; when a key was last used is read from the request log.
"""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Table

from gateway.store.schema import integer, metadata, octets, text

api_keys = Table(
    "api_keys",
    metadata,
    integer("no", primary_key=True, autoincrement=False),
    text("id", unique=True),
    integer("account_no"),
    text("name"),
    text("prefix"),
    octets("digest", unique=True),
    integer("created_us"),
    integer("expires_us", nullable=True),
    integer("revoked_us", nullable=True),
    integer("cache_ttl_s", nullable=True),  # NULL: answers are not cached unless a request asks
    text("scope", nullable=True),  # NULL: any model, endpoint and address
    text("ended_by", nullable=True),  # revoked, leaked or rotated; NULL while it lives
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("length(digest) = 32", name="digest"),
    Index("ix_api_keys_account_no", "account_no"),
    sqlite_strict=True,
)
