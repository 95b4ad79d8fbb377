"""Phase 3, admit: the model exists and is priced, and credit for the request is held.

Hold = the prompt as counted here + a reserve for the output: min(the request's maximum, the
model's reserve, what the balance affords), times the choices asked for. A request that does not
stream is asked of the upstream with no more output than the balance affords. Decides on values in
memory only; a balance is never read from the database here.
"""

import asyncio

from gateway._native.jsonscan import scan_request
from gateway._native.tokens import Counter
from gateway.base.errors import (
    InsufficientCredit,
    ModelNotFound,
    ModelNotPriced,
    Overloaded,
    ShuttingDown,
    StorageUnavailable,
)
from gateway.platform.ledger.holds import Hold
from gateway.platform.metering.framing import framed_prompt_tokens
from gateway.platform.metering.usage import Usage
from gateway.platform.pricing.rating import rate
from gateway.proxy.affordable import affordable_tokens, holding_microusd
from gateway.proxy.exchange import Exchange

THREAD_COUNT_BYTES = 512 * 1024  # larger bodies are counted off the loop


def find_model(x: Exchange) -> None:
    """Set `x.model` and `x.price`. Raises ModelNotFound, ModelNotPriced.

    A sandbox model may carry options behind a colon (`sandbox/lorem:tps=50`); they belong to the
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
    x.price = model.price


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
    if len(x.body) > THREAD_COUNT_BYTES:
        await asyncio.to_thread(count_prompt, x)
    else:
        count_prompt(x)
    take_hold(x)


def count_prompt(x: Exchange) -> None:
    """Count every text of the prompt with the model's own counter, plus the format's overhead."""
    assert x.model is not None
    counter = Counter(x.model.encoding)
    scan = scan_request(x.body, counter)
    x.measured_input = framed_prompt_tokens(
        x.endpoint.name, counter.finish(), scan.message_count, scan.tool_count
    )
    x.measured_exact = counter.exact


def take_hold(x: Exchange) -> None:
    """Hold credit for the prompt and a reserve of output. Raises the ledger's refusals."""
    plane, model, price, key = x.plane, x.model, x.price, x.key
    assert model is not None and key is not None
    x.input_picousd = rate(Usage(x.measured_input), price)
    if not x.endpoint.max_tokens_field:  # embeddings have no output
        cost = holding_microusd(x, 0)
        x.hold = plane.bank.hold(key.account.no, cost, cost)
        return
    x.output_picousd = max(price.output, price.reasoning or 0)
    ceiling = min(x.max_tokens or model.max_output_tokens, model.max_output_tokens)
    reserve = model.output_reserve_tokens or plane.limits.output_reserve_tokens
    if not x.stream and x.max_tokens is not None:
        reserve = model.max_output_tokens  # nothing can be added to the hold of a whole answer
    want = holding_microusd(x, min(ceiling, reserve) * x.choices)
    x.hold = plane.bank.hold(key.account.no, holding_microusd(x, 1), want)
    if not x.stream:
        clamp_output(x, x.hold, ceiling)


def clamp_output(x: Exchange, hold: Hold, ceiling: int) -> None:
    """Where the balance cannot pay the longest answer, hold all there is and ask for less."""
    affordable_microusd = hold.amount_microusd + hold.wallet.available_microusd
    if affordable_microusd >= holding_microusd(x, ceiling * x.choices):
        return  # held already, or the rest of the balance covers it, should it be that long
    hold.grow_to(affordable_microusd)
    affordable = affordable_tokens(x, hold.amount_microusd) // x.choices
    if affordable < 1:
        raise InsufficientCredit()
    x.clamped_tokens = min(affordable, ceiling)
