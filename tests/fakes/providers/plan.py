"""What a fake provider understood of a request, and what it therefore answers."""

from dataclasses import dataclass, field
from typing import Any

SIGNATURE = "c2lnbmF0dXJl"
INPUT, CACHED, OUTPUT, REASONING = 12, 4, 9, 3


@dataclass
class Seen:
    """A request as the provider reads it."""

    model: str = ""
    system: str = ""
    texts: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)  # base64
    tools: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    schema: dict[str, Any] | None = None
    thinks: bool = False
    max_tokens: int | None = None


@dataclass
class Plan:
    """An answer, before it has a dialect."""

    thinking: str = ""
    text: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    @property
    def reasoning(self) -> int:
        return REASONING if self.thinking else 0


def plan(seen: Seen) -> Plan:
    """The results of tools first, then tools, a schema, pictures, else a greeting."""
    thinking = "Let me think." if seen.thinks else ""
    if seen.results:
        return Plan(thinking, "It is " + " and ".join(seen.results) + ".")
    if seen.tools:
        calls = [
            (f"call_{city.lower()}", seen.tools[0], {"city": city}) for city in ("Bern", "Zürich")
        ]
        return Plan(thinking, "", calls)
    if seen.schema is not None:
        return Plan(thinking, '{"city": "Bern"}')
    if seen.images:
        return Plan(thinking, f"I see {len(seen.images)} picture.")
    return Plan(thinking, f"Hello, {seen.texts[-1]}! \N{WAVING HAND SIGN}")


def pieces(text: str) -> list[str]:
    return [text[at : at + 5] for at in range(0, len(text), 5)]
