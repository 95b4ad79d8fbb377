"""The questions of the matrix, and what each client must be told by each provider."""

from tests.fakes.clients.anthropic_sdk import messages
from tests.fakes.clients.asking import PICTURE, SCHEMA, SYSTEM, Ask, Client, Told
from tests.fakes.clients.genai_sdk import gemini
from tests.fakes.clients.openai_sdk import chat, responses
from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT, REASONING, SIGNATURE, Seen

CLIENTS: dict[str, Client] = {
    "chat": chat,
    "responses": responses,
    "messages": messages,
    "gemini": gemini,
}
ASKS: dict[str, Ask] = {
    "text": Ask(),
    "picture": Ask(picture=True),
    "tools": Ask(tools=True),
    "schema": Ask(schema=True),
    "thinking": Ask(think=True),
    "thinking and tools": Ask(tools=True, think=True),
}
TEXTS = {
    "text": "Hello, you! \N{WAVING HAND SIGN}",
    "picture": "I see 1 picture.",
    "tools": "It is sunny and rainy.",
    "schema": '{"city": "Bern"}',
    "thinking": "Hello, you! \N{WAVING HAND SIGN}",
    "thinking and tools": "It is sunny and rainy.",
}
CALLS = [("weather", {"city": "Bern"}), ("weather", {"city": "Zürich"})]


def check_told(name: str, told: list[Told], *, reasoning: int = REASONING) -> None:
    """The client was told everything, and the same by every provider.

    `reasoning` is 0 of providers that do not tell how many tokens that took.
    """
    ask = ASKS[name]
    assert len(told) == (2 if ask.tools else 1)
    assert told[-1].text == TEXTS[name]
    assert told[-1].calls == []
    if ask.tools:
        assert told[0].calls == CALLS
        assert told[0].called
    for answer in told:
        assert answer.thinking == ("Let me think." if ask.think else "")
        assert (answer.input, answer.cached, answer.output) == (INPUT, CACHED, OUTPUT)
        assert (answer.reasoning or 0) == (reasoning if ask.think else 0)


def check_seen(name: str, provider: str, seen: list[Seen]) -> None:
    """The provider was asked everything, and got its own signatures back."""
    ask = ASKS[name]
    for request in seen:
        assert request.system == SYSTEM
        assert request.texts == ["you"]
        assert request.images == ([PICTURE] if ask.picture else [])
        assert request.tools == (["weather"] if ask.tools else [])
        assert request.thinks == ask.think
        if ask.schema:
            assert request.schema is not None
            assert request.schema["properties"] == SCHEMA["properties"]
    if ask.tools:
        assert seen[-1].results == ["sunny", "rainy"]
    signed = {"messages": ask.think, "bedrock": ask.think, "converse": ask.think, "gemini": True}
    if ask.tools and signed.get(provider):
        assert SIGNATURE in seen[-1].signatures
