"""Calls and their results as turns of a conversation, for the property tests of requests."""

from hypothesis import strategies as st

from gateway.proxy.dialects import neutral as n
from tests.proxy.dialects.neutral_values import NAMES, OBJECTS, WORDS, compact

FACTS = n.Facts("req_1", "house/model", 1_700_000_000, True, 11)
TEXTS = WORDS
BASE64 = st.sampled_from(["AAAA", "aGVsbG8="])
CLOSED = {"type": "object", "additionalProperties": False}
SCHEMAS = st.sampled_from(
    [CLOSED, {**CLOSED, "properties": {"é": {"type": "string"}}, "required": ["é"]}]
)
TOOLS = st.builds(
    n.Tool, NAMES, st.one_of(st.none(), TEXTS), SCHEMAS, st.sampled_from([None, True])
)
ARGUMENTS = OBJECTS.map(compact)


def calls(least: int = 0) -> st.SearchStrategy[list[n.ToolCall]]:
    return st.lists(st.tuples(NAMES, ARGUMENTS), min_size=least, max_size=3).map(
        lambda made: [n.ToolCall(f"id_{at}", *call) for at, call in enumerate(made)]
    )


@st.composite
def exchanges(draw: st.DrawFn, thinking: st.SearchStrategy[n.Thinking]) -> list[n.Message]:
    """An assistant's turn, and the results of its calls with what the user adds."""
    made = draw(calls())
    parts: list[n.Part] = [*draw(st.lists(thinking, max_size=1))]
    if not made or draw(st.booleans()):
        parts.append(n.Text(draw(TEXTS)))
    turns = [n.Message("assistant", (*parts, *made))]
    if made:
        results = tuple(n.ToolResult(call.id, (n.Text(draw(TEXTS)),)) for call in made)
        turns.append(n.Message("user", results))
    return turns
