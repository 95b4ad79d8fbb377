"""Counting the prompt: with the counter of whichever model is to serve the request.

Files in it are not counted but bounded, for the hold alone.

A request that goes to a fallback of another tokenizer is counted once more, with that model's.
"""

from gateway._native.jsonscan import scan_request
from gateway._native.tokens import Counter
from gateway.platform.catalog import Model
from gateway.platform.metering.framing import framed_prompt_tokens
from gateway.proxy.exchange import Exchange
from gateway.proxy.media.prompt_files import files_bound


def count_prompt(x: Exchange) -> None:
    """Count every text of the prompt with the model's own counter, plus the format's overhead."""
    assert x.model is not None
    if x.media is not None:
        x.measured_input, x.measured_exact = x.media.tokens(x.model.encoding)
        return
    counter, scan = Counter(x.model.encoding), x.scan
    if not scan.count(counter):
        scan = scan_request(x.body, counter)
    x.measured_input = framed_prompt_tokens(
        x.endpoint.name, counter.finish(), scan.message_count, scan.tool_count
    )
    x.measured_exact = counter.exact
    if scan.media_parts:
        bound_files(x, (x.model, *x.fallbacks))


def bound_files(x: Exchange, models: tuple[Model, ...]) -> None:
    """Set what the prompt's files take at most, whichever of the models may serve."""
    names = [target.model for model in models for target in model.targets]
    x.files = files_bound(x.body, names, max(model.context_tokens for model in models))
