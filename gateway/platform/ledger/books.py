"""The books as their keeper reads them: the journal page by page, and the sums of the chart.

Only reads. Pages are keyed by an entry's number and never by an offset. A balance here is credits
minus debits, as in `chart`; what is owed to customers is the sum of their wallets.
"""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from gateway.platform.ledger.chart import LOT_BASE, lot_code
from gateway.store.schema.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_entries,
    lots,
    wallets,
)


class Entry(NamedTuple):
    """A transfer with the codes of its two sides. `owner_no`: whose lot it moved, if one's."""

    seq: int
    transaction_id: str
    kind: str
    debit: str
    credit: str
    amount_microusd: int
    at_us: int
    memo: str | None
    owner_no: int | None


class Position(NamedTuple):
    """An account of the operator and its balance in micro-dollars."""

    code: str
    kind: str
    balance_microusd: int


def entries(connection: Connection, *, before: int | None = None, limit: int = 50) -> list[Entry]:
    """Entries, newest first; `before` is the number of the last one seen."""
    columns = ledger_entries.c
    query = select(ledger_entries).order_by(columns.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(columns.seq < before)
    rows = connection.execute(query).all()
    sides = {no for row in rows for no in (row.debit_no, row.credit_no)}
    owners = _owners(connection, {no for no in sides if no > LOT_BASE})
    codes = _codes(connection, {no for no in sides if no <= LOT_BASE})
    for no in sides:
        if no > LOT_BASE:
            codes[no] = lot_code(no - LOT_BASE)
    return [
        Entry(
            row.seq,
            row.transaction_id,
            row.kind,
            codes[row.debit_no],
            codes[row.credit_no],
            row.amount_microusd,
            row.at_us,
            row.memo,
            owners.get(row.debit_no, owners.get(row.credit_no)),
        )
        for row in rows
    ]


def positions(connection: Connection) -> list[Position]:
    """The operator's accounts, in the order of the chart."""
    accounts, balances = ledger_accounts.c, ledger_balances.c
    query = (
        select(accounts.code, accounts.kind, func.coalesce(balances.balance_microusd, 0))
        .join_from(
            ledger_accounts,
            ledger_balances,
            balances.ledger_no == accounts.no,
            isouter=True,
        )
        .where(accounts.no <= LOT_BASE)
        .order_by(accounts.no)
    )
    return [Position(row[0], row[1], int(row[2])) for row in connection.execute(query)]


def liabilities(connection: Connection) -> int:
    """What all customers together have left to spend, in micro-dollars."""
    return int(connection.scalar(select(func.sum(wallets.c.balance_microusd))) or 0)


def below(connection: Connection, amount_microusd: int) -> dict[int, int]:
    """Balances under an amount, by account, of those that ever had credit."""
    columns = wallets.c
    query = select(columns.account_no, columns.balance_microusd).where(
        columns.balance_microusd < amount_microusd,
        columns.account_no.in_(select(lots.c.account_no)),
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def given(connection: Connection, since_us: int) -> dict[str, int]:
    """Credit given since a time, by kind of lot; `purchased` is the money that came in."""
    query = (
        select(lots.c.kind, func.sum(lots.c.granted_microusd))
        .where(lots.c.at_us >= since_us)
        .group_by(lots.c.kind)
    )
    return {kind: int(amount) for kind, amount in connection.execute(query)}


def _owners(connection: Connection, ledger_nos: set[int]) -> dict[int, int]:
    query = select(lots.c.ledger_no, lots.c.account_no).where(lots.c.ledger_no.in_(ledger_nos))
    return {row[0]: row[1] for row in connection.execute(query)}


def _codes(connection: Connection, numbers: set[int]) -> dict[int, str]:
    columns = ledger_accounts.c
    query = select(columns.no, columns.code).where(columns.no.in_(numbers))
    return {row[0]: row[1] for row in connection.execute(query)}
