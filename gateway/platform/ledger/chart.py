"""The chart of accounts: which numbers mean what.

Each credit lot of a customer is a liability account of its own, numbered from its lot. The
operator's accounts have small fixed numbers, written by the first migration; cash accounts, one
per payment processor, are added when first used. A balance here is credits minus debits.
"""

import re
from typing import Final

from sqlalchemy import Connection, func, insert, select

from gateway.base.money import MoneyError
from gateway.store.schema.ledger import ledger_accounts

REVENUE: Final = 1
PROMOTION: Final = 2
ADJUSTMENT: Final = 3
OVERRUN_LOSS: Final = 4
REFUNDS_PAYABLE: Final = 5
CASH_MANUAL: Final = 6
FIXED: Final = {
    REVENUE: ("revenue", "income"),
    PROMOTION: ("promotion", "expense"),
    ADJUSTMENT: ("adjustment", "expense"),
    OVERRUN_LOSS: ("overrun_loss", "expense"),
    REFUNDS_PAYABLE: ("refunds_payable", "liability"),
    CASH_MANUAL: ("cash:manual", "asset"),
}
LOT_BASE: Final = 1_000  # the account of lot n is LOT_BASE + n; the operator's are below

_CASH = re.compile(r"cash:[a-z][a-z0-9_-]{0,31}")
_KINDS = {"promotion": "promotional", "adjustment": "adjustment"}


def lot_account(lot_no: int) -> int:
    """The number of a lot's liability account."""
    return LOT_BASE + lot_no


def lot_code(lot_no: int) -> str:
    """The code of a lot's liability account."""
    return f"lot:{lot_no}"


def kind_of_source(source: str) -> str:
    """The kind of lot that a source of credit makes. Raises MoneyError for an unknown source."""
    if _CASH.fullmatch(source):
        return "purchased"
    if source not in _KINDS:
        raise MoneyError(f"credit comes from promotion, adjustment or cash:NAME, not {source!r}")
    return _KINDS[source]


def source_account(connection: Connection, source: str) -> int:
    """The account a source of credit is debited from; a new cash account is opened."""
    kind_of_source(source)
    table = ledger_accounts
    found = connection.scalar(select(table.c.no).where(table.c.code == source))
    if found is not None:
        return int(found)
    newest = connection.scalar(select(func.max(table.c.no)).where(table.c.no < LOT_BASE))
    number = int(newest or 0) + 1
    if number >= LOT_BASE:
        raise MoneyError("there is no room for another cash account")
    connection.execute(insert(table).values(no=number, code=source, kind="asset"))
    return number


def open_lot_account(connection: Connection, lot_no: int) -> int:
    """Open the liability account of a new lot."""
    number = lot_account(lot_no)
    connection.execute(
        insert(ledger_accounts).values(no=number, code=lot_code(lot_no), kind="liability")
    )
    return number
