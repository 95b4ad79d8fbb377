"""Reasoning of another family leaves a request that passes through, and nothing else does."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.marked import without_marked
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.neutral import Answer, Dialect, Facts, Text, Thinking
from gateway.proxy.dialects.responses import RESPONSES

FACTS = Facts("req_1", "m", 1)
FOREIGN = Answer(
    (Thinking("a", "c2ln", "openai"), Thinking("b", "c2ln", "gemini"), Text("c")), "stop"
)


def turns(dialect: Dialect, answer: Answer) -> list[Any]:
    """The items, blocks or parts that a client of the dialect sends back."""
    body = json.loads(dialect.write_answer(answer, FACTS))
    if dialect is RESPONSES:
        return list(body["output"])
    if dialect is MESSAGES:
        return list(body["content"])
    return list(body["candidates"][0]["content"]["parts"])


@pytest.mark.parametrize("dialect", [RESPONSES, MESSAGES, GEMINI], ids=lambda one: one.name)
def test_only_the_own_reasoning_stays(dialect: Dialect) -> None:
    back = turns(dialect, FOREIGN)
    assert len(back) == 3
    own = {"responses": [0, 2], "messages": [2], "gemini": [1, 2]}[dialect.name]
    body = json.dumps({"model": "m", "turns": [{"content": back}]}).encode()
    assert json.loads(without_marked(body)) == {
        "model": "m",
        "turns": [{"content": [back[place] for place in own]}],
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages": [{"content": "what does tallygate: mean?"}]}',
        b'{"input": [{"encrypted_content": "c2ln", "text": "tallygate:openai:"}]}',
        b'{"broken": "tallygate:',
        b"[" * 5000 + b'"tallygate:"',
        b"",
    ],
)
def test_everything_else_passes_untouched(body: bytes) -> None:
    assert without_marked(body) is body


@given(st.binary())
def test_bodies_without_a_mark_pass_untouched(body: bytes) -> None:
    assert without_marked(body) is body
