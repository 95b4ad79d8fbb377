"""The running folds of the journal: lots, wallets, and the operator's balances.

They change only in the transaction that appends the entries they fold, aggregated to one change a
row, and every change must find its row: a balance that cannot be changed as asked is an error, not
a shrug. The tables' CHECKs are the last line: no lot and no wallet ever goes below zero.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select
from sqlalchemy import text as condition

from gateway.base.money import MoneyError
from gateway.platform.ledger.chart import OVERRUN_LOSS, REVENUE, lot_account
from gateway.platform.ledger.holds import Bank, Charge
from gateway.store.bulk import bulk_add, bulk_change
from gateway.store.schema.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_entries,
    lots,
    wallets,
)

TAKEN = "ledger_entries.kind IN ('revocation', 'forfeiture')"  # as the index over them says
_take_from_lots = bulk_change(lots, "no", ("remaining_microusd",))
_take_from_wallets = bulk_change(
    wallets, "account_no", ("balance_microusd",), ("remainder_picousd",)
)
_add_to_balances = bulk_add(ledger_balances, ("ledger_no", "balance_microusd"))


class LotRow(NamedTuple):
    """A credit lot as stored. `remaining_microusd` is what a refund of this lot would return."""

    no: int
    account_no: int
    kind: str
    ledger_no: int
    granted_microusd: int
    remaining_microusd: int
    at_us: int


def apply_charges(connection: Connection, charges: Iterable[Charge]) -> None:
    """Take a batch of charges from lots and wallets and give them to the operator's accounts.

    Raises MoneyError when a lot or wallet is missing, the database's IntegrityError when one
    would go below zero.
    """
    taken: dict[int, int] = {}
    spent: dict[int, int] = {}
    carried: dict[int, int] = {}
    revenue = overrun = 0
    for charge in charges:
        account_no = charge.wallet.account_no
        posted = charge.posted_microusd
        spent[account_no] = spent.get(account_no, 0) + posted
        carried[account_no] = charge.remainder_picousd
        for lot, amount in charge.parts:
            taken[lot.no] = taken.get(lot.no, 0) + amount
        revenue += posted
        overrun += charge.overrun_microusd
    flat: list[Any] = [value for pair in taken.items() for value in pair]
    if _take_from_lots.run(connection, flat) != len(taken):
        raise MoneyError("a charge names a credit lot that is not stored")
    flat = []
    for account_no, amount in spent.items():
        flat += (account_no, amount, carried[account_no])
    if _take_from_wallets.run(connection, flat) != len(spent):
        _carry_without_wallet(connection, spent, carried)
    change_balances(connection, {REVENUE: revenue + overrun, OVERRUN_LOSS: -overrun})


def _carry_without_wallet(
    connection: Connection, spent: dict[int, int], carried: dict[int, int]
) -> None:
    """The rare charge of an account that never had credit: nothing posted, only a remainder."""
    known = set(
        connection.scalars(select(wallets.c.account_no).where(wallets.c.account_no.in_(spent)))
    )
    for account_no in spent.keys() - known:
        if spent[account_no]:
            raise MoneyError("a charge names a wallet that is not stored")
        _open_wallets(connection, (account_no,))
        _take_from_wallets.run(connection, (account_no, 0, carried[account_no]))


def change_balances(connection: Connection, changes: dict[int, int]) -> None:
    """Add to the operator's balances (credits minus debits); zero changes write nothing."""
    flat = [value for pair in changes.items() if pair[1] for value in pair]
    if flat:
        _add_to_balances.run(connection, flat)


def add_lot(
    connection: Connection, account_no: int, kind: str, amount_microusd: int, at_us: int
) -> LotRow:
    """Store a new lot, in full, and raise its wallet by as much."""
    number = int(connection.scalar(select(func.coalesce(func.max(lots.c.no), 0))) or 0) + 1
    row = LotRow(
        number, account_no, kind, lot_account(number), amount_microusd, amount_microusd, at_us
    )
    connection.execute(insert(lots).values(row._asdict()))
    _open_wallets(connection, (account_no,))
    change = (account_no, -amount_microusd)
    carried = connection.scalar(
        select(wallets.c.remainder_picousd).where(wallets.c.account_no == account_no)
    )
    _take_from_wallets.run(connection, (*change, carried))
    return row


def take_from(connection: Connection, account_no: int, parts: list[tuple[int, int]]) -> None:
    """Take amounts from lots by number, and all of it from their wallet. Raises MoneyError."""
    flat = [value for part in parts for value in part]
    if _take_from_lots.run(connection, flat) != len(parts):
        raise MoneyError("credit is taken back from a lot that is not stored")
    carried = connection.scalar(
        select(wallets.c.remainder_picousd).where(wallets.c.account_no == account_no)
    )
    change = (account_no, sum(amount for _, amount in parts), carried)
    if _take_from_wallets.run(connection, change) != 1:
        raise MoneyError("credit is taken back from a wallet that is not stored")


def lots_of(connection: Connection, account_no: int) -> list[LotRow]:
    """An account's lots, oldest first, spent ones included."""
    query = select(lots).where(lots.c.account_no == account_no).order_by(lots.c.no)
    return [LotRow(*row) for row in connection.execute(query)]


class Movement(NamedTuple):
    """An entry that filled a lot, or took credit back: then its amount is below zero.

    `source` names the account on the other side.
    """

    seq: int
    transaction_id: str
    kind: str
    source: str
    amount_microusd: int
    at_us: int
    reason: str


def movements_of(connection: Connection, account_no: int) -> list[Movement]:
    """What filled an account's lots, and what was taken back from them, newest first."""
    entries, accounts = ledger_entries.c, ledger_accounts
    columns = (entries.seq, entries.transaction_id, entries.kind, accounts.c.code)
    query = (
        select(*columns, entries.amount_microusd, entries.at_us, entries.memo)
        .join(lots, lots.c.ledger_no == entries.credit_no)
        .join(accounts, accounts.c.no == entries.debit_no)
        .where(lots.c.account_no == account_no, condition("ledger_entries.kind <> 'charge'"))
        .order_by(entries.seq.desc())
    )
    found = [Movement(*row[:6], row[6] or "") for row in connection.execute(query)]
    return sorted([*found, *takings_of(connection, account_no)], key=lambda each: -each.seq)


def takings_of(connection: Connection, account_no: int) -> list[Movement]:
    """What was taken back from an account's lots, newest first, below zero."""
    entries, accounts = ledger_entries.c, ledger_accounts
    columns = (entries.seq, entries.transaction_id, entries.kind, accounts.c.code)
    query = (
        select(*columns, -entries.amount_microusd, entries.at_us, entries.memo)
        .join(lots, lots.c.ledger_no == entries.debit_no)
        .join(accounts, accounts.c.no == entries.credit_no)
        .where(lots.c.account_no == account_no, condition(TAKEN))
        .order_by(entries.seq.desc())
    )
    return [Movement(*row[:6], row[6] or "") for row in connection.execute(query)]


def lot(connection: Connection, lot_no: int) -> LotRow:
    """One lot by number. Raises MoneyError when there is none."""
    row = connection.execute(select(lots).where(lots.c.no == lot_no)).first()
    if row is None:
        raise MoneyError(f"there is no credit lot {lot_no}")
    return LotRow(*row)


def load(connection: Connection, bank: Bank) -> None:
    """Fill the bank with every wallet and lot, spent ones too: it must know their numbers."""
    held = select(lots.c.no, lots.c.account_no, lots.c.kind, lots.c.remaining_microusd)
    bank.load(
        connection.execute(select(wallets.c.account_no, wallets.c.remainder_picousd)),
        connection.execute(held.order_by(lots.c.no)),
    )


def _open_wallets(connection: Connection, account_nos: Iterable[int]) -> None:
    """Make empty wallets for accounts that have none yet."""
    for account_no in account_nos:
        known = select(wallets.c.account_no).where(wallets.c.account_no == account_no)
        if connection.scalar(known) is None:
            connection.execute(
                insert(wallets).values(
                    account_no=account_no, balance_microusd=0, remainder_picousd=0
                )
            )
