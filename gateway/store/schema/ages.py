"""Tables of ages: guardians who were asked to consent, and proofs of age that were asked for.

A guardian's name and address are sealed as one document; the link of a letter is kept as its
digest, and is gone once it was used up. A proof is open until it is lifted: one at a time.
"""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Table
from sqlalchemy import text as condition

from gateway.store.schema import integer, metadata, octets, text

guardian_consents = Table(
    "guardian_consents",
    metadata,
    integer("account_no", primary_key=True, autoincrement=False),
    octets("sealed"),
    text("state"),
    octets("digest", nullable=True, unique=True),  # of the newest letter's link
    text("terms_version"),
    text("locale"),
    integer("asked_us"),
    integer("confirmed_us", nullable=True),
    integer("withdrawn_us", nullable=True),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("state IN ('waiting', 'confirmed', 'withdrawn')", name="state"),
    CheckConstraint("length(digest) = 32", name="digest"),
    CheckConstraint("(state = 'withdrawn') = (withdrawn_us IS NOT NULL)", name="withdrawn"),
    sqlite_strict=True,
)

age_proofs = Table(
    "age_proofs",
    metadata,
    text("id", primary_key=True),
    integer("account_no"),
    text("reason"),
    integer("due_us"),
    text("requested_by"),
    integer("requested_us"),
    text("lifted_by", nullable=True),
    integer("lifted_us", nullable=True),
    text("lifted_for", nullable=True),
    ForeignKeyConstraint(["account_no"], ["accounts.no"]),
    CheckConstraint("(lifted_us IS NULL) = (lifted_for IS NULL)", name="lifted"),
    Index(
        "ix_age_proofs_account_no",
        "account_no",
        unique=True,
        sqlite_where=condition("lifted_us IS NULL"),
    ),
    sqlite_strict=True,
)
