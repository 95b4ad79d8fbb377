"""The ledger as other rooms see it: grant credit, take it back, read balances, load the bank.

Grants are written durably first and credited in memory after; their transaction id is the
idempotency key. Order of every movement: the key first, then every refusal, then what must
succeed. Charges do not pass here: `settlement` writes them in batches.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from gateway.base.money import MoneyError, checked
from gateway.platform.ledger import balances, chart, journal, takings
from gateway.platform.ledger.balances import LotRow
from gateway.platform.ledger.holds import Bank
from gateway.platform.ledger.reconcile import check_start
from gateway.platform.ledger.takings import Taking
from gateway.store.database import Database, DatabaseError

CHARGE_PREFIX = "charge:"


class LedgerDamaged(DatabaseError):
    """A start found an altered or missing ledger row; the text is one line with the first one."""


class Ledger:
    """The facade over journal, balances and bank."""

    def __init__(self, database: Database, bank: Bank) -> None:
        self._database = database
        self._bank = bank
        self._running: set[asyncio.Task[Any]] = set()

    def load(self, connection: Connection) -> None:
        """Check the ledger, then fill the bank; once, at start, before any grant or charge.

        Raises LedgerDamaged when a row was altered: nothing may be charged on such a ledger.
        """
        report = check_start(connection)
        if report.findings:
            raise LedgerDamaged(
                f"the ledger is damaged and nothing will be charged: {report.findings[0]} "
                f"(findings: {len(report.findings)}); restore the data folder from a backup"
            )
        balances.load(connection, self._bank)

    def balance(self, account_no: int) -> int:
        """An account's balance in microusd, held or not; 0 for one without credit."""
        return self._bank.balance(account_no)

    async def grant(
        self,
        account_no: int,
        amount_microusd: int,
        *,
        kind: str | None = None,
        source: str = "promotion",
        reason: str,
        transaction_id: str,
        corrects: str | None = None,
        within: Callable[[Connection], None] | None = None,
    ) -> LotRow:
        """Give an account a new credit lot; returns the lot as stored.

        `within` is run in the same transaction before it: what it raises, prevents the grant.

        `source` is `promotion`, `adjustment` or `cash:NAME` (a payment) and fixes the kind of lot
        (`kind`, if given, must agree). `corrects` names the transaction that this one makes good.
        Repeating a transaction id with the same fields returns the lot it made. Raises
        TransactionConflict when the id was used for something else, MoneyError for any other
        refusal, StorageUnavailable when the grant could not be written.
        """
        made = kind or chart.kind_of_source(source)
        if made != chart.kind_of_source(source):
            raise MoneyError(f"credit from {source} is not {made}")
        if checked(amount_microusd) <= 0:
            raise MoneyError("a grant is a positive amount")
        journal.check_text(transaction_id, "a transaction id")
        journal.check_text(reason, "a reason")
        if transaction_id.startswith(CHARGE_PREFIX):
            raise MoneyError(f"ids that start with {CHARGE_PREFIX!r} belong to requests")
        wanted = (account_no, amount_microusd, source, reason, transaction_id, corrects)
        task = asyncio.ensure_future(self._grant(*wanted, within))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # A caller that goes away must not part the durable grant from its credit in memory.
        return await asyncio.shield(task)

    async def take(
        self,
        account_no: int,
        amount_microusd: int,
        *,
        taking: Taking,
        reason: str,
        transaction_id: str,
        corrects: str | None = None,
        within: Callable[[Connection], None] | None = None,
    ) -> None:
        """Take credit back; see `takings`. Repeating a transaction id takes nothing more.

        `within` is run in the same transaction before it: what it raises, prevents the taking.
        Raises MoneyError when there is not so much left, TransactionConflict, StorageUnavailable.
        """
        journal.check_text(transaction_id, "a transaction id")
        journal.check_text(reason, "a reason")
        if transaction_id.startswith(CHARGE_PREFIX):
            raise MoneyError(f"ids that start with {CHARGE_PREFIX!r} belong to requests")
        wanted = (account_no, amount_microusd, taking, reason, transaction_id, corrects)
        task = asyncio.ensure_future(self._take(*wanted, within))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)

    async def _take(
        self,
        account_no: int,
        amount: int,
        taking: Taking,
        reason: str,
        transaction_id: str,
        corrects: str | None,
        within: Callable[[Connection], None] | None,
    ) -> None:
        done = (account_no, amount, taking, reason, transaction_id, corrects)
        if await self._database.read(lambda c: takings.was_written(c, *done)):
            return
        lots = await self._database.read(
            lambda c: takings.lots_for(c, account_no, taking, corrects)
        )
        at_us, bank = self._database.clock.now_us(), self._bank
        parts = takings.withdraw(bank, account_no, amount, lots)

        def write(connection: Connection) -> None:
            if within is not None:
                within(connection)
            takings.write_taking(
                connection, account_no, parts, taking, reason, transaction_id, corrects, at_us
            )

        try:
            await self._database.write(write)
        except BaseException:
            takings.give_back(bank, account_no, parts)
            raise

    async def _grant(
        self,
        account_no: int,
        amount: int,
        source: str,
        reason: str,
        transaction_id: str,
        corrects: str | None,
        within: Callable[[Connection], None] | None,
    ) -> LotRow:
        at_us = self._database.clock.now_us()

        def write(connection: Connection) -> LotRow:
            if within is not None:
                within(connection)
            return grant_in(
                connection, account_no, amount, source, reason, transaction_id, at_us, corrects
            )

        lot = await self._database.write(write)
        self._bank.credit(account_no, lot.no, lot.kind, lot.granted_microusd)
        return lot


def grant_in(
    connection: Connection,
    account_no: int,
    amount_microusd: int,
    source: str,
    reason: str,
    transaction_id: str,
    at_us: int,
    corrects: str | None = None,
) -> LotRow:
    """The part of a grant that happens inside one transaction; see `Ledger.grant`."""
    kind = chart.kind_of_source(source)
    debit_no = chart.source_account(connection, source)
    for row in journal.find(connection, transaction_id):
        lot = balances.lot(connection, row.credit_no - chart.LOT_BASE)
        before = (row.debit_no, row.amount_microusd, row.memo, row.corrects, lot.account_no)
        if before != (debit_no, amount_microusd, reason, corrects, account_no):
            raise journal.TransactionConflict(
                f"the transaction {transaction_id} exists with other fields"
            )
        return lot
    if corrects is not None and not journal.find(connection, corrects):
        raise MoneyError(f"there is no transaction {corrects} to correct")
    lot = balances.add_lot(connection, account_no, kind, amount_microusd, at_us)
    credit_no = chart.open_lot_account(connection, lot.no)
    transfer = journal.Transfer(
        transaction_id, 0, kind, debit_no, credit_no, amount_microusd, at_us, corrects, reason
    )
    journal.append(connection, (transfer,))
    balances.change_balances(connection, {debit_no: -amount_microusd})
    return lot
