"""Phase 7, settle: the usage becomes money and the hold is resolved, exactly once.

Synchronous, on values in memory: nothing can be cancelled between the price and the charge. The
charge becomes durable in the phase after this one.
"""

from gateway.platform.pricing.rating import rate
from gateway.proxy.exchange import Exchange


def settle(x: Exchange) -> None:
    """Resolve the hold into `x.charge`, or release it where nothing is owed."""
    hold, x.hold = x.hold, None
    if hold is None:
        return
    cost_picousd = 0 if x.basis == "none" else rate(x.usage, x.price)
    if cost_picousd:
        x.charge = hold.settle(cost_picousd)
    else:
        hold.release()
