"""Tables of organisations, and of credit adjustments that wait for a second pair of eyes.

An organisation is an account that nobody signs in as: its wallet is the shared balance. An
invitation is found by its link's digest or by the keyed digest of the address it went to.
"""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table

from gateway.store.schema import integer, metadata, octets, text

organisations = Table(
    "organisations",
    metadata,
    integer("account_no", primary_key=True, autoincrement=False),
    text("name"),
    integer("created_us"),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    sqlite_strict=True,
)

organisation_members = Table(
    "organisation_members",
    metadata,
    integer("organisation_no"),
    integer("account_no"),
    text("role"),
    integer("monthly_limit_microusd", nullable=True),
    integer("joined_us"),
    PrimaryKeyConstraint("organisation_no", "account_no"),
    ForeignKeyConstraint(["organisation_no"], ["organisations.account_no"]),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("role IN ('owner', 'manager', 'member')", name="role"),
    CheckConstraint("monthly_limit_microusd >= 0", name="limit"),
    Index("ix_organisation_members_account_no", "account_no"),
    sqlite_strict=True,
)

organisation_keys = Table(
    "organisation_keys",
    metadata,
    integer("key_no", primary_key=True, autoincrement=False),
    integer("organisation_no"),
    integer("account_no"),  # the member it was issued to
    ForeignKeyConstraint(["key_no"], ["api_keys.no"]),
    ForeignKeyConstraint(["organisation_no"], ["organisations.account_no"]),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    Index("ix_organisation_keys_organisation_no_account_no", "organisation_no", "account_no"),
    sqlite_strict=True,
)

organisation_invitations = Table(
    "organisation_invitations",
    metadata,
    text("id", primary_key=True),
    integer("organisation_no"),
    octets("digest", unique=True),  # of the link's token
    octets("address_digest"),
    octets("address_sealed"),
    text("role"),
    integer("monthly_limit_microusd", nullable=True),
    integer("invited_by"),
    integer("created_us"),
    integer("expires_us"),
    ForeignKeyConstraint(["organisation_no"], ["organisations.account_no"]),
    ForeignKeyConstraint(["invited_by"], ["accounts.no"]),
    CheckConstraint("length(digest) = 32", name="digest"),
    CheckConstraint("role IN ('owner', 'manager', 'member')", name="role"),
    CheckConstraint("monthly_limit_microusd >= 0", name="limit"),
    Index("ix_organisation_invitations_organisation_no", "organisation_no"),
    Index("ix_organisation_invitations_address_digest", "address_digest"),
    sqlite_strict=True,
)

adjustments = Table(
    "adjustments",
    metadata,
    text("id", primary_key=True),
    integer("account_no"),
    integer("amount_microusd"),
    text("source"),
    text("reason"),
    text("state"),
    text("requested_by"),
    integer("requested_us"),
    text("decided_by", nullable=True),
    integer("decided_us", nullable=True),
    text("kind", server_default="grant"),  # revoke and forfeit take credit back
    text("corrects", nullable=True),  # the ledger's transaction that a revocation makes good
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("amount_microusd > 0", name="amount"),
    CheckConstraint("state IN ('waiting', 'approved', 'refused')", name="state"),
    CheckConstraint("kind IN ('grant', 'revoke', 'forfeit')", name="kind"),
    CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", name="two_people"),
    Index("ix_adjustments_state_requested_us", "state", "requested_us"),
    sqlite_strict=True,
)
