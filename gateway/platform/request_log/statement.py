"""An account's statement: its charges and its credits as one list, newest first.

Charges are rows of the request log, which say what the ledger's entries say (`ledger.agreement`
compares them); credits are the account's lots, and what was taken back from those. All are found
by the account's own indexes, so a page costs the same at any depth. Amounts are signed: below
zero lowered the balance.
"""

import re
from typing import NamedTuple

from sqlalchemy import Connection, select

from gateway.platform.ledger.balances import LotRow, lots_of, takings_of
from gateway.store.schema.request_log import request_log

_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})\.([0-9]{1,18})")
CHARGE = "charge"


class Cursor(NamedTuple):
    """Where a page ended: the numbers of the last charge, credit and taking before it."""

    seq: int
    lot_no: int
    taking_seq: int

    def __str__(self) -> str:
        return f"{self.seq}.{self.lot_no}.{self.taking_seq}"

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """The inverse of `str`; None for anything else."""
        found = _CURSOR.fullmatch(text)
        return cls(*map(int, found.groups())) if found else None


class Line(NamedTuple):
    """One movement of the balance. `balance_microusd` is what it left, where that is known."""

    at_us: int
    kind: str
    amount_microusd: int
    request_id: str | None
    balance_microusd: int | None = None


START = Cursor(10**18 - 1, 10**18 - 1, 10**18 - 1)  # as many digits as a cursor may have


def statement(
    connection: Connection, account_no: int, *, before: Cursor | None = None, limit: int = 50
) -> tuple[list[Line], Cursor | None]:
    """A page, and the cursor of the one that follows or None."""
    at = before or START
    charges = _charges(connection, account_no, at.seq, limit + 1)
    credits = [lot for lot in lots_of(connection, account_no) if lot.no < at.lot_no][::-1]
    takings = [each for each in takings_of(connection, account_no) if each.seq < at.taking_seq]
    lines: list[Line] = []
    seq, lot_no, taking_seq = at
    while len(lines) < limit and (charges or credits or takings):
        charged_us = charges[0][2] if charges else -1
        credited_us = credits[0].at_us if credits else -1
        taken_us = takings[0].at_us if takings else -1
        if charged_us >= max(credited_us, taken_us):
            seq, request_id, started_us, cost_microusd = charges.pop(0)
            lines.append(Line(started_us, CHARGE, -cost_microusd, request_id))
        elif taken_us >= credited_us:
            taking = takings.pop(0)
            taking_seq = taking.seq
            lines.append(Line(taking.at_us, taking.kind, taking.amount_microusd, None))
        else:
            lot = credits.pop(0)
            lot_no = lot.no
            lines.append(_credit(lot))
    more = bool(charges or credits or takings)
    return lines, Cursor(seq, lot_no, taking_seq) if more else None


def with_balances(lines: list[Line], balance_microusd: int) -> list[Line]:
    """The first page's lines with the balance that each left, from the balance after them all."""
    found = []
    for line in lines:
        found.append(line._replace(balance_microusd=balance_microusd))
        balance_microusd -= line.amount_microusd
    return found


def _credit(lot: LotRow) -> Line:
    return Line(lot.at_us, lot.kind, lot.granted_microusd, None)


def _charges(
    connection: Connection, account_no: int, before_seq: int, limit: int
) -> list[tuple[int, str, int, int]]:
    columns = request_log.c
    query = (
        select(columns.seq, columns.id, columns.started_us, columns.cost_microusd)
        .where(
            columns.account_no == account_no,
            columns.seq < before_seq,
            columns.cost_microusd > 0,
        )
        .order_by(columns.seq.desc())
        .limit(limit)
    )
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]
