"""Usage of the chat dialect, both ways: totals that include what was cached.

`prompt_tokens` includes the cached tokens and, as the meter has it too, the written ones;
`completion_tokens` includes the reasoning. A number that is absent stays absent.
"""

from typing import Any

from gateway.proxy.dialects.neutral import Tokens


def _count(document: Any, name: str) -> int | None:
    value = document.get(name) if isinstance(document, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(0, int(value))


def read_usage(usage: Any) -> Tokens | None:
    """The counts of a `usage` object; None when it is no object."""
    if not isinstance(usage, dict):
        return None
    inner = usage.get("prompt_tokens_details")
    cached = _count(inner, "cached_tokens")
    if cached is None:  # DeepSeek's own name, beside the same total
        cached = _count(usage, "prompt_cache_hit_tokens")
    written = _count(inner, "cache_write_tokens")
    total = _count(usage, "prompt_tokens")
    return Tokens(
        input=None if total is None else max(0, total - (cached or 0) - (written or 0)),
        cache_read=cached,
        cache_write=written,
        output=_count(usage, "completion_tokens"),
        reasoning=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def write_usage(usage: Tokens, measured_input: int) -> dict[str, Any]:
    """The `usage` object. Where the provider did not say the prompt's size, our own count is it."""
    parts = (usage.input, usage.cache_read, usage.cache_write)
    prompt = measured_input if usage.input is None else sum(part or 0 for part in parts)
    output = usage.output or 0
    found: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
    }
    details = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write}
    said = {name: count for name, count in details.items() if count is not None}
    if said:
        found["prompt_tokens_details"] = said
    if usage.reasoning is not None:
        found["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return found
