"""Where keys are used from: what the door knows of a request's client, handed to the counter.

Called by the data plane for the first request of a connection with a key, and then once an hour or
when a proxy names another client. Nothing is waited for and nothing is written: a key that too many
networks use is put down in memory, and a worker opens its case. Addresses of this host and of
private networks, and unknown ones, count for nothing; so do the short-lived keys of the playground,
which share one number.
"""

from collections.abc import Callable, Sequence

from gateway.platform.keys.ring import Key
from gateway.platform.keys.spread import Crowd, Spread
from gateway.proxy.exchange import HOPS, Exchange
from gateway.web.client_address import Network, client_network


class Sightings:
    """Counts uses; `suspect` is told of a key that more networks use than may."""

    def __init__(
        self, spread: Spread, trusted: Sequence[Network], suspect: Callable[[Key, Crowd], None]
    ) -> None:
        self._spread = spread
        self._trusted = trusted
        self._suspect = suspect

    def place(self, x: Exchange) -> None:
        """Count a use, and let the connection's next ones pass for a while."""
        key, now_us, spread = x.key, x.started_us, self._spread
        if key is None:
            return
        transport = getattr(x.client, "transport", None)
        peer = transport.get_extra_info("peername") if transport is not None else None
        host = peer[0] if isinstance(peer, tuple) else ""
        hops = x.headers.get(HOPS)
        if x.recall is not None:
            x.recall.place(hops, spread.until_us(now_us))
        if not key.no or not spread.is_new(key.no, b"%b %b" % (host.encode(), hops or b""), now_us):
            return
        forwarded = [hops.decode("latin-1")] if hops else []
        network = client_network(host, forwarded, self._trusted)
        crowd = spread.note(key.no, network, now_us) if network else None
        if crowd is not None:
            self._suspect(key, crowd)
