"""Tables of organisations, and of credit adjustments that wait for a second pair of eyes.

An organisation is an account that nobody signs in as: its wallet is the shared balance.
"""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table

from gateway.store.schema import integer, metadata, text

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
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("amount_microusd > 0", name="amount"),
    CheckConstraint("state IN ('waiting', 'approved', 'refused')", name="state"),
    CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", name="two_people"),
    Index("ix_adjustments_state_requested_us", "state", "requested_us"),
    sqlite_strict=True,
)
