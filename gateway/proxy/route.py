"""Phase 4, route: which upstreams may serve the request, in the order to try them."""

from gateway.base.errors import DialectNotServed
from gateway.proxy.exchange import Exchange


def route(x: Exchange) -> None:
    """Set `x.candidates`: the model's targets that speak this endpoint. Raises DialectNotServed."""
    assert x.model is not None
    candidates = tuple(
        target for target in x.model.targets if x.endpoint.name in target.provider.endpoints
    )
    if not candidates:
        raise DialectNotServed()
    x.candidates = candidates
