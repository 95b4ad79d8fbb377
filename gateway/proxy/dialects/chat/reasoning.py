"""Reasoning in the chat dialect: text in `reasoning_content`, all of it in `reasoning_details`.

OpenAI's own API has no field for either. `reasoning_content` is DeepSeek's (reference, "Thinking
mode"), `reasoning_details` OpenRouter's (guide "Reasoning tokens"): a list of `reasoning.text`
(text, signature), `reasoning.encrypted` (data) and `reasoning.summary`. Their `format` names the
family that made the signature, so it stands there bare; a signature marked by another dialect is
understood all the same. Gemini's signature of a call is an encrypted detail with the call's id.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from gateway.proxy.dialects.neutral import Family, Thinking
from gateway.proxy.dialects.signatures import unwrap

FORMATS: dict[Family, str] = {
    "anthropic": "anthropic-claude-v1",
    "gemini": "google-gemini-v1",
    "openai": "openai-responses-v1",
    "bedrock": "bedrock-converse-v1",
}
_FAMILIES: dict[str, Family] = {format_: family for family, format_ in FORMATS.items()}


class Detail(Protocol):
    """One entry of `reasoning_details`, of a request or an answer."""

    type: str
    text: str | None
    summary: str | None
    data: str | None
    signature: str | None
    format: str | None
    id: str | None


class Signed(NamedTuple):
    """A signature and who made it; no family for a maker unknown here."""

    signature: str
    family: Family | None


def signed(value: str, format_: str | None) -> Signed:
    """What a detail's `signature` or `data` says."""
    bare, family, _ = unwrap(value, "openai")
    if bare != value:
        return Signed(bare, family)
    return Signed(value, _FAMILIES.get(format_ or ""))


def call_signatures(entries: Iterable[Detail], calls: set[str]) -> dict[str, Signed]:
    """The signatures of calls, by the call's id."""
    return {
        detail.id: signed(detail.data, detail.format)
        for detail in entries
        if detail.type == "reasoning.encrypted" and detail.data and detail.id in calls
    }


def thoughts(text: str | None, entries: Iterable[Detail] | None, calls: set[str]) -> list[Thinking]:
    """The reasoning of a message. The details say it whole where they have any text."""
    found: list[Thinking] = []
    for detail in entries or ():
        if detail.type == "reasoning.encrypted":
            if detail.data and detail.id not in calls:
                found.append(Thinking("", *signed(detail.data, detail.format), redacted=True))
            continue
        words = detail.text or detail.summary or ""
        mark = signed(detail.signature, detail.format) if detail.signature else Signed("", None)
        if words or mark.signature:
            found.append(Thinking(words, mark.signature or None, mark.family))
    if text and not any(thought.text for thought in found):
        for place, thought in enumerate(found):
            if not thought.redacted:  # the signature came beside the text
                found[place] = Thinking(text, thought.signature, thought.family)
                return found
        found.insert(0, Thinking(text))
    return found


def details(thinking: Sequence[Thinking]) -> list[dict[str, Any]]:
    """`reasoning_details` of a message; empty where `reasoning_content` says all there is."""
    if all(thought.signature is None for thought in thinking):
        return []
    entries = []
    for index, thought in enumerate(thinking):
        entry: dict[str, Any] = {"type": "reasoning.text", "index": index, "text": thought.text}
        if thought.redacted:
            entry = {"type": "reasoning.encrypted", "index": index, "data": thought.signature}
        elif thought.signature is not None:
            entry["signature"] = thought.signature
        if thought.family is not None:
            entry["format"] = FORMATS[thought.family]
        entries.append(entry)
    return entries
