"""A wish to reason, in the form that each maker's models take."""

import json
from typing import Any

import pytest

from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.responses import RESPONSES

ASKED = (n.Message("user", (n.Text("hi"),)),)
CALL = n.ToolCall("c", "f", "{}")
RESULT = n.Message("user", (n.ToolResult("c", (n.Text("r"),)),))


def written(dialect: n.Dialect, model: str, **fields: Any) -> Any:
    messages = fields.pop("messages", ASKED)
    return json.loads(dialect.write_request(n.Conversation(model, messages, **fields)))


ADAPTIVE = {"type": "adaptive"}
CLAUDE: list[tuple[str, n.Reasoning, int | None, Any, Any]] = [
    ("claude-opus-5", n.Reasoning(effort="high"), None, ADAPTIVE, "high"),
    ("claude-opus-5", n.Reasoning(effort="minimal"), 9, ADAPTIVE, "low"),
    ("claude-opus-5", n.Reasoning(False), None, {"type": "disabled"}, None),
    ("claude-opus-5", n.Reasoning(True), None, ADAPTIVE, None),
    # Models after 4.6 refuse a budget: it becomes the word that spends as much.
    ("claude-opus-5", n.Reasoning(True, None, 100), 4000, ADAPTIVE, "low"),
    ("anthropic.claude-opus-4-7", n.Reasoning(True, None, 8000), 4000, ADAPTIVE, "medium"),
    ("claude-opus-5-5", n.Reasoning(True, None, 60_000), None, ADAPTIVE, "high"),
    (
        "claude-opus-5",
        n.Reasoning(True, include_thoughts=True),
        None,
        {"type": "adaptive", "display": "summarized"},
        None,
    ),
    # Some always think, and are asked for little of it.
    ("claude-opus-5-5", n.Reasoning(False), None, None, "low"),
    ("claude-fable-5-1", n.Reasoning(False), None, None, "low"),
    ("us.anthropic.claude-mythos-5-v1:0", n.Reasoning(False), None, None, "low"),
    ("claude-sonnet-5-5", n.Reasoning(False), None, {"type": "between_tools"}, None),
    ("claude-haiku-5-5", n.Reasoning(False), None, {"type": "disabled"}, None),
    (
        "claude-sonnet-4-5-20250929",
        n.Reasoning(effort="low"),
        4000,
        {"type": "enabled", "budget_tokens": 2048},
        None,
    ),
    (
        "anthropic.claude-sonnet-4-20250514-v1:0",
        n.Reasoning(effort="high"),
        4000,
        {"type": "enabled", "budget_tokens": 3999},
        None,
    ),
    # A budget must leave room for the answer, whoever named it.
    (
        "claude-haiku-4-5",
        n.Reasoning(True, None, 9000),
        2000,
        {"type": "enabled", "budget_tokens": 1999},
        None,
    ),
    ("claude-haiku-4-5", n.Reasoning(True, None, 2000), 1000, None, None),
    ("claude-haiku-4-5", n.Reasoning(effort="low"), 500, None, None),
    ("claude-sonnet-4-6", n.Reasoning(effort="low"), 9, ADAPTIVE, "low"),
    # Other makers behind the same API know no adaptive thinking.
    (
        "deepseek-flash",
        n.Reasoning(effort="high"),
        None,
        {"type": "enabled", "budget_tokens": 16384},
        "high",
    ),
    ("kimi-k2.6", n.Reasoning(False), None, {"type": "disabled"}, None),
]


@pytest.mark.parametrize(("model", "reasoning", "maximum", "thinking", "effort"), CLAUDE)
def test_claude_is_told_in_the_form_that_the_model_takes(
    model: str, reasoning: n.Reasoning, maximum: int | None, thinking: Any, effort: str | None
) -> None:
    found = written(MESSAGES, model, reasoning=reasoning, max_tokens=maximum)
    assert found.get("thinking") == thinking
    assert found.get("output_config", {}).get("effort") == effort
    if thinking and "budget_tokens" in thinking:
        assert thinking["budget_tokens"] < found["max_tokens"]


@pytest.mark.parametrize(
    ("parts", "thinks"),
    [
        ((CALL,), False),
        ((n.Text("I look."), CALL), False),
        ((n.Thinking("by another", "S", "openai"), CALL), False),
        ((n.Thinking("a", "S", "anthropic"), CALL), True),
        ((n.Thinking("", "S", "anthropic", True), n.Text("I look."), CALL), True),
    ],
)
def test_a_turn_of_tools_goes_on_without_the_thoughts_that_did_not_come_back(
    parts: tuple[n.Part, ...], thinks: bool
) -> None:
    messages = (*ASKED, n.Message("assistant", parts), RESULT)
    asked: dict[str, Any] = {"messages": messages, "reasoning": n.Reasoning(effort="low")}
    found = written(MESSAGES, "claude-haiku-4-5", **asked, max_tokens=9000)
    assert ("thinking" in found) == thinks
    # Adaptive thinking asks for no thoughts back; and a new question may be thought about.
    assert written(MESSAGES, "claude-opus-5", **asked)["thinking"] == ADAPTIVE
    asked["messages"] = (*messages, n.Message("assistant", (n.Text("So."),)), *ASKED)
    assert "thinking" in written(MESSAGES, "claude-haiku-4-5", **asked, max_tokens=9000)


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("gpt-5.1", "none"),
        ("gpt-5.4-mini", "none"),
        ("my-deployment", "none"),
        ("gpt-5", "minimal"),
        ("gpt-5-nano-2025-08-07", "minimal"),
        ("gpt-5-codex", "low"),
        ("o3", "low"),
        ("o4-mini", "low"),
        ("openai/gpt-oss-120b", "low"),
        ("gpt-4o-mini", None),
        ("gpt-4.1", None),
        ("gpt-5-chat-latest", None),
        ("gpt-5.1-chat-latest", None),
    ],
)
def test_openai_is_asked_for_the_least_that_the_model_knows(model: str, word: str | None) -> None:
    off = n.Reasoning(False)
    assert written(CHAT, model, reasoning=off).get("reasoning_effort") == word
    reasoning = written(RESPONSES, model, reasoning=off).get("reasoning")
    assert reasoning == (None if word is None else {"effort": word})


@pytest.mark.parametrize(("budget", "word"), [(1024, "low"), (8192, "medium"), (9000, "high")])
def test_openai_is_told_a_budget_in_words(budget: int, word: str) -> None:
    reasoning = n.Reasoning(True, None, budget)
    assert written(CHAT, "gpt-5", reasoning=reasoning)["reasoning_effort"] == word
    assert written(RESPONSES, "gpt-5", reasoning=reasoning)["reasoning"]["effort"] == word
