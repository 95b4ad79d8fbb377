"""Phase 4, route: which targets may serve the request, in the order to try them.

The model's targets by its policy, then those of its fallbacks. Whether a target can be used just
now is asked when an attempt begins.
"""

from collections.abc import Sequence

from gateway.base.errors import DialectNotServed
from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.rating import rate
from gateway.proxy.exchange import Exchange
from gateway.proxy.routing import policy
from gateway.proxy.routing.router import Candidate
from gateway.proxy.routing.sticky import session_key

EXPECTED_TOKENS = 512  # of output, where a request does not say, for telling the cheapest


def route(x: Exchange) -> None:
    """Set `x.candidates`: those that can serve this endpoint. Raises DialectNotServed."""
    model, router, endpoint = x.model, x.plane.router, x.endpoint
    assert model is not None
    candidates = router.plan(model).serving(endpoint)
    if len(candidates) > 1 and model.policy != "ordered":
        candidates = arranged(x, candidates, model.policy)
    for fallback in x.fallbacks:
        others = router.plan(fallback).serving(endpoint)
        if len(others) > 1 and fallback.policy != "ordered":
            others = arranged(x, others, fallback.policy)
        candidates += others
    if not candidates:
        raise DialectNotServed()
    x.candidates = candidates


def arranged(x: Exchange, candidates: Sequence[Candidate], name: str) -> tuple[Candidate, ...]:
    """Candidates of one model in the order of its policy."""
    random = x.plane.router.random
    if name == "weighted":
        order = policy.weighted([each.targets[0].weight for each in candidates], random)
    elif name == "latency":
        now_s = x.plane.router.now_s()
        order = policy.latency([each.health.cost_s(now_s) for each in candidates], random)
    elif name == "cheapest":
        order = policy.cheapest([expected_picousd(x, each) for each in candidates])
    else:
        account = x.key.account.id if x.key is not None else ""
        key = session_key(account, x.headers.get(b"x-session-id", b""), x.body)
        order = policy.sticky(key, [each.name for each in candidates])
    return tuple(candidates[place] for place in order)


def expected_picousd(x: Exchange, candidate: Candidate) -> int:
    """What the request would cost there with the longest answer it allows, or a usual one."""
    price = candidate.targets[0].price
    output = min(x.max_tokens or EXPECTED_TOKENS, candidate.model.max_output_tokens)
    return rate(Usage(input=x.measured_input, output=output), price) if price is not None else 0
