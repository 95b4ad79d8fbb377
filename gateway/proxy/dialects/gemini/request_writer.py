"""A Conversation, written as a generateContent request. The path names model and streaming.

Source: Gemini API reference, "Method: models.generateContent" and "GenerationConfig"; guides
"Thinking" and "OpenAI compatibility" (the table of efforts). What would change the answer and has
no field is refused. Thinking cannot be switched off in models after Gemini 2: they then think as
little as they can.
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.gemini.contents_writer import write_contents
from gateway.proxy.dialects.gemini.schema import to_gemini
from gateway.proxy.dialects.neutral import (
    Conversation,
    OutputFormat,
    Reasoning,
    Tool,
    ToolChoice,
)
from gateway.proxy.dialects.shapes import refuse

_encode = msgspec.json.Encoder().encode

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}
_USUAL_TIERS = (None, "auto", "default", "standard", "standard_only")
# Guide "OpenAI compatibility": reasoning_effort as a budget (Gemini 2.5) and as a level (later).
_BUDGETS = {
    "none": 0,
    "minimal": 1_024,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
}
_LEVELS = {
    "none": "LOW",
    "minimal": "LOW",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}


def write_request(conversation: Conversation) -> bytes:
    """Raises Untranslatable naming what this dialect cannot say.

    `conversation.model` is the provider's name of the model: thinking is said differently to
    Gemini 2 and to what came after.
    """
    _refuse_unsayable(conversation)
    early = _is_early(conversation.model)
    system, contents = write_contents(conversation.messages, signed=not early)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if conversation.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in conversation.tools]}]
        # Without functions the API refuses to be told how to call them.
        if conversation.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _calling(conversation.tool_choice)}
    generation = _generation(conversation)
    if conversation.reasoning is not None:
        thinking = _thinking(conversation.reasoning, conversation.model, early)
        if thinking:
            generation["thinkingConfig"] = thinking
    if generation:
        body["generationConfig"] = generation
    return _encode(body)


def _refuse_unsayable(conversation: Conversation) -> None:
    choice = conversation.tool_choice
    several_calls = bool(conversation.tools) and choice is not None and choice.parallel is False
    for name, said in (
        ("n", conversation.choices != 1),
        ("parallel_tool_calls", several_calls),
        ("verbosity", conversation.verbosity not in (None, "medium")),
        ("service_tier", conversation.service_tier not in _USUAL_TIERS),
    ):
        if said:
            refuse(name)


def _is_early(model: str) -> bool:
    """Whether it is of the generations that take budgets and check no signatures."""
    return any(name in model for name in ("gemini-1", "gemini-2", "gemma"))


def _tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    if tool.parameters:
        written["parametersJsonSchema"] = to_gemini(tool.parameters, "tools")
    return written


def _calling(choice: ToolChoice) -> dict[str, Any]:
    config: dict[str, Any] = {"mode": _MODES[choice.mode]}
    if choice.mode == "tool":
        config["allowedFunctionNames"] = [choice.tool]
    return config


def _generation(conversation: Conversation) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "maxOutputTokens": conversation.max_tokens,
        "temperature": conversation.temperature,
        "topP": conversation.top_p,
        "topK": conversation.top_k,
        "stopSequences": conversation.stop or None,
        "seed": conversation.seed,
        "presencePenalty": conversation.presence_penalty,
        "frequencyPenalty": conversation.frequency_penalty,
        **_output(conversation.output_format),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _output(output: OutputFormat | None) -> dict[str, Any]:
    if output is None:
        return {}
    fields: dict[str, Any] = {"responseMimeType": "application/json"}
    if output.schema is not None:
        fields["responseJsonSchema"] = to_gemini(output.schema, "response_format")
    return fields


def _thinking(reasoning: Reasoning, model: str, early: bool) -> dict[str, Any]:
    config: dict[str, Any] = {}
    shown = reasoning.include_thoughts
    if shown is None and (reasoning.enabled or reasoning.summary is not None):
        shown = True  # thoughts are shown in other dialects once they are enabled
    if shown is not None:
        config["includeThoughts"] = shown
    effort = "none" if reasoning.enabled is False else reasoning.effort
    if effort is None and reasoning.budget_tokens is not None:
        config["thinkingBudget"] = reasoning.budget_tokens
        return config
    if effort is None:
        if reasoning.enabled and early:
            config["thinkingBudget"] = -1  # as much as the model likes
        return config
    if effort not in _LEVELS:
        refuse("reasoning.effort")
    if early:
        config["thinkingBudget"] = _BUDGETS[effort]
    elif effort in ("none", "minimal") and "flash" in model:
        config["thinkingLevel"] = "MINIMAL"  # only the Flash models have it
    else:
        config["thinkingLevel"] = _LEVELS[effort]
    return config
