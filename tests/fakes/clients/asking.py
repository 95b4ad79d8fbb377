"""What a client asks, and what it was told."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

PICTURE = "iVBORw0KGgo="
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"Bern": "sunny", "Zürich": "rainy"}
SYSTEM = "Be brief."
MAX_TOKENS = 4000
BUDGET_TOKENS = 2000


@dataclass(frozen=True)
class Ask:
    """One question. With `tools`, the results are sent back and the second answer is told too."""

    text: str = "you"
    picture: bool = False
    tools: bool = False
    schema: bool = False
    think: bool = False
    stream: bool = False


@dataclass
class Told:
    """An answer as the SDK gave it; tokens as its own sums, input including what was cached."""

    text: str
    thinking: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    called: bool = False  # the stop reason says so, or the dialect has none
    input: int | None = None
    cached: int | None = None
    output: int | None = None
    reasoning: int | None = None


# Of (address, key, model, question): all answers, in order.
Client = Callable[[str, str, str, Ask], Awaitable[list[Told]]]


def weather(arguments: Any) -> str:
    """The client's tool."""
    return WEATHER[arguments["city"]]
