"""The ledger and the request log: accounts, transfers, lots, wallets, log rows, rollups.

The statements are frozen here; the living tables are in `gateway.store.schema`, and a test
compares the two. Triggers make the transfers append-only for every connection.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, the operator's accounts and the triggers."""
    _ledger()
    _balances()
    _request_log()
    _rollups()
    _operator_accounts()
    _append_only()


def _ledger() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("no", INT64, autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('asset', 'liability', 'income', 'expense')", name="kind"),
        sa.PrimaryKeyConstraint("no", name="pk_ledger_accounts"),
        sa.UniqueConstraint("code", name="uq_ledger_accounts_code"),
        sqlite_strict=True,
    )
    op.create_table(
        "ledger_entries",
        sa.Column("seq", INT64, autoincrement=False, nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("leg", INT64, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("debit_no", INT64, nullable=False),
        sa.Column("credit_no", INT64, nullable=False),
        sa.Column("amount_microusd", INT64, nullable=False),
        sa.Column("at_us", INT64, nullable=False),
        sa.Column("corrects", sa.Text(), nullable=True),
        sa.Column("memo", sa.Text(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("amount_microusd > 0", name="amount"),
        sa.CheckConstraint("debit_no <> credit_no", name="sides"),
        sa.CheckConstraint("length(hash) = 32", name="hash"),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger_entries"),
        sa.UniqueConstraint("transaction_id", "leg", name="uq_ledger_entries_transaction_id_leg"),
        sqlite_strict=True,
    )


def _balances() -> None:
    op.create_table(
        "ledger_balances",
        sa.Column("ledger_no", INT64, autoincrement=False, nullable=False),
        sa.Column("balance_microusd", INT64, nullable=False),
        sa.PrimaryKeyConstraint("ledger_no", name="pk_ledger_balances"),
        sqlite_strict=True,
    )
    op.create_table(
        "lots",
        sa.Column("no", INT64, autoincrement=False, nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ledger_no", INT64, nullable=False),
        sa.Column("granted_microusd", INT64, nullable=False),
        sa.Column("remaining_microusd", INT64, nullable=False),
        sa.Column("at_us", INT64, nullable=False),
        sa.CheckConstraint("kind IN ('purchased', 'promotional', 'adjustment')", name="kind"),
        sa.CheckConstraint("granted_microusd > 0", name="granted"),
        sa.CheckConstraint("remaining_microusd <= granted_microusd", name="within"),
        sa.CheckConstraint("remaining_microusd >= 0", name="remaining"),
        sa.PrimaryKeyConstraint("no", name="pk_lots"),
        sa.UniqueConstraint("ledger_no", name="uq_lots_ledger_no"),
        sqlite_strict=True,
    )
    op.create_index("ix_lots_account_no", "lots", ["account_no"])
    op.create_table(
        "wallets",
        sa.Column("account_no", INT64, autoincrement=False, nullable=False),
        sa.Column("balance_microusd", INT64, nullable=False),
        sa.Column("remainder_picousd", INT64, nullable=False),
        sa.CheckConstraint("balance_microusd >= 0", name="balance"),
        sa.CheckConstraint(
            "remainder_picousd >= 0 AND remainder_picousd < 1000000", name="remainder"
        ),
        sa.PrimaryKeyConstraint("account_no", name="pk_wallets"),
        sqlite_strict=True,
    )


def _request_log() -> None:
    op.create_table(
        "request_log",
        sa.Column("seq", INT64, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("started_us", INT64, nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("key_no", INT64, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("stream", INT64, nullable=False),
        sa.Column("status", INT64, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=False),
        sa.Column("attempts", INT64, nullable=False),
        sa.Column("duration_ms", INT64, nullable=False),
        sa.Column("first_token_ms", INT64, nullable=True),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("input_tokens", INT64, nullable=False),
        sa.Column("cache_read_tokens", INT64, nullable=False),
        sa.Column("cache_write_tokens", INT64, nullable=False),
        sa.Column("output_tokens", INT64, nullable=False),
        sa.Column("reasoning_tokens", INT64, nullable=False),
        sa.Column("reported_input_tokens", INT64, nullable=True),
        sa.Column("reported_output_tokens", INT64, nullable=True),
        sa.Column("measured_input_tokens", INT64, nullable=True),
        sa.Column("measured_output_tokens", INT64, nullable=True),
        sa.Column("measured_exact", INT64, nullable=False),
        sa.Column("cost_picousd", INT64, nullable=False),
        sa.Column("cost_microusd", INT64, nullable=False),
        sa.Column("overrun_microusd", INT64, nullable=False),
        sa.Column("price_version", INT64, nullable=False),
        sa.CheckConstraint(
            "cost_picousd >= 0 AND cost_microusd >= 0 AND overrun_microusd >= 0",
            name="cost",
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_request_log"),
        sa.UniqueConstraint("id", name="uq_request_log_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_request_log_account_no_seq", "request_log", ["account_no", "seq"])


def _rollups() -> None:
    op.create_table(
        "usage_drift_daily",
        sa.Column("day", INT64, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("requests", INT64, nullable=False),
        sa.Column("reported_tokens", INT64, nullable=False),
        sa.Column("measured_tokens", INT64, nullable=False),
        sa.Column("ratio_ppm_sum", INT64, nullable=False),
        sa.Column("ratio_square_ppm_sum", INT64, nullable=False),
        sa.PrimaryKeyConstraint("day", "provider", "model", name="pk_usage_drift_daily"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_hourly",
        sa.Column("hour", INT64, nullable=False),
        sa.Column("account_no", INT64, nullable=False),
        sa.Column("key_no", INT64, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("requests", INT64, nullable=False),
        sa.Column("failures", INT64, nullable=False),
        sa.Column("input_tokens", INT64, nullable=False),
        sa.Column("cache_read_tokens", INT64, nullable=False),
        sa.Column("cache_write_tokens", INT64, nullable=False),
        sa.Column("output_tokens", INT64, nullable=False),
        sa.Column("reasoning_tokens", INT64, nullable=False),
        sa.Column("cost_microusd", INT64, nullable=False),
        sa.Column("overrun_microusd", INT64, nullable=False),
        sa.PrimaryKeyConstraint(
            "hour", "account_no", "key_no", "model", "provider", name="pk_usage_hourly"
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _operator_accounts() -> None:
    accounts = sa.table("ledger_accounts", sa.column("no"), sa.column("code"), sa.column("kind"))
    rows = [
        (1, "revenue", "income"),
        (2, "promotion", "expense"),
        (3, "adjustment", "expense"),
        (4, "overrun_loss", "expense"),
        (5, "refunds_payable", "liability"),
        (6, "cash:manual", "asset"),
    ]
    op.bulk_insert(accounts, [dict(zip(("no", "code", "kind"), r, strict=True)) for r in rows])


def _append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ledger_entries_no_{act.lower()} BEFORE {act} ON ledger_entries "
                "BEGIN SELECT RAISE(ABORT, 'ledger entries are append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION ledger_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'ledger entries are append-only' USING ERRCODE = '23000'; END $$"
    )
    op.execute(
        "CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_refuse()"
    )
