"""Phase 7, settle: the usage becomes money, the hold is resolved, the end waits for the disk.

With durability `full` the end of the answer is released only when its charge is on disk, so
"the client saw the end" implies "the charge is durable". Synchronous throughout: nothing can be
cancelled between the price and the queue of the writer.
"""

from gateway.platform.ledger.holds import Charge
from gateway.platform.pricing.rating import rate
from gateway.proxy.exchange import Exchange
from gateway.proxy.record import record


def settle(x: Exchange) -> None:
    """Resolve the hold, queue charge and record, and release the end of the response."""
    hold = x.hold
    charge: Charge | None = None
    if hold is not None:
        x.hold = None
        cost_picousd = rate(x.usage, x.price) if x.basis != "none" else 0
        if cost_picousd:
            charge = hold.settle(cost_picousd)
        else:
            hold.release()
    row = record(x, charge)
    release = x.tail or _nothing
    if row is None:
        release()
    elif charge is None or x.plane.settings.ledger_durability == "relaxed":
        x.plane.settlements.submit(charge, row, _nothing)
        release()
    else:
        x.plane.settlements.submit(charge, row, release)


def _nothing() -> None:
    """An end nobody waits for."""
