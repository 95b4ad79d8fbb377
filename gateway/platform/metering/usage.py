"""Usage: what a request consumed, in one schema for every provider, and how it was learned.

Cached tokens are separate from uncached input here, whatever the provider's own convention:
OpenAI counts cached tokens inside `prompt_tokens` (API reference, "usage"), so they are
subtracted once, in this file only. Numbers from an upstream are untrusted: anything that is not
an integer within bounds makes the whole report insane, and the gateway's own count is billed.
Absent is not zero: a field that did not come is None in a report.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, cast

import msgspec

from gateway._native.jsonscan import usual_usage

MAX_TOKENS = 2**31 - 1  # a report beyond this is not believed


# How the billed usage is known: the upstream's report, our own count, or nothing came.
Basis = Literal["reported", "measured", "none"]


# What is counted beside text tokens: (unit, quantity) pairs, named in `pricing.units`.
Units = tuple[tuple[str, int], ...]


class Usage(NamedTuple):
    """Billable tokens, all >= 0. `reasoning` is a part of `output`; input excludes cached.

    `units` holds everything else: images, milliseconds of audio, characters, and the tokens of
    audio and images, which are in none of the other fields.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    units: Units = ()

    @property
    def total_input(self) -> int:
        """Every input token, cached or not."""
        return self.input + self.cache_read + self.cache_write


class Report(NamedTuple):
    """An upstream's usage report. Billed only when `sane`; both totals are recorded anyway.

    `flagged` says that a part was larger than its whole and was clamped.
    """

    usage: Usage
    input_total: int | None
    output_total: int | None
    flagged: bool
    sane: bool


MAX_RECORDED = 2**53 - 1

_decode = msgspec.json.Decoder().decode


# Named tuples' own constructors are Python calls that only repeat their arguments.
_new_usage = cast(Callable[[type[Usage], tuple[Any, ...]], Usage], tuple.__new__)
_new_report = cast(Callable[[type[Report], tuple[Any, ...]], Report], tuple.__new__)


def _usual(raw: bytes, max_tokens: int) -> Report | None:
    """The report of a usual, sane usage object; None for every other, which is read at leisure."""
    found = usual_usage(raw)
    if found is None:
        return None
    total, reported, cached, written, reasoning = found
    output = 0 if reported is None else reported
    uncached = total - cached - written
    if reasoning > output or output > max_tokens or total > max_tokens or uncached < 0:
        return None
    usage = _new_usage(Usage, (uncached, cached, written, output, reasoning, ()))
    return _new_report(Report, (usage, total, reported, False, True))


def parse_report(raw: bytes | None, max_tokens: int = MAX_TOKENS) -> Report | None:
    """Read the raw JSON of a `usage` object (chat, completions, embeddings or responses form).

    None when nothing usable came. A report with a negative, fractional or absurd number anywhere,
    or with more than `max_tokens` on a side, is not `sane`: its usage is empty, and whichever
    totals were whole numbers below 2^53 are kept for the record.
    """
    if not raw:
        return None
    usual = _usual(raw, max_tokens)
    if usual is not None:
        return usual
    try:
        data = _decode(raw)
    except (msgspec.DecodeError, ValueError):  # ValueError: an integer of too many digits
        return None
    if not isinstance(data, dict):
        return None
    total_in = _total(data, "prompt_tokens", "input_tokens")
    total_out = _total(data, "completion_tokens", "output_tokens")
    try:
        usage, flagged = _usage(data, max_tokens)
    except Insane:
        return Report(Usage(), total_in, total_out, False, False)
    if total_in is None and total_out is None:
        return None
    return Report(usage, total_in, total_out, flagged, True)


class Insane(ValueError):
    """A field of a report that cannot be believed."""


def tokens(data: dict[str, Any], limit: int, *names: str) -> int | None:
    """The first present field of these names; None when absent or null. Raises Insane."""
    for name in names:
        value = data.get(name)
        if value is None:
            continue
        if type(value) is not int or not 0 <= value <= limit:
            raise Insane(name)
        return value
    return None


def _total(data: dict[str, Any], *names: str) -> int | None:
    """A total as reported, believed or not, as long as a database can hold it."""
    for name in names:
        value = data.get(name)
        if type(value) is int and 0 <= value <= MAX_RECORDED:
            return value
    return None


def _details(data: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        value = data.get(name)
        if isinstance(value, dict):
            return value
    return {}


def _usage(data: dict[str, Any], limit: int) -> tuple[Usage, bool]:
    """The billable usage and whether anything was clamped. Raises Insane."""
    total_in = tokens(data, limit, "prompt_tokens", "input_tokens") or 0
    output = tokens(data, limit, "completion_tokens", "output_tokens") or 0
    inner = _details(data, "prompt_tokens_details", "input_tokens_details")
    outer = _details(data, "completion_tokens_details", "output_tokens_details")
    cached = tokens(inner, limit, "cached_tokens")
    if cached is None:  # DeepSeek's own name, beside the same prompt_tokens total
        cached = tokens(data, limit, "prompt_cache_hit_tokens") or 0
    written = tokens(inner, limit, "cache_write_tokens") or 0
    reasoning = tokens(outer, limit, "reasoning_tokens") or 0
    uncached = total_in - cached - written
    flagged = uncached < 0 or reasoning > output
    return Usage(max(uncached, 0), cached, written, output, min(reasoning, output)), flagged
