"""The versions of the legal texts: kept for good, and told once. Frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

# What refuses to change or delete a version.
ON_SQLITE = (
    "CREATE TRIGGER policy_versions_no_delete BEFORE DELETE ON policy_versions "
    "BEGIN SELECT RAISE(ABORT, 'a version of the legal texts stays'); END",
    "CREATE TRIGGER policy_versions_no_update BEFORE UPDATE OF id, entered_us, entered_by, name, "
    "words, numbers, texts, parties, classes, notice_days, effective_us ON policy_versions "
    "BEGIN SELECT RAISE(ABORT, 'a version of the legal texts stays as announced'); END",
    "CREATE TRIGGER policy_versions_told_once BEFORE UPDATE OF told_us ON policy_versions "
    "WHEN OLD.told_us IS NOT NULL "
    "BEGIN SELECT RAISE(ABORT, 'a version of the legal texts is told once'); END",
)
# The whole row is compared: a column that a trigger names could not be given its collation.
ON_POSTGRESQL = (
    "CREATE FUNCTION policy_versions_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP = 'UPDATE' AND OLD.told_us IS NULL "
    "AND to_jsonb(NEW) - 'told_us' = to_jsonb(OLD) - 'told_us' THEN RETURN NEW; END IF; "
    "RAISE EXCEPTION 'a version of the legal texts stays' USING ERRCODE = '23000'; END $$",
    "CREATE TRIGGER policy_versions_stays BEFORE UPDATE OR DELETE ON policy_versions "
    "FOR EACH ROW EXECUTE FUNCTION policy_versions_refuse()",
    "CREATE TRIGGER policy_versions_kept_whole BEFORE TRUNCATE ON policy_versions "
    "FOR EACH STATEMENT EXECUTE FUNCTION policy_versions_refuse()",
)
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "policy_versions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("entered_us", INT64, nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("texts", sa.Text(), nullable=False),
        sa.Column("parties", sa.Text(), nullable=False),
        sa.Column("classes", sa.Text(), nullable=False),
        sa.Column("notice_days", INT64, nullable=False),
        sa.Column("effective_us", INT64, nullable=False),
        sa.Column("told_us", INT64, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_policy_versions"),
        sa.UniqueConstraint("name", name="uq_policy_versions_name"),
        sa.CheckConstraint(
            "classes = '[]' OR effective_us >= entered_us + notice_days * 86400000000",
            name="notice",
        ),
        sqlite_strict=True,
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in ON_SQLITE if is_sqlite else ON_POSTGRESQL:
        op.execute(statement)
