"""What the page of models shows: offers from the catalog, and who serves them.

Abilities are the endpoints that a model's targets speak. The addresses of providers' own policies
are those their sites published in November 2026; a provider that is not listed is shown by name.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.platform.catalog import Model
from gateway.platform.catalog.snapshot import Announced, Provider
from gateway.platform.pricing.prices import Price

# Host of a provider's API: the company and its privacy policy.
POLICIES: Final = {
    "api.openai.com": ("OpenAI", "https://openai.com/policies/row-privacy-policy/"),
    "api.anthropic.com": ("Anthropic", "https://www.anthropic.com/legal/privacy"),
    "generativelanguage.googleapis.com": ("Google", "https://policies.google.com/privacy"),
    "api.mistral.ai": ("Mistral AI", "https://legal.mistral.ai/terms/privacy-policy"),
    "api.groq.com": ("Groq", "https://groq.com/privacy-policy"),
    "api.x.ai": ("xAI", "https://x.ai/legal/privacy-policy"),
    "api.deepseek.com": (
        "DeepSeek",
        "https://cdn.deepseek.com/policies/en-US/deepseek-privacy-policy.html",
    ),
}
# Endpoints that people look for by what they do; the order is that of the page.
ABILITIES: Final = {
    "chat": ("chat", "messages", "responses", "gemini", "converse"),
    "embeddings": ("embeddings",),
    "images": ("images", "image_edits"),
    "speech": ("speech",),
    "transcription": ("transcriptions", "translations"),
    "realtime": ("realtime",),
    "rerank": ("rerank",),
    "moderation": ("moderations",),
}
_BY_UNIT: Final = {"image": "images", "image_output": "images", "character": "speech"}


class Amounts(NamedTuple):
    """What a price asks, in picousd per token; None where it has none.

    `units` are the prices of everything else, each by its name.
    """

    input_picousd: int | None
    output_picousd: int | None
    cache_read_picousd: int | None
    units: tuple[tuple[str, int], ...]


class Coming(NamedTuple):
    """What a model will cost from a time on; `amounts` None: it is withdrawn then."""

    effective_us: int
    amounts: Amounts | None


class Offer(NamedTuple):
    """One line of the table of models; `coming` are the prices announced, the next one first."""

    name: str
    context_tokens: int
    max_output_tokens: int
    amounts: Amounts
    abilities: tuple[str, ...]
    providers: tuple[str, ...]
    coming: tuple[Coming, ...]


class Source(NamedTuple):
    """A provider as people see it; `policy` is the address of its policy, or empty."""

    name: str
    company: str
    policy: str


def offer(model: Model, coming: Iterable[Announced] = ()) -> Offer:
    """What is offered of a model that has a price. Raises ValueError for one without."""
    if model.price is None:
        raise ValueError(model.name)
    spoken = frozenset().union(*(target.provider.endpoints for target in model.targets))
    return Offer(
        name=model.name,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        amounts=_amounts(model.price),
        abilities=_abilities(model, spoken),
        providers=tuple(dict.fromkeys(target.provider.name for target in model.targets)),
        coming=tuple(
            Coming(each.effective_us, _amounts(each.price) if each.price is not None else None)
            for each in coming
        ),
    )


def _amounts(price: Price) -> Amounts:
    """A price as the page shows it: what costs as much as its like is not said twice."""
    text, units = price.tokens, dict(price.units)
    if text and price.cache_write != price.input:
        units["cache_write"] = price.cache_write
    if text and price.reasoning is not None and price.reasoning != price.output:
        units["reasoning"] = price.reasoning
    if price.request:
        units["request"] = price.request
    return Amounts(
        input_picousd=price.input if text else None,
        output_picousd=price.output if text else None,
        cache_read_picousd=price.cache_read if text and price.cache_read != price.input else None,
        units=tuple(units.items()),
    )


def _abilities(model: Model, spoken: frozenset[str]) -> tuple[str, ...]:
    """What a model does: its price tells it where a provider speaks more than one model does."""
    price = model.price
    units = dict(price.units) if price is not None else {}
    name = model.name.lower()
    if "embed" in name:
        return ("embeddings",)
    if "moderation" in name:
        return ("moderation",)
    if "realtime" in name:
        return ("realtime",)
    if "audio_hour" in units or "transcribe" in name or "whisper" in name:
        return ("transcription",)
    for unit, ability in _BY_UNIT.items():
        if any(each == unit or each.startswith(unit + "_") for each in units):
            return (ability,)
    return ("chat",) if spoken & set(ABILITIES["chat"]) else tuple(sorted(spoken))[:1]


def sources(providers: Iterable[Provider]) -> list[Source]:
    """Every provider that requests may be sent to, by name; the built-in one is none."""
    found = []
    for each in providers:
        if each.kind != "sandbox":
            company, policy = POLICIES.get(each.host, (each.host, ""))
            found.append(Source(each.name, company, policy))
    return sorted(found)
