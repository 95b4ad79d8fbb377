"""Usage: what a request consumed, in one schema for every provider, and how it was learned.

Cached tokens are separate from uncached input here, whatever the provider's own convention:
OpenAI counts cached tokens inside `prompt_tokens` (API reference, "usage"), so they are
subtracted once, in this file only. Numbers from an upstream are untrusted: anything that is not
an integer within bounds makes the whole report insane, and the gateway's own count is billed.
Absent is not zero: a field that did not come is None in a report.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

MAX_TOKENS = 2**31 - 1  # a report beyond this is not believed


class Basis(StrEnum):
    """How the billed usage is known: the upstream's report, our own count, or nothing came."""

    REPORTED = "reported"
    MEASURED = "measured"
    NONE = "none"


class Usage(NamedTuple):
    """Billable tokens, all >= 0. `reasoning` is a part of `output`; input excludes cached."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total_input(self) -> int:
        """Every input token, cached or not."""
        return self.input + self.cache_read + self.cache_write


class Report(NamedTuple):
    """A sane usage report of an upstream; `flagged` when a subtraction had to be clamped."""

    usage: Usage
    input_total: int | None
    output_total: int | None
    flagged: bool


_decode = msgspec.json.Decoder().decode


def parse_report(raw: bytes | None, max_output_tokens: int = MAX_TOKENS) -> Report | None:
    """Read the raw JSON of a `usage` object (chat, completions, embeddings or responses form).

    Returns None when there is none or when it cannot be believed: not an object, a negative,
    fractional or absurd number, details larger than the total, or nothing in it at all.
    """
    if not raw:
        return None
    try:
        data = _decode(raw)
    except msgspec.DecodeError:
        return None
    if not isinstance(data, dict):
        return None
    try:
        return _report(data, max_output_tokens)
    except _Insane:
        return None


class _Insane(ValueError):
    """A field of a report that cannot be believed."""


def _tokens(data: dict[str, Any], *names: str) -> int | None:
    """The first present field of these names; None when absent or null. Raises _Insane."""
    for name in names:
        value = data.get(name)
        if value is None:
            continue
        if type(value) is not int or not 0 <= value <= MAX_TOKENS:
            raise _Insane(name)
        return value
    return None


def _details(data: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        value = data.get(name)
        if isinstance(value, dict):
            return value
    return {}


def _report(data: dict[str, Any], max_output_tokens: int) -> Report | None:
    total_in = _tokens(data, "prompt_tokens", "input_tokens")
    total_out = _tokens(data, "completion_tokens", "output_tokens")
    if total_in is None and total_out is None:
        return None
    if total_out is not None and total_out > max_output_tokens:
        return None
    inner = _details(data, "prompt_tokens_details", "input_tokens_details")
    outer = _details(data, "completion_tokens_details", "output_tokens_details")
    cached = _tokens(inner, "cached_tokens")
    if cached is None:  # DeepSeek's own names, beside the same prompt_tokens total
        cached = _tokens(data, "prompt_cache_hit_tokens")
    written = _tokens(inner, "cache_write_tokens") or 0
    reasoning = _tokens(outer, "reasoning_tokens") or 0
    uncached = (total_in or 0) - (cached or 0) - written
    output = total_out or 0
    flagged = uncached < 0 or reasoning > output
    usage = Usage(max(uncached, 0), cached or 0, written, output, min(reasoning, output))
    return Report(usage, total_in, total_out, flagged)
