"""Usage of the Messages dialect, both ways: cached tokens stand beside `input_tokens`.

In a stream the numbers are cumulative: the last value of a field wins, an absent one keeps the
earlier. One group is replaced whole: a `message_delta` with its own `input_tokens` replaces the
input and both cache counts, because Moonshot reports the total at the start and the parts at the
end. A number that is absent stays absent.
"""

from typing import Any

from gateway.proxy.dialects.neutral import Tokens

_NOTHING = Tokens()


def _count(document: Any, name: str) -> int | None:
    value = document.get(name) if isinstance(document, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(0, int(value))


def read_usage(usage: Any, earlier: Tokens = _NOTHING) -> Tokens:
    """The counts so far, `earlier` being those of the events before."""
    output = _count(usage, "output_tokens")
    details = usage.get("output_tokens_details") if isinstance(usage, dict) else None
    thinking = _count(details, "thinking_tokens")
    read = _count(usage, "cache_read_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    total = _count(usage, "input_tokens")
    if total is None:
        total = earlier.input
        read = earlier.cache_read if read is None else read
        written = earlier.cache_write if written is None else written
    return Tokens(
        input=total,
        cache_read=read,
        cache_write=written,
        output=earlier.output if output is None else output,
        reasoning=earlier.reasoning if thinking is None else thinking,
    )


def write_usage(usage: Tokens, measured_input: int) -> dict[str, Any]:
    """The `usage` object. Where the provider did not say the prompt's size, our own count is it."""
    found: dict[str, Any] = {
        "input_tokens": measured_input if usage.input is None else usage.input,
        "output_tokens": usage.output or 0,
    }
    if usage.cache_write is not None:
        found["cache_creation_input_tokens"] = usage.cache_write
    if usage.cache_read is not None:
        found["cache_read_input_tokens"] = usage.cache_read
    if usage.reasoning is not None:
        found["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return found
