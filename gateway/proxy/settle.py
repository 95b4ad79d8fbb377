"""Phase 7, settle: the usage becomes money and the hold is resolved, exactly once.

Synchronous, on values in memory: nothing can be cancelled between the price and the charge. The
charge becomes durable in the phase after this one.
"""

from gateway.platform.pricing.rating import rate
from gateway.proxy.exchange import Exchange


def settle(x: Exchange) -> None:
    """Resolve the hold into `x.charge`, or release it where nothing is owed."""
    grant, x.grant = x.grant, None
    if grant is not None:  # before the money: should that fail, the place is free all the same
        grant.finish(0 if x.basis == "none" else x.usage.total_input + x.usage.output)
    hold, x.hold = x.hold, None
    if hold is None:
        return
    cost_picousd = 0 if x.basis == "none" else rate(x.usage, x.price)
    if not cost_picousd:
        hold.release()
        return
    charge = x.charge = hold.settle(cost_picousd)
    key = x.key
    if key is not None and key.account.limits is not None:
        x.plane.limiter.spend(
            key.account.no, key.no, key.account.limits, x.started_us, charge.posted_microusd
        )
