"""Tables of signing in: sessions, known devices, counted guesses, second factors, identities.

Tokens, codes and foreign subjects are kept as digests only; secrets and descriptions sealed.
"""

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
)

from gateway.store.schema import integer, metadata, octets, text

sessions = Table(
    "sessions",
    metadata,
    octets("digest", primary_key=True),
    text("id", unique=True),
    integer("account_no", nullable=True),  # NULL while another site is asked who it is
    text("stage"),
    integer("created_us"),
    integer("seen_us"),
    integer("expires_us"),
    octets("agent_sealed", nullable=True),
    octets("context_sealed", nullable=True),  # what a step of signing in must remember
    integer("desk_no", nullable=True),  # the organisation whose console is open; NULL: one's own
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("length(digest) = 32", name="digest"),
    CheckConstraint("stage IN ('open', 'second', 'elsewhere', 'welcome')", name="stage"),
    Index("ix_sessions_account_no_created_us", "account_no", "created_us"),
    sqlite_strict=True,
)

devices = Table(
    "devices",
    metadata,
    octets("digest"),
    integer("account_no"),
    integer("seen_us"),
    PrimaryKeyConstraint("digest", "account_no"),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("length(digest) = 32", name="digest"),
    sqlite_strict=True,
)

guesses = Table(
    "guesses",
    metadata,
    integer("no", primary_key=True),
    octets("subject"),
    integer("at_us"),
    Index("ix_guesses_subject_at_us", "subject", "at_us"),
    Index("ix_guesses_at_us", "at_us"),
    sqlite_strict=True,
)

factors = Table(
    "factors",
    metadata,
    text("id", primary_key=True),
    integer("account_no"),
    text("kind"),
    text("name"),
    octets("credential", nullable=True, unique=True),  # a passkey's public name
    octets("sealed"),  # TOTP: the secret; passkey: the public key
    integer("counter"),  # TOTP: the last step used; passkey: its signature counter
    integer("created_us"),
    integer("used_us", nullable=True),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("kind IN ('totp', 'passkey')", name="kind"),
    Index("ix_factors_account_no", "account_no"),
    sqlite_strict=True,
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    octets("digest", primary_key=True),
    integer("account_no"),
    integer("used_us", nullable=True),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("length(digest) = 32", name="digest"),
    Index("ix_recovery_codes_account_no", "account_no"),
    sqlite_strict=True,
)

identities = Table(
    "identities",
    metadata,
    text("provider"),
    octets("digest"),
    integer("account_no"),
    integer("created_us"),
    PrimaryKeyConstraint("provider", "digest"),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("length(digest) = 32", name="digest"),
    Index("ix_identities_account_no", "account_no"),
    sqlite_strict=True,
)
