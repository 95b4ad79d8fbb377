# cython: annotation_typing=True
"""Phase 3, admit: the model exists and is priced, limits have room, and credit is held.

Hold = the prompt as counted here + a reserve for the output: min(the request's maximum, the
model's reserve, what the balance affords), times the choices asked for. A request that does not
stream is asked of the upstream with no more output than the balance affords. Decides on values in
memory only; a balance is never read from the database here. Where account or key have limits, the
same estimate is reserved of the tokens a minute, and the hold keeps to the budgets; a request that
is refused for any reason leaves all of them as they were.
"""

import asyncio

from gateway.base.errors import (
    CreditInUse,
    GatewayError,
    InsufficientCredit,
    ModelNotFound,
    ModelNotPriced,
    Overloaded,
    ShuttingDown,
    StorageUnavailable,
)
from gateway.platform.catalog import Model
from gateway.platform.ledger.holds import RETRY_AFTER_S, Hold
from gateway.platform.limits import Terms
from gateway.platform.limits.budget import Window
from gateway.platform.pricing.dearest import dearest
from gateway.platform.pricing.rating import rate, rate_input
from gateway.proxy.affordable import affordable_tokens, holding_microusd, reckon_text
from gateway.proxy.dialects.limit_headers import limit_headers
from gateway.proxy.exchange import Exchange
from gateway.proxy.media.reserve import expected
from gateway.proxy.prompt import count_prompt

THREAD_COUNT_BYTES = 512 * 1024  # larger bodies are counted off the loop


def find_model(x: Exchange) -> None:
    """Set `x.model`, `x.fallbacks` and `x.price`. Raises ModelNotFound, ModelNotPriced.

    The price is the dearest of all that may serve the request: the hold reckons with it, the charge
    with the price of what did serve. A fallback that is not offered or not priced is left out. A
    sandbox model may carry options behind a colon (`sandbox/lorem:tps=50`); they belong to the
    upstream's name, the price and the log are the model's own.
    """
    snapshot = x.plane.catalog.snapshot
    model = snapshot.models.get(x.model_name) or snapshot.aliases.get(x.model_name)
    if model is None and x.model_name.startswith("sandbox/"):
        model = snapshot.models.get(x.model_name.partition(":")[0])
    if model is None or not model.targets:
        raise ModelNotFound(param="model")
    if model.price is None or not (model.price.tokens or x.endpoint.media):
        raise ModelNotPriced()
    x.model = model
    x.price = model.dearest_price
    x.longest_output = model.max_output_tokens
    if model.fallbacks or x.fallback_names:
        find_fallbacks(x, model)


def find_fallbacks(x: Exchange, model: Model) -> None:
    """Those the client listed, then the model's own, each once."""
    snapshot = x.plane.catalog.snapshot
    found: dict[str, Model] = {}
    for name in (*x.fallback_names, *model.fallbacks):
        other = snapshot.named(name)
        if other is None and name in x.fallback_names:
            raise ModelNotFound(f"The fallback model {name!r} is not offered here.", param="models")
        if other is None or other is model or not other.targets or other.dearest_price is None:
            continue
        if other.dearest_price.tokens or x.endpoint.media:
            found[other.name] = other
    x.fallbacks = tuple(found.values())
    priced = [each.dearest_price for each in (model, *x.fallbacks)]
    x.price = dearest([price for price in priced if price is not None])
    x.longest_output = max(each.max_output_tokens for each in (model, *x.fallbacks))


async def admit(x: Exchange) -> None:
    """Count the prompt and take the hold. Raises the refusals of the imports above."""
    plane = x.plane
    if plane.stopping:
        raise ShuttingDown(retry_after_s=2)
    if not plane.settlements.accepting:
        if plane.settlements.healthy:
            raise Overloaded(retry_after_s=1)
        raise StorageUnavailable(retry_after_s=2)
    find_model(x)
    terms = x.key.account.limits if x.key is not None else None
    if terms is not None:
        check_limits(x, terms)
    if len(x.body) > THREAD_COUNT_BYTES:
        await asyncio.to_thread(count_prompt, x)
    else:
        count_prompt(x)
    if x.endpoint.counts:  # free: nothing is held, and the answer is the count
        if terms is not None:
            take_request(x, terms)
    elif terms is None:
        take_hold(x)
    else:
        take_grant(x, terms)


def check_limits(x: Exchange, terms: Terms) -> None:
    """Refuse before the prompt is counted what would be refused afterwards. Takes nothing."""
    assert x.key is not None
    account_no, key_no = x.key.account.no, x.key.no
    try:
        x.plane.limiter.check(account_no, key_no, terms)
    except GatewayError:
        x.lines += rate_lines(x, terms)
        raise


def take_request(x: Exchange, terms: Terms) -> None:
    """Take a request and a place of the limits, without tokens. Raises the limiter's refusals."""
    key = x.key
    assert key is not None
    try:
        x.grant = x.plane.limiter.admit(
            key.account.no,
            key.no,
            terms,
            prompt_tokens=0,
            output_tokens=0,
            started_us=x.started_us,
        )
    finally:
        x.lines += rate_lines(x, terms)


def take_grant(x: Exchange, terms: Terms) -> None:
    """Take the limits and the hold, or neither. Raises the limiter's and the ledger's refusals."""
    key = x.key
    assert key is not None
    try:
        x.grant = x.plane.limiter.admit(
            key.account.no,
            key.no,
            terms,
            prompt_tokens=x.measured_input,
            output_tokens=reserved_output(x),
            started_us=x.started_us,
        )
        try:
            take_hold(x, x.grant.windows)
        except BaseException:
            x.grant.cancel()
            raise
    finally:
        x.lines += rate_lines(x, terms)


def rate_lines(x: Exchange, terms: Terms) -> bytes:
    """Header lines that say how the rates of account and key stand."""
    assert x.key is not None
    requests, tokens = x.plane.limiter.standing(x.key.account.no, x.key.no, terms)
    return limit_headers(requests, tokens, x.plane.clock.now_us(), x.endpoint.family)


def reserved_output(x: Exchange) -> int:
    """How many tokens of output are reserved, over all choices."""
    model = x.model
    assert model is not None
    if not x.endpoint.max_tokens_field:  # embeddings have no output
        return 0
    ceiling = min(x.max_tokens or x.longest_output, x.longest_output)
    reserve = model.output_reserve_tokens or x.plane.limits.output_reserve_tokens
    if not x.stream and x.max_tokens is not None:
        reserve = x.longest_output  # nothing can be added to the hold of a whole answer
    return min(ceiling, reserve) * x.choices


def take_hold(x: Exchange, budgets: tuple[Window, ...] = ()) -> None:
    """Hold credit for the prompt and a reserve of output, within the budgets.

    Raises the ledger's refusals, and the budgets'.
    """
    plane, model, price, key = x.plane, x.model, x.price, x.key
    assert model is not None and key is not None
    if x.media is not None:
        x.input_picousd = rate(expected(x.media, model, price, x.measured_input), price)
    elif x.endpoint.max_tokens_field:
        reckon_text(x, price)
    else:
        x.input_picousd = rate_input(x.measured_input, price)
    if not x.endpoint.max_tokens_field:
        cost = holding_microusd(x, 0)
        x.hold = plane.bank.hold(key.account.no, cost, cost, budgets)
        return
    ceiling = min(x.max_tokens or x.longest_output, x.longest_output) * x.choices
    # A whole answer cannot be stopped, so a budget must cover the longest there may be.
    reserve = ceiling if budgets and not x.stream else reserved_output(x)
    want = holding_microusd(x, reserve)
    x.hold = plane.bank.hold(key.account.no, holding_microusd(x, 1), want, budgets)
    if not x.stream:
        clamp_output(x, x.hold, ceiling)


def clamp_output(x: Exchange, hold: Hold, ceiling: int) -> None:
    """Where balance or budget cannot pay the longest answer, hold all there is, ask for less.

    A client that named its maximum is not given less because others hold the credit just now: it
    is told to come again. Raises CreditInUse, and the refusals of hold and budgets.
    """
    affordable_microusd, need_microusd = hold.reach_microusd, holding_microusd(x, ceiling)
    if affordable_microusd >= need_microusd:
        return  # held already, or the rest of the balance covers it, should it be that long
    if x.max_tokens and not hold.ceilings and hold.wallet.balance_microusd >= need_microusd:
        raise CreditInUse(retry_after_s=RETRY_AFTER_S)
    hold.grow_to(affordable_microusd)
    affordable = affordable_tokens(x, hold.amount_microusd) // x.choices
    if affordable < 1:
        raise hold.refusal() if hold.ceilings else InsufficientCredit()
    x.clamped_tokens = min(affordable, ceiling // x.choices)
