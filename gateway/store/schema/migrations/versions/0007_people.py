"""People: sealed addresses, sign-up, sign-in, mail, roles, audit, organisations, adjustments.

Addresses that older versions stored in plain are sealed on the way. Sessions are made anew:
everybody signs in once more. The statements are frozen here.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from gateway.store.database import DatabaseError

revision = "0007"
down_revision = "0006"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DIGEST = ("length(digest) = 32", "digest")


def _integer(name: str, *, null: bool = False) -> Any:
    return sa.Column(name, INT64, nullable=null)


def _text(name: str, *, null: bool = False) -> Any:
    return sa.Column(name, sa.Text(), nullable=null)


def _octets(name: str, *, null: bool = False) -> Any:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def _table(
    name: str,
    *parts: Any,
    key: tuple[str, ...],
    checks: tuple[tuple[str, str], ...] = (),
    unique: tuple[str, ...] = (),
    refers: tuple[tuple[str, str], ...] = (("account_no", "accounts.no"),),
    aside: str = "",
) -> None:
    constraints: list[Any] = [sa.PrimaryKeyConstraint(*key, name=f"pk_{name}")]
    constraints += [sa.CheckConstraint(sql, name=word) for sql, word in checks]
    constraints += [sa.UniqueConstraint(each, name=f"uq_{name}_{each}") for each in unique]
    for column, target in refers:
        table = target.partition(".")[0]
        foreign = f"fk_{name}_{column}_{table}"
        constraints.append(sa.ForeignKeyConstraint([column], [target], name=foreign))
    op.create_table(aside or name, *parts, *constraints, sqlite_strict=True)


def upgrade() -> None:
    """Rebuild accounts and sessions; add the rest."""
    _accounts()
    _people()
    _links()
    _signing_in()
    _factors()
    _outbox_and_audit()
    _organisations()


def _accounts() -> None:
    connection = op.get_bind()
    query = sa.text("SELECT no, id, email, role, state, created_us FROM accounts ORDER BY no")
    rows = connection.execute(query).all()
    secrets: Any = context.config.attributes.get("secrets")
    if rows and secrets is None:
        raise DatabaseError("the database is of an older version; start the gateway once to update")
    # SQLite: not dropped and made anew, because rows elsewhere refer to this table by its name.
    # PostgreSQL's references know the table itself, and its names of keys are the schema's.
    rebuilt = connection.dialect.name == "sqlite"
    referring = () if rebuilt else _take_references(connection)
    if not rebuilt:
        op.drop_table("accounts")
    columns = (
        _integer("no"),
        _text("id"),
        _octets("email_digest"),
        _octets("email_sealed"),
        _text("role"),
        _text("state"),
        _integer("created_us"),
    )
    roles = "'member', 'support', 'finance', 'operator', 'administrator', 'auditor'"
    _table(
        "accounts",
        *columns,
        key=("no",),
        checks=((f"role IN ({roles})", "role"), ("state IN ('active', 'suspended')", "state")),
        unique=("id", "email_digest"),
        refers=(),
        aside="accounts_new" if rebuilt else "",
    )
    names = ("no", "id", "email_digest", "email_sealed", "role", "state", "created_us")
    made = sa.table("accounts_new" if rebuilt else "accounts", *map(sa.column, names))
    for row in rows:
        values = {
            **{name: getattr(row, name) for name in ("no", "id", "role", "state", "created_us")},
            "email_digest": secrets.address_digest(row.email.encode()),
            "email_sealed": secrets.seal(row.email, table="accounts", row=row.id),
        }
        connection.execute(sa.insert(made).values(values))
    if rebuilt:
        op.drop_table("accounts")
        op.rename_table("accounts_new", "accounts")
    for table, foreign, column in referring:
        op.create_foreign_key(foreign, table, "accounts", [column], ["no"])


def _take_references(connection: Any) -> list[tuple[str, str, str]]:
    """Drop the references to accounts; (table, name, column) of each."""
    found = [
        (table, foreign["name"], foreign["constrained_columns"][0])
        for table in sa.inspect(connection).get_table_names()
        for foreign in sa.inspect(connection).get_foreign_keys(table)
        if foreign["referred_table"] == "accounts"
    ]
    for table, foreign, _ in found:
        op.drop_constraint(foreign, table, type_="foreignkey")
    return found


def _people() -> None:
    _table(
        "credentials",
        _integer("account_no"),
        _text("password_hash"),
        _integer("changed_us"),
        key=("account_no",),
    )
    _table(
        "profiles",
        _integer("account_no"),
        _octets("sealed"),
        _integer("updated_us"),
        key=("account_no",),
    )
    _table(
        "agreements",
        _integer("account_no"),
        _text("document"),
        _text("version"),
        _integer("age"),
        _integer("at_us"),
        key=("account_no", "document", "version"),
    )


def _links() -> None:
    _table(
        "sign_ups",
        _octets("digest"),
        _octets("sealed"),
        _text("password_hash"),
        _text("terms_version"),
        _text("locale"),
        _integer("age"),
        _integer("created_us"),
        _integer("expires_us"),
        key=("digest",),
        checks=(DIGEST,),
        refers=(),
    )
    _table(
        "mail_links",
        _octets("digest"),
        _text("kind"),
        _integer("account_no", null=True),
        _octets("sealed", null=True),
        _integer("created_us"),
        _integer("expires_us"),
        _integer("used_us", null=True),
        key=("digest",),
        checks=(("kind IN ('reset', 'address')", "kind"), DIGEST),
    )


def _signing_in() -> None:
    op.drop_index("ix_sessions_account_no_created_us", "sessions")
    op.drop_table("sessions")
    _table(
        "sessions",
        _octets("digest"),
        _text("id"),
        _integer("account_no", null=True),
        _text("stage"),
        _integer("created_us"),
        _integer("seen_us"),
        _integer("expires_us"),
        _octets("agent_sealed", null=True),
        _octets("context_sealed", null=True),
        key=("digest",),
        checks=(DIGEST, ("stage IN ('open', 'second', 'elsewhere', 'welcome')", "stage")),
        unique=("id",),
    )
    op.create_index("ix_sessions_account_no_created_us", "sessions", ["account_no", "created_us"])
    _table(
        "devices",
        _octets("digest"),
        _integer("account_no"),
        _integer("seen_us"),
        key=("digest", "account_no"),
        checks=(DIGEST,),
    )
    _table("guesses", _integer("no"), _octets("subject"), _integer("at_us"), key=("no",), refers=())
    op.create_index("ix_guesses_subject_at_us", "guesses", ["subject", "at_us"])
    op.create_index("ix_guesses_at_us", "guesses", ["at_us"])


def _factors() -> None:
    _table(
        "factors",
        _text("id"),
        _integer("account_no"),
        _text("kind"),
        _text("name"),
        _octets("credential", null=True),
        _octets("sealed"),
        _integer("counter"),
        _integer("created_us"),
        _integer("used_us", null=True),
        key=("id",),
        checks=(("kind IN ('totp', 'passkey')", "kind"),),
        unique=("credential",),
    )
    op.create_index("ix_factors_account_no", "factors", ["account_no"])
    _table(
        "recovery_codes",
        _octets("digest"),
        _integer("account_no"),
        _integer("used_us", null=True),
        key=("digest",),
        checks=(DIGEST,),
    )
    op.create_index("ix_recovery_codes_account_no", "recovery_codes", ["account_no"])
    _table(
        "identities",
        _text("provider"),
        _octets("digest"),
        _integer("account_no"),
        _integer("created_us"),
        key=("provider", "digest"),
        checks=(DIGEST,),
    )
    op.create_index("ix_identities_account_no", "identities", ["account_no"])


def _outbox_and_audit() -> None:
    _table(
        "outbox",
        _text("id"),
        _text("topic"),
        _octets("sealed", null=True),
        _text("state"),
        _integer("attempts"),
        _integer("created_us"),
        _integer("due_us"),
        _integer("done_us", null=True),
        _text("error", null=True),
        key=("id",),
        checks=(("state IN ('due', 'shown', 'done', 'failed', 'void')", "state"),),
        refers=(),
    )
    op.create_index("ix_outbox_state_due_us", "outbox", ["state", "due_us"])
    _table(
        "audit_log",
        _integer("seq"),
        _integer("at_us"),
        _text("actor"),
        _text("role"),
        _text("action"),
        _text("target"),
        _text("detail"),
        _octets("digest"),
        key=("seq",),
        checks=(DIGEST,),
        refers=(),
    )
    op.create_index("ix_audit_log_actor_seq", "audit_log", ["actor", "seq"])
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_log_no_{act.lower()} BEFORE {act} ON audit_log "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = '23000'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()"
    )


def _organisations() -> None:
    _table(
        "organisations",
        _integer("account_no"),
        _text("name"),
        _integer("created_us"),
        key=("account_no",),
    )
    _table(
        "organisation_members",
        _integer("organisation_no"),
        _integer("account_no"),
        _text("role"),
        _integer("monthly_limit_microusd", null=True),
        _integer("joined_us"),
        key=("organisation_no", "account_no"),
        checks=(
            ("role IN ('owner', 'manager', 'member')", "role"),
            ("monthly_limit_microusd >= 0", "limit"),
        ),
        refers=(("organisation_no", "organisations.account_no"), ("account_no", "accounts.no")),
    )
    op.create_index("ix_organisation_members_account_no", "organisation_members", ["account_no"])
    _table(
        "adjustments",
        _text("id"),
        _integer("account_no"),
        _integer("amount_microusd"),
        _text("source"),
        _text("reason"),
        _text("state"),
        _text("requested_by"),
        _integer("requested_us"),
        _text("decided_by", null=True),
        _integer("decided_us", null=True),
        key=("id",),
        checks=(
            ("amount_microusd > 0", "amount"),
            ("state IN ('waiting', 'approved', 'refused')", "state"),
            ("decided_by IS NULL OR decided_by <> requested_by", "two_people"),
        ),
    )
    op.create_index("ix_adjustments_state_requested_us", "adjustments", ["state", "requested_us"])
