# cython: annotation_typing=True
"""The life of a request on one screen: each phase in its own file, in this order.

Phases never call each other; whatever happens, the request ends in `settle` and `record`, once.
"""

import asyncio
import logging

from gateway.base.errors import GatewayError, InternalError, ShuttingDown
from gateway.proxy.accept import accept
from gateway.proxy.admit import admit
from gateway.proxy.authenticate import authenticate, permit
from gateway.proxy.cache import answered_before
from gateway.proxy.count import tell_count
from gateway.proxy.exchange import Exchange
from gateway.proxy.forward import forward
from gateway.proxy.media.metering import MEDIA_METER
from gateway.proxy.meter import METER
from gateway.proxy.record import record
from gateway.proxy.refuse import refuse
from gateway.proxy.route import route
from gateway.proxy.settle import settle

log = logging.getLogger("tallygate.proxy")


async def serve(x: Exchange) -> None:
    """Serve one request to its end. Never raises."""
    x.plane.active.add(x)
    try:
        authenticate(x)
        await accept(x)
        permit(x)
        if answered_before(x):
            return
        await admit(x)
        if x.endpoint.counts:
            tell_count(x)
        else:
            route(x)
            await forward(x, METER if x.media is None else MEDIA_METER)
    except GatewayError as error:
        refuse(x, error)
    except asyncio.CancelledError:  # at the deadline of a stop, while no attempt runs
        refuse(x, ShuttingDown(retry_after_s=2))
    except Exception:
        log.exception("request failed", extra={"f": {"request": x.id}})
        refuse(x, InternalError())
    finally:
        x.plane.active.discard(x)
        close(x)


async def enter_turn(x: Exchange) -> None:
    """A turn of a realtime session: as far as `serve` goes before an answer. Raises GatewayError.

    Whatever it raises, `leave_turn` must follow.
    """
    x.plane.active.add(x)
    authenticate(x)
    permit(x)
    await admit(x)
    route(x)


def leave_turn(x: Exchange) -> None:
    """The turn has ended: settle and record it."""
    x.plane.active.discard(x)
    close(x)


def close(x: Exchange) -> None:
    """Settle and record. Should money be refused, the end is never shown and the hold stays."""
    try:
        settle(x)
        record(x)
    except Exception:
        log.exception("settlement failed", extra={"f": {"request": x.id}})
        x.client.abort()
