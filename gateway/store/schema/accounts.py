"""Tables of accounts: who may spend, one-time sign-in links, and the installation itself.

`installation` is one row: which master key this database belongs to, and whether the first start
was completed. Links are kept as digests only.
"""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Table

from gateway.store.schema import integer, metadata, octets, text

installation = Table(
    "installation",
    metadata,
    integer("no", primary_key=True, autoincrement=False),
    text("key_id"),
    integer("created_us"),
    integer("started_us", nullable=True),  # NULL until the first start gave out its secrets
    CheckConstraint("no = 1", name="single"),
    sqlite_strict=True,
)

accounts = Table(
    "accounts",
    metadata,
    integer("no", primary_key=True, autoincrement=False),
    text("id", unique=True),
    text("email", unique=True),
    text("role"),
    text("state"),
    integer("created_us"),
    CheckConstraint("role IN ('member', 'administrator')", name="role"),
    CheckConstraint("state IN ('active', 'suspended')", name="state"),
    sqlite_strict=True,
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    octets("digest", primary_key=True),
    integer("account_no"),
    integer("created_us"),
    integer("expires_us"),
    integer("used_us", nullable=True),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("length(digest) = 32", name="digest"),
    sqlite_strict=True,
)
