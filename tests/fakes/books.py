"""A real ledger on a real file, with the few acts that tests repeat."""

import asyncio
from pathlib import Path

from gateway.base.clock import ManualClock
from gateway.base.ids import IdFactory
from gateway.platform.ledger import Ledger
from gateway.platform.ledger.holds import Bank, Charge
from gateway.platform.ledger.reconcile import Report, verify
from gateway.platform.request_log.record import RequestRow
from gateway.platform.settlement import Settlements
from gateway.store.database import Database

PICO = 1_000_000  # picodollars in a microdollar


def make_row(
    request_id: str,
    account_no: int,
    charge: Charge | None = None,
    started_us: int = 1_700_000_000_000_000,
    **changes: object,
) -> RequestRow:
    row = RequestRow(
        id=request_id,
        started_us=started_us,
        account_no=account_no,
        key_no=1,
        model="m",
        provider="p",
        upstream_model="u",
        endpoint="chat",
        stream=True,
        status=200,
        outcome="completed",
        error_code="",
        attempts=1,
        duration_ms=350,
        first_token_ms=None,
        basis="reported",
        input_tokens=100,
        cache_read_tokens=3,
        cache_write_tokens=2,
        output_tokens=50,
        reasoning_tokens=7,
        reported_input_tokens=105,
        reported_output_tokens=50,
        measured_input_tokens=104,
        measured_output_tokens=40,
        measured_exact=True,
        cost_picousd=charge.cost_picousd if charge else 0,
        cost_microusd=charge.posted_microusd if charge else 0,
        overrun_microusd=charge.overrun_microusd if charge else 0,
        price_version=1,
        units="",
    )
    return row._replace(**changes)


class Books:
    """Bank, ledger and settlements over one database. `durable` lists acknowledged ids."""

    def __init__(
        self, path: Path | str, *, max_pending: int = 10_000, commit_delay_us: int = 0
    ) -> None:
        self.path = path
        self.clock = ManualClock()
        self.ids = IdFactory(self.clock)
        self.database = Database.open(path, clock=self.clock)
        self.bank = Bank()
        self.ledger = Ledger(self.database, self.bank)
        self.settlements = Settlements(
            self.database, self.bank, max_pending, commit_delay_us=commit_delay_us
        )
        self.durable: list[str] = []
        self.submitted: list[str] = []
        self._grants = 0

    async def start(self) -> "Books":
        await self.database.read(self.ledger.load)
        return self

    async def __aenter__(self) -> "Books":
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.database.close()

    async def grant(self, account_no: int, amount_microusd: int, source: str = "promotion") -> int:
        self._grants += 1
        lot = await self.ledger.grant(
            account_no,
            amount_microusd,
            source=source,
            reason="test",
            transaction_id=f"grant:{account_no}:{self._grants}:{self.ids.make('g')}",
        )
        return lot.no

    def charge(
        self,
        account_no: int,
        cost_picousd: int,
        hold_microusd: int = 0,
        patience_s: float = 0.0,
        **changes: object,
    ) -> str:
        """Hold, settle and submit in one go; returns the request id."""
        charge = self.bank.hold(account_no, 0, hold_microusd).settle(cost_picousd)
        return self.submit(charge, account_no, patience_s, **changes)

    def submit(
        self, charge: Charge | None, account_no: int, patience_s: float = 0.0, **changes: object
    ) -> str:
        request_id = str(changes.pop("id", None) or self.ids.make("req"))
        row = make_row(request_id, account_no, charge, self.clock.now_us(), **changes)
        self.submitted.append(request_id)
        self.settlements.submit(charge, row, lambda: self.durable.append(request_id), patience_s)
        return request_id

    async def settled(self) -> None:
        """Until all that was submitted is on disk."""
        while self.settlements.pending:
            await asyncio.sleep(0.001)

    async def verify(self) -> Report:
        return await self.database.read(verify)
