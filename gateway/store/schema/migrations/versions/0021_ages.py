"""Guardians' consents, proofs of age, and accounts that are closed for good. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ROLES = "'member', 'support', 'finance', 'operator', 'administrator', 'auditor'"
STATES = "state IN ('active', 'suspended', 'closed')"


def upgrade() -> None:
    """Let accounts be closed, create both tables, keep a guardian with a sign-up."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_accounts()
    else:
        op.drop_constraint(op.f("ck_accounts_state"), "accounts", type_="check")
        op.create_check_constraint(op.f("ck_accounts_state"), "accounts", STATES)
    op.add_column("sign_ups", sa.Column("guardian_sealed", sa.LargeBinary(), nullable=True))
    op.create_table(
        "guardian_consents",
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("terms_version", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("asked_us", INT64, nullable=False),
        sa.Column("confirmed_us", INT64, nullable=True),
        sa.Column("withdrawn_us", INT64, nullable=True),
        sa.PrimaryKeyConstraint("account_no", name="pk_guardian_consents"),
        sa.UniqueConstraint("digest", name="uq_guardian_consents_digest"),
        sa.ForeignKeyConstraint(
            ["account_no"], ["accounts.no"], name="fk_guardian_consents_account_no_accounts"
        ),
        sa.CheckConstraint("state IN ('waiting', 'confirmed', 'withdrawn')", name="state"),
        sa.CheckConstraint("length(digest) = 32", name="digest"),
        sa.CheckConstraint("(state = 'withdrawn') = (withdrawn_us IS NOT NULL)", name="withdrawn"),
        sqlite_strict=True,
    )
    op.create_table(
        "age_proofs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_us", INT64, nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_us", INT64, nullable=False),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lifted_us", INT64, nullable=True),
        sa.Column("lifted_for", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_age_proofs"),
        sa.ForeignKeyConstraint(
            ["account_no"], ["accounts.no"], name="fk_age_proofs_account_no_accounts"
        ),
        sa.CheckConstraint("(lifted_us IS NULL) = (lifted_for IS NULL)", name="lifted"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_age_proofs_account_no",
        "age_proofs",
        ["account_no"],
        unique=True,
        sqlite_where=sa.text("lifted_us IS NULL"),
        postgresql_where=sa.text("lifted_us IS NULL"),
    )


def _rebuild_accounts() -> None:
    """SQLite changes no CHECK: the table is made anew under its name, which others refer to."""
    op.create_table(
        "accounts_new",
        sa.Column("no", INT64, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email_digest", sa.LargeBinary(), nullable=False),
        sa.Column("email_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_us", INT64, nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_accounts"),
        sa.UniqueConstraint("id", name="uq_accounts_id"),
        sa.UniqueConstraint("email_digest", name="uq_accounts_email_digest"),
        sa.CheckConstraint(f"role IN ({ROLES})", name=op.f("ck_accounts_role")),
        sa.CheckConstraint(STATES, name=op.f("ck_accounts_state")),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO accounts_new (no, id, email_digest, email_sealed, role, state, created_us) "
        "SELECT no, id, email_digest, email_sealed, role, state, created_us FROM accounts"
    )
    op.drop_table("accounts")
    op.rename_table("accounts_new", "accounts")
