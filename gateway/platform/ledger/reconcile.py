"""Verification: does the database still say what was once written, and does it agree with itself?

`verify` reads everything: the hash chain, every balance against the fold of its entries, lots
against wallets, each charge against its request row, the log against its rollups. Rows stream;
memory grows with the number of credit lots, not of entries. `check_start` is the part that is
quick enough for every start: the whole chain and its folds up to START_ENTRIES entries, and beyond
that the last START_ENTRIES of the chain with wallets against lots. Each finding is one plain line.
Only reads; repairs nothing. The comparison with the log lives in `agreement`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, func, select

from gateway.base.progress import Progress
from gateway.platform.ledger import agreement, journal
from gateway.platform.ledger.chart import FIXED, LOT_BASE, lot_account, lot_code
from gateway.store.schema.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_entries,
    lots,
    wallets,
)

START_ENTRIES = 100_000  # about 0.4 s of checking, so that a restart serves again within 2 s
MAX_FINDINGS = 100
FETCH_ROWS = 1_000


@dataclass(slots=True)
class Report:
    """What a verification found; no findings means that all is sound."""

    findings: list[str] = field(default_factory=list)
    entries: int = 0
    complete: bool = True

    def add(self, finding: str) -> None:
        """Note a finding; past the first hundred only that there are more."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)
        elif len(self.findings) == MAX_FINDINGS:
            self.findings.append("there are more findings than can be listed")


@dataclass(slots=True)
class _Folds:
    """Sums of the entries: credits minus debits by account, and what opened each lot account."""

    balance: dict[int, int] = field(default_factory=dict)
    opening: dict[int, tuple[int, str, int]] = field(default_factory=dict)


def verify(connection: Connection, progress: Progress | None = None) -> Report:
    """Check everything on one snapshot; minutes for ten million entries, a second for most.

    Raises Stopped.
    """
    report = Report()
    folds = _Folds()
    progress = progress or Progress()
    parts = (
        _chain(connection, 0, folds, report, progress),
        _accounts(connection, folds),
        _lots(connection, folds),
        _wallets(connection),
        _operator_balances(connection, folds),
        agreement.charges(connection),
        agreement.remainders(connection),
        agreement.hours(connection),
        agreement.usage_days(connection),
        agreement.applications(connection),
        agreement.service(connection),
        agreement.units(connection),
        agreement.days(connection),
    )
    for number, findings in enumerate(parts, 1):
        whole = journal.head(connection).seq if number == 1 else 0
        progress.begin(number, len(parts), whole)
        _section(report, findings)
    return report


def check_start(connection: Connection) -> Report:
    """The check of every start; `complete` is False when only the chain's tail was read."""
    report = Report()
    folds = _Folds()
    since = max(journal.head(connection).seq - START_ENTRIES, 0)
    report.complete = since == 0
    _section(report, _chain(connection, since, folds, report, Progress()))
    if report.complete:
        _section(report, _accounts(connection, folds))
        _section(report, _lots(connection, folds))
        _section(report, _operator_balances(connection, folds))
    _section(report, _wallets(connection))
    return report


def _section(report: Report, findings: Iterable[str]) -> None:
    """Run one part; a page that cannot be read is a finding and ends the part, not the check."""
    try:
        for finding in findings:
            report.add(finding)
    except sa.exc.DBAPIError as error:
        report.add(f"the database cannot be read: {type(error.orig).__name__}")


def _chain(
    connection: Connection, since: int, folds: _Folds, report: Report, progress: Progress
) -> Iterator[str]:
    """Follow the chain after entry `since`, whose own hash is taken as given, and fold it."""
    table = ledger_entries
    previous = journal.GENESIS
    if since:
        previous = bytes(connection.scalars(select(table.c.hash).where(table.c.seq == since)).one())
    query = select(*(table.c[name] for name in journal.FIELDS)).where(table.c.seq > since)
    expected = since
    balance, opening = folds.balance, folds.opening
    for row in _stream(connection, query.order_by(table.c.seq)):
        seq, _, _, kind, debit_no, credit_no, amount, at_us, _, _, stored = row
        expected += 1
        report.entries += 1
        progress.count(1)
        if seq != expected:
            yield f"ledger entries {expected} to {seq - 1} are missing"
            expected = seq
        sealed = _digest(previous, row)
        if sealed != stored:
            yield f"ledger entry {seq} was altered, or one before it was removed"
        previous = stored if isinstance(stored, bytes) else journal.GENESIS
        if not all(type(value) is int for value in (debit_no, credit_no, amount)):
            continue  # such a row has been reported: its seal cannot be right
        if amount <= 0:
            yield f"ledger entry {seq} moves no positive amount"
        balance[debit_no] = balance.get(debit_no, 0) - amount
        balance[credit_no] = balance.get(credit_no, 0) + amount
        if credit_no > LOT_BASE:
            if credit_no in opening:
                yield f"ledger entry {seq} credits {lot_code(credit_no - LOT_BASE)} once more"
            opening[credit_no] = (amount, kind, at_us)


def _digest(previous: bytes, row: Any) -> bytes | None:
    """The hash a row should have; None when a damaged page gave it values of the wrong kind."""
    try:
        return journal.digest(previous, *row[:-1])
    except (TypeError, AttributeError):
        return None


def _accounts(connection: Connection, folds: _Folds) -> Iterator[str]:
    """Accounts have the code and kind their number means, and every entry's account exists."""
    seen: set[int] = set()
    for no, code, kind in _stream(connection, select(ledger_accounts).order_by("no")):
        seen.add(no)
        if no > LOT_BASE:
            right = (code, kind) == (lot_code(no - LOT_BASE), "liability")
        elif no in FIXED:
            right = (code, kind) == FIXED[no]
        else:
            right = code.startswith("cash:") and kind == "asset"
        if not right:
            yield f"ledger account {no} was altered: it is {code!r}, {kind}"
    for no in (FIXED.keys() | folds.balance.keys()) - seen:
        yield f"ledger account {no} is missing"


def _lots(connection: Connection, folds: _Folds) -> Iterator[str]:
    """Each lot is what its opening entry granted, and what its entries left of it."""
    seen: set[int] = set()
    for row in _stream(connection, select(lots).order_by("no")):
        no, _, kind, ledger_no, granted, remaining, at_us = row
        seen.add(ledger_no)
        if ledger_no != lot_account(no):
            yield f"credit lot {no} names the ledger account {ledger_no}, which is not its own"
        if folds.opening.get(lot_account(no)) != (granted, kind, at_us):
            yield f"credit lot {no} is not the one that the ledger granted"
        if folds.balance.get(lot_account(no), 0) != remaining:
            yield (
                f"credit lot {no} has {remaining} microusd left, but its ledger entries leave "
                f"{folds.balance.get(lot_account(no), 0)}"
            )
        if not 0 <= remaining <= granted:
            yield f"credit lot {no} has {remaining} microusd left of {granted} granted"
    for ledger_no in folds.opening.keys() - seen:
        yield f"credit lot {ledger_no - LOT_BASE} was granted but is missing"


def _wallets(connection: Connection) -> Iterator[str]:
    """Each wallet is the sum of its account's lots; no account has lots without a wallet."""
    total = func.sum(lots.c.remaining_microusd)
    sums = select(lots.c.account_no, total).group_by(lots.c.account_no).order_by(lots.c.account_no)
    held = select(wallets.c.account_no, wallets.c.balance_microusd).order_by(wallets.c.account_no)
    pairs = agreement.merged(_keyed(connection, sums), _keyed(connection, held))
    for (account_no,), of_lots, of_wallet in pairs:
        if of_wallet is None:
            yield f"account {account_no} has credit lots but no wallet"
        elif (of_lots or (0,)) != of_wallet:
            yield (
                f"the wallet of account {account_no} says {of_wallet[0]} microusd, its lots "
                f"{(of_lots or (0,))[0]}"
            )


def _operator_balances(connection: Connection, folds: _Folds) -> Iterator[str]:
    """Each of the operator's balances is the fold of its entries."""
    rows = connection.execute(select(ledger_balances)).all()
    stored: dict[int, int] = dict(rows)
    for no in sorted(stored.keys() | {n for n in folds.balance if n <= LOT_BASE}):
        balance, fold = stored.get(no, 0), folds.balance.get(no, 0)
        if balance != fold:
            yield f"ledger account {no} has the balance {balance}, but its entries give {fold}"


def _keyed(connection: Connection, query: sa.Select[Any]) -> Iterator[tuple[Any, Any]]:
    for row in _stream(connection, query):
        yield (row[0],), tuple(row[1:])


def _stream(connection: Connection, query: sa.Select[Any]) -> Iterator[Any]:
    return iter(connection.execute(query, execution_options={"yield_per": FETCH_ROWS}))
