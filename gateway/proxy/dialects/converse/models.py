"""What differs between the makers whose models Bedrock offers: a model's id names its maker.

Sources: Bedrock user guide, "Prompt caching" (Claude: system, messages and tools, of five minutes
or an hour; Nova: system and messages, of five minutes) and "Inference request parameters" of each
maker; Amazon Nova user guides, "Request schema" (`topK`) and, for Nova 2, "Extended thinking"
(`reasoningConfig`); for gpt-oss the parameters of OpenAI's models. An ARN that does not say whose
model it stands for is of no known maker: nothing of a maker's own is sent to it.
"""

from typing import Any, Literal, NamedTuple

from gateway.proxy.dialects.messages.thinking import write_reasoning
from gateway.proxy.dialects.neutral import Conversation, Reasoning
from gateway.proxy.dialects.shapes import refuse


class Maker(NamedTuple):
    """What the models of one maker take besides what all take."""

    name: Literal["anthropic", "nova", "nova2", "mistral", "openai", "other"]
    caches: bool = False
    caches_tools: bool = False
    caches_an_hour: bool = False


# By the part of a model's id that names it; the first that fits counts.
_MAKERS = (
    ("anthropic.", Maker("anthropic", True, True, True)),
    ("amazon.nova-2", Maker("nova2", True)),
    ("amazon.nova", Maker("nova", True)),
    ("mistral.", Maker("mistral")),
    ("openai.", Maker("openai")),
)
_OTHER = Maker("other")
# Words of effort as Nova 2 and gpt-oss have them: three.
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium"}
_EFFORTS |= dict.fromkeys(("high", "xhigh", "max"), "high")
_BUDGET_OF_MEDIUM, _BUDGET_OF_HIGH = 4_096, 16_384


def maker_of(model: str) -> Maker:
    """Whose model an id names."""
    return next((maker for part, maker in _MAKERS if part in model), _OTHER)


def additional_fields(conversation: Conversation, maker: Maker) -> dict[str, Any]:
    """`additionalModelRequestFields`. Raises Untranslatable for what the maker has no name for."""
    fields: dict[str, Any] = {}
    top_k = conversation.top_k
    if top_k is not None:
        if maker.name in ("nova", "nova2"):
            fields["inferenceConfig"] = {"topK": top_k}
        elif maker.name in ("anthropic", "mistral"):
            fields["top_k"] = top_k
        else:
            refuse("top_k")
    reasoning = conversation.reasoning
    if reasoning is not None:
        fields |= _reasoning(conversation, reasoning, maker)
    return fields


def _reasoning(conversation: Conversation, reasoning: Reasoning, maker: Maker) -> dict[str, Any]:
    if maker.name == "anthropic":
        body: dict[str, Any] = {"max_tokens": conversation.max_tokens}
        write_reasoning(conversation, reasoning, body)
        return {name: body[name] for name in ("thinking", "output_config") if name in body}
    off = reasoning.enabled is False or reasoning.effort == "none"
    if maker.name == "nova2":
        if off:
            return {"reasoningConfig": {"type": "disabled"}}
        config = {"type": "enabled", "maxReasoningEffort": _effort(reasoning)}
        return {"reasoningConfig": config}
    if maker.name == "openai":
        return {"reasoning_effort": "low" if off else _effort(reasoning)}
    if not off and (reasoning.enabled or reasoning.effort or reasoning.budget_tokens):
        refuse("reasoning", "The model's provider has no parameter for reasoning.")
    return {}


def _effort(reasoning: Reasoning) -> str:
    """The effort asked for; a budget is the least effort that covers it."""
    if reasoning.effort is None and reasoning.budget_tokens is not None:
        budget = reasoning.budget_tokens
        if budget >= _BUDGET_OF_HIGH:
            return "high"
        return "medium" if budget >= _BUDGET_OF_MEDIUM else "low"
    found = _EFFORTS.get(reasoning.effort or "medium")
    return found if found is not None else refuse("reasoning.effort")
