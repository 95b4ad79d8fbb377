"""Usage reports that tell tokens of text, audio and images apart.

Sources: OpenAI API reference, "The image generation response", "Transcription", "Realtime:
response.done"; Gemini API reference, "UsageMetadata" (lists of modality and tokenCount; video and
documents count as text). Details come as `input_token_details` or `input_tokens_details`, cached
tokens within them as a total or by modality. Numbers are untrusted: one that is not an integer
within bounds makes the whole report unusable. Absent is not zero, but here nothing is billed for
either.
"""

from collections.abc import Collection
from typing import Any, Literal, NamedTuple

import msgspec

from gateway.platform.metering.usage import MAX_TOKENS, Usage

Modality = Literal["text", "audio", "image"]
MODALITIES: tuple[Modality, ...] = ("text", "audio", "image")


_decode = msgspec.json.Decoder().decode


class ModalTokens(NamedTuple):
    """Tokens by modality, as (text, audio, image); cached input is not part of `fresh`."""

    fresh: tuple[int, int, int] = (0, 0, 0)
    cached: tuple[int, int, int] = (0, 0, 0)
    output: tuple[int, int, int] = (0, 0, 0)

    @property
    def total_input(self) -> int:
        """Every input token."""
        return sum(self.fresh) + sum(self.cached)

    @property
    def total_output(self) -> int:
        """Every output token."""
        return sum(self.output)


class _Insane(ValueError):
    """A number of a report that cannot be believed."""


def read_modal(
    report: Any,
    *,
    limit: int = MAX_TOKENS,
    unnamed_input: Modality = "text",
    unnamed_output: Modality = "text",
) -> ModalTokens | None:
    """The tokens of a usage object; None when it has no totals or is not to be believed.

    What the details leave unnamed is of the modality given.
    """
    if not isinstance(report, dict):
        return None
    try:
        total_in = _number(report, limit, "input_tokens", "prompt_tokens")
        total_out = _number(report, limit, "output_tokens", "completion_tokens")
        if total_in is None and total_out is None:
            return None
        inner = _details(report, "input_token_details", "input_tokens_details")
        inner = inner or _details(report, "prompt_tokens_details")
        outer = _details(report, "output_token_details", "output_tokens_details")
        outer = outer or _details(report, "completion_tokens_details")
        whole = _by_modality(inner, limit, total_in or 0, unnamed_input)
        output = _by_modality(outer, limit, total_out or 0, unnamed_output)
        cached = _cached(inner, limit, whole)
    except _Insane:
        return None
    fresh = (whole[0] - cached[0], whole[1] - cached[1], whole[2] - cached[2])
    return ModalTokens(fresh, cached, output)


def read_gemini(report: Any, *, limit: int = MAX_TOKENS) -> ModalTokens | None:
    """As `read_modal`, of Gemini's usageMetadata. Thoughts and what tools fetched are text."""
    if not isinstance(report, dict):
        return None
    try:
        prompt = _number(report, limit, "promptTokenCount") or 0
        answer = _number(report, limit, "candidatesTokenCount") or 0
        thought = _number(report, limit, "thoughtsTokenCount") or 0
        fetched = _number(report, limit, "toolUsePromptTokenCount") or 0
        whole = _by_modality(_listed(report, "promptTokensDetails", limit), limit, prompt, "text")
        told = _listed(report, "candidatesTokensDetails", limit)
        output = _by_modality(told, limit, answer, "text")
        cached = _cached(
            {
                "cached_tokens": report.get("cachedContentTokenCount"),
                "cached_tokens_details": _listed(report, "cacheTokensDetails", limit),
            },
            limit,
            whole,
        )
    except _Insane:
        return None
    fresh = (whole[0] - cached[0] + fetched, whole[1] - cached[1], whole[2] - cached[2])
    return ModalTokens(fresh, cached, (output[0] + thought, output[1], output[2]))


def _listed(report: dict[str, Any], name: str, limit: int) -> dict[str, Any]:
    """A list of modality and tokenCount as OpenAI's details have it."""
    found: dict[str, int] = {}
    parts = report.get(name)
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, dict):
            raise _Insane(name)
        modality = str(part.get("modality")).lower()
        if modality in MODALITIES:
            key = f"{modality}_tokens"
            found[key] = found.get(key, 0) + (_number(part, limit, "tokenCount") or 0)
    return found


def usage_of(tokens: ModalTokens, units: Collection[str]) -> Usage:
    """The usage in the units that have a price; tokens of a modality without one count as text.

    A modality whose cached tokens have no price of their own pays its input price for them.
    """
    plain = {"input": tokens.fresh[0], "cache_read": tokens.cached[0], "output": tokens.output[0]}
    found: dict[str, int] = {}
    for at, modality in enumerate(MODALITIES[1:], 1):
        own, cached, output = f"{modality}_input", f"{modality}_cache_read", f"{modality}_output"
        _count(found, plain, (own,), "input", tokens.fresh[at], units)
        _count(found, plain, (cached, own), "cache_read", tokens.cached[at], units)
        _count(found, plain, (output,), "output", tokens.output[at], units)
    return Usage(
        input=plain["input"],
        cache_read=plain["cache_read"],
        output=plain["output"],
        units=tuple(sorted(found.items())),
    )


def apart(
    usage: Usage, raw: bytes | None, units: Collection[str], limit: int, *, gemini: bool = False
) -> Usage:
    """A usage read from a chat's report, its tokens of audio and images taken out as units.

    The same usage where the report names none, or none that has a price.
    """
    try:
        tokens = (read_gemini if gemini else read_modal)(_decode(raw or b""), limit=limit)
    except (msgspec.DecodeError, ValueError):
        return usage
    found = Usage() if tokens is None else usage_of(tokens, units)
    if not found.units:
        return usage
    written = usage.total_input - usage.input - usage.cache_read
    return usage._replace(
        input=max(found.input - written, 0),
        cache_read=found.cache_read,
        output=found.output,
        reasoning=min(usage.reasoning, found.output),
        units=found.units,
    )


def _count(
    found: dict[str, int],
    plain: dict[str, int],
    names: tuple[str, ...],
    otherwise: str,
    quantity: int,
    units: Collection[str],
) -> None:
    if not quantity:
        return
    name = next((name for name in names if name in units), None)
    if name is None:
        plain[otherwise] += quantity
    else:
        found[name] = found.get(name, 0) + quantity


def _number(data: dict[str, Any], limit: int, *names: str) -> int | None:
    for name in names:
        value = data.get(name)
        if value is None:
            continue
        if type(value) is not int or not 0 <= value <= limit:
            raise _Insane(name)
        return value
    return None


def _details(data: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        value = data.get(name)
        if isinstance(value, dict):
            return value
    return {}


def _by_modality(
    details: dict[str, Any], limit: int, total: int, unnamed: Modality
) -> tuple[int, int, int]:
    """The total by modality; parts that exceed the total make the report unusable."""
    parts = [_number(details, limit, f"{modality}_tokens") or 0 for modality in MODALITIES]
    rest = total - sum(parts)
    if rest < 0:
        raise _Insane("parts exceed the total")
    parts[MODALITIES.index(unnamed)] += rest
    return parts[0], parts[1], parts[2]


def _cached(
    details: dict[str, Any], limit: int, whole: tuple[int, int, int]
) -> tuple[int, int, int]:
    """Cached tokens by modality, never more of one than there are; the unnamed rest in order."""
    total = _number(details, limit, "cached_tokens") or 0
    named = _details(details, "cached_tokens_details")
    parts = [
        min(_number(named, limit, f"{modality}_tokens") or 0, whole[at])
        for at, modality in enumerate(MODALITIES)
    ]
    rest = max(total - sum(parts), 0)
    for at in range(3):
        more = min(rest, whole[at] - parts[at])
        parts[at] += more
        rest -= more
    return parts[0], parts[1], parts[2]
