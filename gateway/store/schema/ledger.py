"""Tables of the ledger: accounts, the chain of transfers, credit lots, wallets, balances.

One row of `ledger_entries` is one transfer: it debits one account and credits another by the same
amount, so a transaction's postings sum to zero by the form of the table and not by a check that
could be forgotten (the form TigerBeetle's documentation calls a transfer). Rows are never updated
or deleted: triggers, made by the migration, refuse both. `lots`, `wallets` and `ledger_balances`
are the running folds of the entries, written in the same transaction.
"""

from sqlalchemy import CheckConstraint, Index, Table, UniqueConstraint
from sqlalchemy import text as condition

from gateway.store.schema import integer, metadata, octets, text

ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    integer("no", primary_key=True, autoincrement=False),
    text("code", unique=True),
    text("kind"),
    CheckConstraint("kind IN ('asset', 'liability', 'income', 'expense')", name="kind"),
    sqlite_strict=True,
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    integer("seq", primary_key=True, autoincrement=False),
    text("transaction_id"),
    integer("leg"),
    text("kind"),
    integer("debit_no"),
    integer("credit_no"),
    integer("amount_microusd"),
    integer("at_us"),
    text("corrects", nullable=True),
    text("memo", nullable=True),
    octets("hash"),
    UniqueConstraint("transaction_id", "leg"),
    CheckConstraint("amount_microusd > 0", name="amount"),
    CheckConstraint("debit_no <> credit_no", name="sides"),
    CheckConstraint("length(hash) = 32", name="hash"),
    # Charges have no place in it: it finds what filled a lot, and costs a charge nothing. On
    # PostgreSQL too, where the migration says so: naming its dialect here would import it (0.1 s).
    Index("ix_ledger_entries_credit_no", "credit_no", sqlite_where=condition("kind <> 'charge'")),
    Index(  # what was taken back from a lot
        "ix_ledger_entries_debit_no",
        "debit_no",
        sqlite_where=condition("kind IN ('revocation', 'forfeiture')"),
    ),
    sqlite_strict=True,
)

# A lot's balance is its `remaining_microusd`: the balance of the lot's own liability account is
# kept here and nowhere else. Purchased credit does not expire, so there is no column for it.
lots = Table(
    "lots",
    metadata,
    integer("no", primary_key=True, autoincrement=False),
    integer("account_no"),
    text("kind"),
    integer("ledger_no", unique=True),
    integer("granted_microusd"),
    integer("remaining_microusd"),
    integer("at_us"),
    CheckConstraint("kind IN ('purchased', 'promotional', 'adjustment')", name="kind"),
    CheckConstraint("granted_microusd > 0", name="granted"),
    CheckConstraint("remaining_microusd >= 0", name="remaining"),
    CheckConstraint("remaining_microusd <= granted_microusd", name="within"),
    Index("ix_lots_account_no", "account_no"),
    sqlite_strict=True,
)

wallets = Table(
    "wallets",
    metadata,
    integer("account_no", primary_key=True, autoincrement=False),
    integer("balance_microusd"),
    integer("remainder_picousd"),
    CheckConstraint("balance_microusd >= 0", name="balance"),
    CheckConstraint("remainder_picousd >= 0 AND remainder_picousd < 1000000", name="remainder"),
    sqlite_strict=True,
)

# The operator's accounts only (credits minus debits); a lot's account is balanced in `lots`.
ledger_balances = Table(
    "ledger_balances",
    metadata,
    integer("ledger_no", primary_key=True, autoincrement=False),
    integer("balance_microusd"),
    sqlite_strict=True,
)
