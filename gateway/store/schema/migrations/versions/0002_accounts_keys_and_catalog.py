"""Accounts, sign-in links, API keys, providers, models, targets and price versions.

The statements are frozen here; the living tables are in `gateway.store.schema`. Triggers make
price versions append-only: a charge names the version that made it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables and the triggers."""
    _accounts()
    _keys()
    _catalog()
    _prices()
    _append_only()


def _accounts() -> None:
    op.create_table(
        "installation",
        sa.Column("no", INT64, autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("created_us", INT64, nullable=False),
        sa.Column("started_us", INT64, nullable=True),
        sa.CheckConstraint("no = 1", name="single"),
        sa.PrimaryKeyConstraint("no", name="pk_installation"),
        sqlite_strict=True,
    )
    op.create_table(
        "accounts",
        sa.Column("no", INT64, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_us", INT64, nullable=False),
        sa.CheckConstraint("role IN ('member', 'administrator')", name="role"),
        sa.CheckConstraint("state IN ('active', 'suspended')", name="state"),
        sa.PrimaryKeyConstraint("no", name="pk_accounts"),
        sa.UniqueConstraint("id", name="uq_accounts_id"),
        sa.UniqueConstraint("email", name="uq_accounts_email"),
        sqlite_strict=True,
    )
    op.create_table(
        "sign_in_links",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("created_us", INT64, nullable=False),
        sa.Column("expires_us", INT64, nullable=False),
        sa.Column("used_us", INT64, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_no"], ["accounts.no"], name="fk_sign_in_links_account_no_accounts"
        ),
        sa.CheckConstraint("length(digest) = 32", name="digest"),
        sa.PrimaryKeyConstraint("digest", name="pk_sign_in_links"),
        sqlite_strict=True,
    )


def _keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("no", INT64, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", INT64, nullable=False),
        sa.Column("expires_us", INT64, nullable=True),
        sa.Column("revoked_us", INT64, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_no"], ["accounts.no"], name="fk_api_keys_account_no_accounts"
        ),
        sa.CheckConstraint("length(digest) = 32", name="digest"),
        sa.PrimaryKeyConstraint("no", name="pk_api_keys"),
        sa.UniqueConstraint("id", name="uq_api_keys_id"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
        sqlite_strict=True,
    )
    op.create_index("ix_api_keys_account_no", "api_keys", ["account_no"])


def _catalog() -> None:
    op.create_table(
        "providers",
        sa.Column("no", INT64, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("api_key_ref", sa.Text(), nullable=True),
        sa.Column("api_key_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("allow_private_address", INT64, nullable=False),
        sa.Column("proxy", sa.Text(), nullable=True),
        sa.Column("proxy_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("disconnect", sa.Text(), nullable=False),
        sa.Column("endpoints", sa.Text(), nullable=False),
        sa.CheckConstraint("api_key_ref IS NULL OR api_key_sealed IS NULL", name="one_credential"),
        sa.PrimaryKeyConstraint("no", name="pk_providers"),
        sa.UniqueConstraint("name", name="uq_providers_name"),
        sqlite_strict=True,
    )
    op.create_table(
        "models",
        sa.Column("no", INT64, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("context_tokens", INT64, nullable=False),
        sa.Column("max_output_tokens", INT64, nullable=False),
        sa.Column("output_reserve_tokens", INT64, nullable=True),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("created_us", INT64, nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_models"),
        sa.UniqueConstraint("name", name="uq_models_name"),
        sqlite_strict=True,
    )
    op.create_table(
        "targets",
        sa.Column("model_no", INT64, nullable=False),
        sa.Column("position", INT64, nullable=False),
        sa.Column("provider_no", INT64, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model_no", "position", name="pk_targets"),
        sa.ForeignKeyConstraint(["model_no"], ["models.no"], name="fk_targets_model_no_models"),
        sa.ForeignKeyConstraint(
            ["provider_no"], ["providers.no"], name="fk_targets_provider_no_providers"
        ),
        sqlite_strict=True,
    )


def _prices() -> None:
    op.create_table(
        "prices",
        sa.Column("no", INT64, autoincrement=False, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("effective_us", INT64, nullable=False),
        sa.Column("created_us", INT64, nullable=False),
        sa.Column("withdrawn", INT64, nullable=False),
        sa.Column("input_picousd", INT64, nullable=False),
        sa.Column("cache_read_picousd", INT64, nullable=False),
        sa.Column("cache_write_picousd", INT64, nullable=False),
        sa.Column("output_picousd", INT64, nullable=False),
        sa.Column("reasoning_picousd", INT64, nullable=True),
        sa.Column("request_picousd", INT64, nullable=False),
        sa.CheckConstraint(
            "input_picousd >= 0 AND cache_read_picousd >= 0 AND cache_write_picousd >= 0 AND "
            "output_picousd >= 0 AND coalesce(reasoning_picousd, 0) >= 0 AND request_picousd >= 0",
            name="amounts",
        ),
        sa.PrimaryKeyConstraint("no", name="pk_prices"),
        sqlite_strict=True,
    )
    op.create_index("ix_prices_model_effective_us", "prices", ["model", "effective_us"])


def _append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER prices_no_{act.lower()} BEFORE {act} ON prices "
                "BEGIN SELECT RAISE(ABORT, 'price versions are append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION prices_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'price versions are append-only' USING ERRCODE = '23000'; END $$"
    )
    op.execute(
        "CREATE TRIGGER prices_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON prices FOR EACH STATEMENT EXECUTE FUNCTION prices_refuse()"
    )
