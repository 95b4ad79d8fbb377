"""Tables of accounts: who may spend, how they prove who they are, and the installation itself.

`installation` is one row: which master key this database belongs to, and whether the first start
was completed. Personal data is sealed (`store.secrets`); an e-mail address is found by its keyed
digest. Links and tokens are kept as digests only.
"""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, Table

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
    octets("email_digest", unique=True),
    octets("email_sealed"),
    text("role"),
    text("state"),
    integer("created_us"),
    CheckConstraint(
        "role IN ('member', 'support', 'finance', 'operator', 'administrator', 'auditor')",
        name="role",
    ),
    CheckConstraint("state IN ('active', 'suspended', 'closed')", name="state"),
    sqlite_strict=True,
)

credentials = Table(
    "credentials",
    metadata,
    integer("account_no", primary_key=True, autoincrement=False),
    text("password_hash"),
    integer("changed_us"),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    sqlite_strict=True,
)

profiles = Table(
    "profiles",
    metadata,
    integer("account_no", primary_key=True, autoincrement=False),
    octets("sealed"),  # every optional field of a person, as one document
    integer("updated_us"),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    sqlite_strict=True,
)

agreements = Table(
    "agreements",
    metadata,
    integer("account_no"),
    text("document"),
    text("version"),
    integer("age"),  # the least age attested, in years; 0 where none was asked
    integer("at_us"),
    PrimaryKeyConstraint("account_no", "document", "version"),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    sqlite_strict=True,
)

sign_ups = Table(
    "sign_ups",
    metadata,
    octets("digest", primary_key=True),
    octets("sealed"),  # the address
    octets("guardian_sealed", nullable=True),  # whom a minor named
    text("password_hash"),
    text("terms_version"),
    text("locale"),
    integer("age"),
    integer("created_us"),
    integer("expires_us"),
    CheckConstraint("length(digest) = 32", name="digest"),
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

mail_links = Table(
    "mail_links",
    metadata,
    octets("digest", primary_key=True),
    text("kind"),
    integer("account_no", nullable=True),  # NULL: asked for an address nobody has
    octets("sealed", nullable=True),  # the new address, of an address change
    integer("created_us"),
    integer("expires_us"),
    integer("used_us", nullable=True),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("kind IN ('reset', 'address')", name="kind"),
    CheckConstraint("length(digest) = 32", name="digest"),
    sqlite_strict=True,
)
