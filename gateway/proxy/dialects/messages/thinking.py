"""How a wish to reason is told to Claude: which of its models takes which form of it.

Sources: Anthropic's guides "Thinking" (the forms each model accepts), "Adaptive thinking",
"Extended thinking" and "Effort", and the migration guides of its models; for Sonnet 5.5 that
`between_tools` stands for `disabled`. Models up to 4.5 think within a budget and know no adaptive
thinking; all later ones are told an effort, a budget in words. Thinking cannot be switched off in
every later model: those are asked for the least effort. Other makers' models behind this API
(DeepSeek, Moonshot, MiniMax) know `enabled` and `disabled`, and are told both budget and effort.
Bedrock takes the same fields, in whichever of its forms.
"""

import re
from collections.abc import Sequence
from typing import Any

from gateway.proxy.dialects.neutral import (
    Conversation,
    Message,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

MIN_BUDGET_TOKENS = 1024
BUDGETS_TOKENS = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 63999,
}
# The largest budget that each word stands for; beyond them, "high": every model has that word.
_WORDS = ((2048, "low"), (8192, "medium"))
_EFFORTS = {"minimal": "low"}
_BY_BUDGET = re.compile(r"claude-(?:3|(?:opus|sonnet|haiku)-4(?:$|@|-20\d{6}|-[0-5](?!\d)))")
_BETWEEN_TOOLS = re.compile(r"claude-sonnet-5-5(?!\d)")
_ALWAYS = re.compile(r"claude-(?:fable|mythos|opus-5-5(?!\d))")


def write_reasoning(conversation: Conversation, reasoning: Reasoning, body: dict[str, Any]) -> None:
    """Write `thinking` and `output_config`."""
    effort = reasoning.effort
    if "claude" not in conversation.model:
        _write_budget(conversation, reasoning, body)
    elif _BY_BUDGET.search(conversation.model) is not None:
        effort = None
        if not _resumes_unthought(conversation.messages):
            _write_budget(conversation, reasoning, body)
    elif reasoning.enabled is False:
        effort = _switch_off(conversation.model, body) or effort
    else:
        if effort is None and reasoning.budget_tokens is not None:
            effort = word_of(reasoning.budget_tokens)
        body["thinking"] = {"type": "adaptive"} | _display(reasoning)
    if effort is not None:
        body.setdefault("output_config", {})["effort"] = _EFFORTS.get(effort, effort)


def word_of(budget_tokens: int) -> str:
    """A budget as the word of the effort that usually spends as much."""
    return next((word for most, word in _WORDS if budget_tokens <= most), "high")


def _switch_off(model: str, body: dict[str, Any]) -> str | None:
    """Write that there shall be no thinking; the effort to ask for where a model always thinks."""
    if _ALWAYS.search(model):
        return "low"
    off = "between_tools" if _BETWEEN_TOOLS.search(model) else "disabled"
    body["thinking"] = {"type": off}
    return None


def _display(reasoning: Reasoning) -> dict[str, str]:
    shown = reasoning.include_thoughts
    return {} if shown is None else {"display": "summarized" if shown else "omitted"}


def _write_budget(conversation: Conversation, reasoning: Reasoning, body: dict[str, Any]) -> None:
    if reasoning.enabled is False:
        body["thinking"] = {"type": "disabled"}
        return
    limit, budget = conversation.max_tokens, reasoning.budget_tokens
    if budget is None:
        budget = BUDGETS_TOKENS.get(reasoning.effort or "medium", BUDGETS_TOKENS["medium"])
    budget = max(budget, MIN_BUDGET_TOKENS)
    if limit is not None and budget >= limit:  # thoughts are part of the output
        budget = limit - 1
        if budget < MIN_BUDGET_TOKENS:
            return  # too little output was asked for to think at all
    body["thinking"] = {"type": "enabled", "budget_tokens": budget} | _display(reasoning)


def _resumes_unthought(messages: Sequence[Message]) -> bool:
    """Whether tools have just answered a turn whose thoughts did not come back with it.

    With a budget the API refuses such a turn (guide "Extended thinking", "Preserving thinking
    blocks"); clients of other dialects seldom send thoughts back. It is continued without thinking.
    """
    if not messages or not any(isinstance(part, ToolResult) for part in messages[-1].parts):
        return False
    turns = [message for message in messages if message.role == "assistant"]
    for part in turns[-1].parts if turns else ():
        if isinstance(part, Thinking) and part.family == "anthropic" and part.signature is not None:
            return False
        if isinstance(part, ToolCall) or (isinstance(part, Text | Refusal) and part.text):
            return True
    return False
