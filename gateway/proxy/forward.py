"""Phase 5, forward: attempts at the candidates, in order, until one answers.

An attempt may be followed by another only while the client has seen nothing. A pooled connection
the provider closed before answering is redone once on a fresh one; that is not another attempt.
"""

import random
from asyncio import sleep, to_thread
from functools import partial

from gateway.base.errors import (
    BudgetExceeded,
    BudgetInUse,
    GatewayError,
    InsufficientCredit,
    ShuttingDown,
    UpstreamBadResponse,
    UpstreamCredentials,
    UpstreamFailed,
    UpstreamUnreachable,
)
from gateway.platform.catalog import Target
from gateway.proxy.exchange import Exchange, Metering
from gateway.proxy.providers.registry import Upstream
from gateway.proxy.upstream.attempt import Attempt, Wire, extra_headers

THREAD_COPY_BYTES = 1 << 20  # larger bodies are copied off the loop
BACKOFF_S = 0.05  # before another attempt at the only candidate, doubled each time, jittered
CLIENT_CLOSED_STATUS = 499  # nginx's number for "the client left"; only in the log


async def forward(x: Exchange, metering: Metering) -> None:
    """Attempt until answered. Raises the last attempt's error when none was."""
    limit = x.plane.limits.attempts
    alone = len(x.candidates) == 1
    for number in range(limit):
        target = x.candidates[number % len(x.candidates)]
        try:
            await attempt_once(x, target, metering)
            return
        except GatewayError as error:
            again = isinstance(error, UpstreamUnreachable) if alone else may_go_on(error)
            again = again and (alone or number + 1 < len(x.candidates))
            if x.answered or x.client.closed or not again or number + 1 == limit:
                raise
        if alone:
            await sleep(BACKOFF_S * 2**number * (0.5 + random.random()))


def may_go_on(error: GatewayError) -> bool:
    """Whether another provider may do better; one that refuses our key says nothing of others."""
    if isinstance(error, ShuttingDown):
        return False
    return error.retryable or isinstance(error, UpstreamCredentials)


async def attempt_once(x: Exchange, target: Target, metering: Metering) -> None:
    """One attempt: the answer is relayed or ready in `x.tail`. Raises GatewayError."""
    x.target = target
    x.attempts += 1
    upstream: Upstream = x.plane.upstreams.of(target.provider)
    if len(x.body) > THREAD_COPY_BYTES:
        request = await to_thread(upstream.request, x, target)
    else:
        request = upstream.request(x, target)
    wire = upstream.take_idle() or await upstream.dial()
    attempt = await run(x, wire, request, metering)
    if stale(attempt):
        attempt = await run(x, await upstream.dial(), request, metering)
    if attempt.gone:
        leave(x, attempt, metering)
    elif attempt.error is not None:
        fail(x, attempt, metering)
    elif attempt.streaming:
        finish_stream(x, attempt, metering)
    elif attempt.status == 200:
        finish_body(x, attempt, metering)
    else:
        raise upstream.error(attempt.status, attempt.headers, attempt.body())


async def run(x: Exchange, wire: Wire, request: bytes, metering: Metering) -> Attempt:
    """Send the request and wait until there is nothing more to wait for."""
    attempt = Attempt(x, wire, metering)
    if x.client.closed:  # nothing was asked, so there is nothing to drain
        attempt.gone = True
        wire.abandon()
        return attempt
    x.attempt = attempt
    attempts = x.plane.attempts
    attempts.add(attempt)
    try:
        wire.request(request, attempt)
        await attempt.done
    finally:
        x.attempt = None
        if not attempt.done.done():  # cancelled
            attempt.stop(ShuttingDown())
        if attempt.paused:  # nobody will resume it, and its end is still to be read
            attempt.resume()
        if attempt.over or wire.closed:
            attempts.discard(attempt)
        if attempt.draining:
            x.plane.draining -= 1
    return attempt


def stale(attempt: Attempt) -> bool:
    """Whether a reused connection died before a byte of the answer: the usual keep-alive race."""
    wire = attempt.wire
    return (
        isinstance(attempt.error, UpstreamUnreachable)
        and wire.reused
        and not wire.started
        and not attempt.gone
    )


def leave(x: Exchange, attempt: Attempt, metering: Metering) -> None:
    """The client has left: what was received until then (or drained since) is billed."""
    metering.conclude(x, attempt.meter or attempt.body_meter)
    x.status = CLIENT_CLOSED_STATUS
    x.outcome = "client_gone"


def fail(x: Exchange, attempt: Attempt, metering: Metering) -> None:
    """The attempt failed; inside a stream what was delivered is billed. Always raises."""
    error = attempt.error
    assert error is not None
    if x.answered:
        metering.conclude(x, attempt.meter)
        x.outcome = {
            InsufficientCredit: "credit_exhausted",
            BudgetExceeded: "budget_exhausted",
            BudgetInUse: "budget_exhausted",
            ShuttingDown: "shutdown",
        }.get(type(error), "upstream_failed")
    else:
        x.outcome = "upstream_failed"
    raise error


def finish_stream(x: Exchange, attempt: Attempt, metering: Metering) -> None:
    """The stream has ended; its withheld end goes out once its charge is durable."""
    meter = attempt.meter
    assert meter is not None
    metering.conclude(x, meter)
    x.outcome = "completed"
    if meter.error is not None:
        x.outcome = "upstream_failed"
        x.error = UpstreamFailed()

    def release() -> None:
        x.client.end(meter.take_tail())

    x.tail = release


def finish_body(x: Exchange, attempt: Attempt, metering: Metering) -> None:
    """A whole JSON answer: metered now, sent once its charge is durable."""
    meter = attempt.body_meter
    assert meter is not None
    meter.finish()
    if meter.malformed:
        x.outcome = "upstream_failed"
        raise UpstreamBadResponse()
    if meter.error is not None and not meter.output_seen:
        x.outcome = "upstream_failed"
        raise UpstreamFailed()
    x.status = 200
    metering.conclude(x, meter)
    x.outcome = "completed"
    headers = b"Content-Type: application/json\r\nx-request-id: %b\r\n%b" % (
        x.id.encode(),
        extra_headers(x),
    )
    x.answered = True
    body = attempt.collected if len(attempt.collected) > 1 else attempt.body()
    x.tail = partial(x.client.respond, 200, headers, body)
