# cython: annotation_typing=True
"""Phase 5, forward: attempts at the candidates until one answers.

An attempt may be followed by another only while the client has seen nothing of an answer; comment
lines that keep a stream alive are none. Which candidate comes next, when, and through which key is
`routing.retry`'s to say. A pooled connection the provider closed before answering is redone once on
a fresh one; that is not another attempt.
"""

import math
from asyncio import create_task, gather, sleep, to_thread, wait
from functools import partial

from gateway.base.errors import (
    BudgetExceeded,
    BudgetInUse,
    GatewayError,
    InsufficientCredit,
    Overloaded,
    ShuttingDown,
    UpstreamBadResponse,
    UpstreamFailed,
    UpstreamUnreachable,
)
from gateway.platform.pricing.rating import rate
from gateway.platform.request_log.record import Attempt as AttemptMade
from gateway.proxy.affordable import holding_microusd, reckon_text
from gateway.proxy.dialects.marked import is_marked
from gateway.proxy.exchange import Exchange, Metering
from gateway.proxy.media.reserve import expected
from gateway.proxy.prompt import count_prompt
from gateway.proxy.providers.failure import scrub
from gateway.proxy.providers.registry import Upstream
from gateway.proxy.routing.health import TargetHealth
from gateway.proxy.routing.hedge import Race, first_that_answers, rival_of
from gateway.proxy.routing.retry import Course, retry_after_s
from gateway.proxy.routing.router import Candidate, Step
from gateway.proxy.upstream.attempt import Attempt
from gateway.proxy.upstream.inside import error_inside
from gateway.proxy.upstream.lines import extra_headers
from gateway.proxy.upstream.passage import THREAD_TRANSLATE_BYTES, translated_body
from gateway.proxy.upstream.wire import Wire

THREAD_COPY_BYTES = 1 << 20  # larger bodies are copied or counted off the loop
LEAST_LATE_S = 0.05  # sooner a first token is not late: it is the machine that was busy
CLIENT_CLOSED_STATUS = 499  # nginx's number for "the client left"; only in the log
MAX_RETRY_AFTER_S = 120  # told to a caller: the OpenAI SDKs do not retry beyond it


async def forward(x: Exchange, metering: Metering) -> None:
    """Attempt until answered. Raises the error of an attempt when none was."""
    router = x.plane.router
    candidate: Candidate = x.candidates[0]
    course: Course | None = None
    step = candidate.usual
    if not candidate.plain or candidate.health.troubled or candidate.keys.troubled:
        course = Course(x.candidates, x.plane.limits.retry, router.random)
        first = course.first(router.now_s())
        if first is None:
            raise Overloaded("Too many requests to this model are running.", retry_after_s=1)
        step = first
    while True:
        begun_s = x.plane.clock.monotonic_s()
        try:
            if x.stream and step.candidate.model.hedge:
                attempt, upstream = await hedged(x, step, metering)
            else:
                attempt, upstream = await send(x, step, metering)
            if conclude(x, attempt, upstream, metering):
                finish_body(x, attempt, metering, await translated_body(x, attempt.body()))
            return
        except GatewayError as error:
            course = course or Course(x.candidates, x.plane.limits.retry, router.random)
            follow = course.after(x.step or step, error, router.now_s())
            if x.shown:
                raise
            if follow is None or x.client.closed or x.plane.stopping:
                raise course.worst or error from None
            note_attempt(x, x.step or step, begun_s, error)
        step = follow
        step.candidate.health.retries += 1
        if step.wait_s:
            await sleep(step.wait_s)
            step = course.woken(step, router.now_s())


def note_attempt(x: Exchange, step: Step, begun_s: float, error: GatewayError) -> None:
    """Keep what an attempt was that another follows, for the log."""
    target = step.candidate.targets[step.key_no]
    start_ms, end_ms = (
        round((at_s - x.started_s) * 1000) for at_s in (begun_s, x.plane.clock.monotonic_s())
    )
    made = AttemptMade(target.provider.name, target.model, start_ms, end_ms, error.code)
    x.trail = (*x.trail, made)


async def hedged(x: Exchange, step: Step, metering: Metering) -> tuple[Attempt, Upstream]:
    """As `send`, with a second attempt beside it once the first token is late."""
    router, health = x.plane.router, step.candidate.health
    late_s = health.late_after_s()
    if late_s is None or len(x.candidates) < 2:
        return await send(x, step, metering)
    x.race = race = Race(x)
    tasks = [create_task(send(x, step, metering))]
    try:
        await wait(tasks, timeout=max(late_s, LEAST_LATE_S))
        if not tasks[0].done() and race.winner is None and not x.client.closed:
            rival = rival_of(x.candidates, step, router.now_s())
            if rival is not None and health.spend_retry():
                rival.candidate.health.retries += 1
                tasks.append(create_task(send(x, rival, metering)))
        attempt, upstream = await first_that_answers(race, tasks)
        x.step = attempt.step
        return attempt, upstream
    finally:
        for task in tasks:
            task.cancel()
        await gather(*tasks, return_exceptions=True)
        x.race = None


async def send(x: Exchange, step: Step, metering: Metering) -> tuple[Attempt, Upstream]:
    """Send the request there and wait until there is nothing more to wait for."""
    candidate: Candidate = step.candidate
    health: TargetHealth = candidate.health
    target = candidate.targets[step.key_no]
    x.step, x.target = step, target
    x.wire = candidate.wire_for(x.endpoint) or x.endpoint
    if x.attempts == 0:
        health.requests += 1
    x.attempts += 1
    if health.troubled:
        health.started(x.plane.router.now_s())
    health.in_flight += 1
    try:
        if target.price is not x.price:
            await enter(x, step)
        upstream: Upstream = x.plane.upstreams.of(target.provider)
        if len(x.body) > THREAD_TRANSLATE_BYTES and is_long(x):
            request = await to_thread(upstream.request, x, target)
        else:
            request = upstream.request(x, target)
        wire = upstream.take_idle()
        if wire is None:
            wire = await create_task(upstream.dial())
        while True:
            attempt = begin(x, wire, request, metering)
            try:
                await attempt.done
            finally:
                end(x, attempt)
            if not stale(attempt):
                return attempt, upstream
            wire = await create_task(upstream.dial())
    finally:
        health.in_flight -= 1


def conclude(x: Exchange, attempt: Attempt, upstream: Upstream, metering: Metering) -> bool:
    """What an attempt came to: an answer in `x.tail`, or the error to raise.

    True for a whole answer that has yet to be translated.
    """
    if attempt.gone:
        leave(x, attempt, metering)
    elif attempt.inside is not None:
        x.outcome = "upstream_failed"
        raise error_inside(attempt.inside, upstream.error)
    elif attempt.error is not None:
        fail(x, attempt, metering)
    elif attempt.streaming:
        finish_stream(x, attempt, metering)
    elif attempt.status == 200:
        check_body(x, attempt, upstream)
        if x.wire is not x.endpoint:
            return True
        body = attempt.collected if len(attempt.collected) > 1 else attempt.body()
        if attempt.body_meter is not None and attempt.body_meter.error is not None:
            body = scrub(attempt.api_key(), attempt.body())
        finish_body(x, attempt, metering, body)
    else:
        error = upstream.error(attempt.status, attempt.headers, attempt.body())
        wait_s = retry_after_s(attempt.headers, x.plane.clock.now_us() / 1_000_000)
        if wait_s is not None:
            error.wait_s = wait_s
            error.retry_after_s = min(math.ceil(wait_s), MAX_RETRY_AFTER_S)
        raise error
    return False


def is_long(x: Exchange) -> bool:
    """Whether a body of some length takes too long to make for this wire on the loop."""
    return x.wire is not x.endpoint or len(x.body) > THREAD_COPY_BYTES or is_marked(x.body)


async def enter(x: Exchange, step: Step) -> None:
    """Make another model, or a target with a price of its own, the one that serves.

    The prompt is counted again where the model counts otherwise; the hold, which covers the dearest
    price, grows to what this count costs. Raises InsufficientCredit when it cannot.
    """
    model, price = step.candidate.model, step.candidate.targets[step.key_no].price
    before, x.model, x.price = x.model, model, price
    assert before is not None and price is not None
    if x.media is not None:
        x.input_picousd = rate(expected(x.media, model, price, x.measured_input), price)
        if x.hold is not None and not x.hold.grow_to(holding_microusd(x, 0)):
            raise InsufficientCredit()
        return
    if not x.output_picousd or x.hold is None:  # not priced by text
        return
    if model.encoding != before.encoding:
        if len(x.body) > THREAD_COPY_BYTES:
            await to_thread(count_prompt, x)
        else:
            count_prompt(x)
    reckon_text(x, price)
    if not x.hold.grow_to(holding_microusd(x, 1)):
        raise InsufficientCredit()


def begin(x: Exchange, wire: Wire, request: bytes, metering: Metering) -> Attempt:
    """Send the request; the attempt's `done` says when there is nothing more to wait for."""
    attempt = Attempt(x, wire, metering)
    if x.client.closed:  # nothing was asked, so there is nothing to drain
        attempt.gone = attempt.over = True
        wire.abandon()
        attempt.done.set_result(None)
        return attempt
    x.attempt = attempt
    if x.race is not None:
        x.race.attempts.append(attempt)
    x.plane.attempts.add(attempt)
    wire.request(request, attempt)
    return attempt


def end(x: Exchange, attempt: Attempt) -> None:
    """Part from an attempt that is done, or that nobody waits for any more."""
    if x.attempt is attempt:
        x.attempt = None
    if not attempt.done.done():  # cancelled
        attempt.stop(ShuttingDown())
    if attempt.paused:  # nobody will resume it, and its end is still to be read
        attempt.resume()
    if attempt.over or attempt.wire.closed:
        x.plane.attempts.discard(attempt)
    if attempt.draining:
        x.plane.draining -= 1


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
    if x.shown:
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
        attempt.step.candidate.health.failed(x.plane.router.now_s())

    if attempt.translation is not None:
        tail = attempt.translation.finish(meter.take_tail())
        if attempt.translation.failed:
            x.outcome = "upstream_failed"
            raise attempt.translation.error
        x.tail = partial(x.client.end, tail)
        return

    def release() -> None:
        x.client.end(meter.take_tail())

    x.tail = release


def check_body(x: Exchange, attempt: Attempt, upstream: Upstream) -> None:
    """Raise the error of a whole answer that is none."""
    meter = attempt.body_meter
    assert meter is not None
    meter.finish()
    if meter.malformed:
        x.outcome = "upstream_failed"
        raise UpstreamBadResponse()
    if meter.error is not None and not meter.output_seen:
        x.outcome = "upstream_failed"
        raise error_inside(meter.error, upstream.error)


def finish_body(
    x: Exchange, attempt: Attempt, metering: Metering, body: bytes | list[bytes]
) -> None:
    """A whole JSON answer: metered now, sent once its charge is durable."""
    x.status = 200
    metering.conclude(x, attempt.body_meter)
    x.outcome = "completed"
    media_type = b"application/json" if x.media is None else x.media.shown_type()
    pieces = (b"Content-Type: ", media_type, b"\r\nx-request-id: ", x.id.encode(), b"\r\n")
    headers = b"".join((*pieces, extra_headers(x)))
    x.answered = True
    x.tail = partial(x.client.respond, 200, headers, body)
    attempt.answered()
