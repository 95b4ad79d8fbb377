"""Takings: credit taken back from an account, as transactions that name what they make good.

A revocation makes a grant by hand good again: it goes back to the account that the credit came
from, out of promotional and adjustment lots, or out of the very lot of the transaction it corrects.
A forfeiture may take from every lot and goes to the operator's adjustments; that two people agreed
to it is the caller's to see to. Memory gives first, as with a charge, so nothing is spent twice and
no balance falls below zero or below what running requests hold; a failed write gives it back.
"""

from collections.abc import Callable
from typing import Literal

from sqlalchemy import Connection, select
from sqlalchemy import text as condition

from gateway.base.money import MoneyError, checked
from gateway.platform.ledger import balances, journal
from gateway.platform.ledger.chart import ADJUSTMENT, LOT_BASE, lot_account
from gateway.platform.ledger.holds import RANK, Bank, Lot
from gateway.store.schema.ledger import ledger_entries

Taking = Literal["revocation", "forfeiture"]
Parts = tuple[tuple[Lot, int], ...]


def withdraw(
    bank: Bank, account_no: int, amount_microusd: int, lots: Callable[[Lot], bool]
) -> Parts:
    """Take from memory, out of the lots that may give, the newest first. Raises MoneyError."""
    if checked(amount_microusd) <= 0:
        raise MoneyError("what is taken back is a positive amount")
    wallet = bank.wallets.get(account_no)
    giving = [lot for lot in wallet.lots if lots(lot)] if wallet is not None else []
    left = sum(lot.remaining_microusd for lot in giving)
    if wallet is None or left < amount_microusd or wallet.available_microusd < amount_microusd:
        raise MoneyError("there is not so much left of that credit, or running requests hold it")
    parts: list[tuple[Lot, int]] = []
    due = amount_microusd
    for lot in sorted(giving, key=lambda each: -each.no):
        part = min(due, lot.remaining_microusd)
        lot.remaining_microusd -= part
        due -= part
        if part:
            parts.append((lot, part))
    wallet.lots = [lot for lot in wallet.lots if lot.remaining_microusd]
    wallet.balance_microusd -= amount_microusd
    return tuple(parts)


def give_back(bank: Bank, account_no: int, parts: Parts) -> None:
    """Undo `withdraw`: its write failed."""
    wallet = bank.wallets[account_no]
    for lot, amount in parts:
        lot.remaining_microusd += amount
        wallet.balance_microusd += amount
        if lot not in wallet.lots:
            wallet.lots.append(lot)
    wallet.lots.sort(key=lambda each: (each.rank, each.no))


def was_written(
    connection: Connection,
    account_no: int,
    amount_microusd: int,
    taking: Taking,
    reason: str,
    transaction_id: str,
    corrects: str | None,
) -> bool:
    """Whether this very taking is in the ledger. Raises TransactionConflict for another one."""
    written = journal.find(connection, transaction_id)
    if not written:
        return False
    same = {(row.kind, row.memo, row.corrects) for row in written}
    total = sum(row.amount_microusd for row in written)
    if same == {(taking, reason, corrects)} and total == amount_microusd:
        owner = balances.lot(connection, written[0].debit_no - LOT_BASE).account_no
        if owner == account_no:
            return True
    raise journal.TransactionConflict(f"the transaction {transaction_id} exists with other fields")


def lots_for(
    connection: Connection, account_no: int, taking: Taking, corrects: str | None
) -> Callable[[Lot], bool]:
    """Which lots may give. Raises MoneyError when `corrects` names no grant to this account."""
    if corrects is None:
        if taking == "forfeiture":
            return lambda lot: True
        return lambda lot: lot.rank < RANK["purchased"]
    numbers = set()
    for row in journal.find(connection, corrects):
        if row.kind != "charge" and row.credit_no > LOT_BASE:
            found = balances.lot(connection, row.credit_no - LOT_BASE)
            if found.account_no == account_no:
                numbers.add(found.no)
    if not numbers:
        raise MoneyError(f"the transaction {corrects[:80]} gave this account no credit")
    return lambda lot: lot.no in numbers


def write_taking(
    connection: Connection,
    account_no: int,
    parts: Parts,
    taking: Taking,
    reason: str,
    transaction_id: str,
    corrects: str | None,
    at_us: int,
) -> None:
    """Inside a transaction: the entries, lots, wallet and balances. Raises IntegrityError for an
    id that was used in the meantime."""
    changes: dict[int, int] = {}
    transfers = []
    for leg, (lot, part) in enumerate(parts):
        source = ADJUSTMENT if taking == "forfeiture" else _source(connection, lot.no)
        changes[source] = changes.get(source, 0) + part
        row = (transaction_id, leg, taking, lot_account(lot.no), source, part, at_us)
        transfers.append(journal.Transfer(*row, corrects, reason))
    journal.append(connection, transfers)
    balances.take_from(connection, account_no, [(lot.no, part) for lot, part in parts])
    balances.change_balances(connection, changes)


def _source(connection: Connection, lot_no: int) -> int:
    """The account that a lot's credit came from."""
    columns = ledger_entries.c
    query = select(columns.debit_no).where(
        columns.credit_no == lot_account(lot_no), condition("ledger_entries.kind <> 'charge'")
    )
    return int(connection.execute(query.order_by(columns.seq).limit(1)).scalar_one())
