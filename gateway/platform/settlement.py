"""Settlement: charge and log row of every finished request, in one transaction a batch.

One transaction writes the ledger's entries, lots, wallets, the operator's balances, the request
rows and the rollups, so they cannot disagree. The request id is the idempotency key: a charge is
stored once whatever is retried. `submit` is synchronous and bounded; the caller learns by
`on_durable` that the charge is on disk. Settle a hold and submit its charge without an await in
between: the wallet's carried remainder is written in the order of submission.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.base.money import MoneyError
from gateway.platform.ledger import balances, journal
from gateway.platform.ledger.chart import LOT_BASE, OVERRUN_LOSS, REVENUE
from gateway.platform.ledger.holds import Bank, Charge
from gateway.platform.ledger.ledger import CHARGE_PREFIX
from gateway.platform.request_log import record, rollup
from gateway.platform.request_log.record import RequestRow
from gateway.store.database import Database

LOG = logging.getLogger("tallygate.settlement")


class _Pending:
    """A submitted request. `refused` when its id was charged before by another request."""

    def __init__(
        self,
        settlements: "Settlements",
        charge: Charge | None,
        row: RequestRow,
        tell: Callable[[], None],
    ) -> None:
        self._settlements = settlements
        self._tell = tell
        self.charge = charge
        self.row = row
        self.refused = False

    def on_durable(self) -> None:
        """On the event loop, after the commit."""
        self._settlements._finished(self)
        self._tell()


class Settlements:
    """The queue between finished requests and the disk."""

    def __init__(
        self, database: Database, bank: Bank, max_pending: int, *, commit_delay_us: int = 1_500
    ) -> None:
        self._bank = bank
        self._writer = database.writer
        self._clock = database.clock
        self._max_pending = max_pending
        self._writer.flush_with(self._flush, commit_delay_us)
        self.pending = 0
        self.refused = 0

    @property
    def healthy(self) -> bool:
        """False while the storage fails; nothing is lost, but nothing becomes durable."""
        return self._writer.healthy

    @property
    def accepting(self) -> bool:
        """Whether new paid requests may start."""
        return self._writer.healthy and self.pending < self._max_pending

    def submit(
        self,
        charge: Charge | None,
        row: RequestRow,
        on_durable: Callable[[], None],
        patience_s: float = 0.0,
    ) -> None:
        """Queue a finished request; `on_durable` is called on the event loop after its commit.

        It may wait so long for others to share a commit with.

        Never refuses for load: what has been delivered must be recorded; `accepting` is what holds
        new work back. Raises MoneyError for a charge that was submitted before.
        """
        if charge is not None:
            if charge.submitted:
                raise MoneyError("the charge was submitted before")
            charge.submitted = True
        self._writer.submit(_Pending(self, charge, row, on_durable), patience_s)
        self.pending += 1

    def _finished(self, item: _Pending) -> None:
        self.pending -= 1
        if item.refused:
            self.refused += 1
            if item.charge is not None:
                self._bank.restore(item.charge)

    def _flush(
        self, connection: Connection, items: Sequence[_Pending], failed: Exception | None
    ) -> None:
        """Write one batch; runs on the writer's thread inside its transaction."""
        if failed is not None:
            items = _not_stored(connection, items, failed)
        if not items:
            return
        at_us = self._clock.now_us()
        transfers: list[tuple[Any, ...]] = []
        charges: list[Charge] = []
        for item in items:
            charge = item.charge
            if charge is None:
                continue
            charges.append(charge)
            name, leg = CHARGE_PREFIX + item.row[0], 0
            for lot, amount in charge.parts:
                account = LOT_BASE + lot.no
                transfers.append((name, leg, "charge", account, REVENUE, amount, at_us))
                leg += 1
            if charge.overrun_microusd:
                amount = charge.overrun_microusd
                transfers.append((name, leg, "charge", OVERRUN_LOSS, REVENUE, amount, at_us))
        rows = [item.row for item in items]
        record.insert_rows(connection, rows)
        rollup.add_rows(connection, rows)
        if transfers:
            journal.append_plain(connection, transfers)
        if charges:
            balances.apply_charges(connection, charges)


def _not_stored(
    connection: Connection, items: Sequence[_Pending], failed: Exception
) -> list[_Pending]:
    """What of a retried batch is still to be written; marks charges whose id is taken.

    A batch is stored whole or not at all. So if all of it is there after a storage fault, its own
    commit had succeeded; ids that are there for any other reason belong to other requests.
    """
    stored = record.stored_ids(connection, [item.row.id for item in items])
    taken: Any = (sa.exc.IntegrityError, connection.dialect.dbapi.IntegrityError)  # type: ignore[union-attr]
    if not isinstance(failed, taken) and all(item.row.id in stored for item in items):
        return []
    new: list[_Pending] = []
    for item in items:
        if item.row.id in stored:
            item.refused = True
            LOG.error("request_id_reused", extra={"f": {"request": item.row.id}})
        else:
            item.refused = False
            stored.add(item.row.id)
            new.append(item)
    return new
