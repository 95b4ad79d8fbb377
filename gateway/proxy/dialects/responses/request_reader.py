"""A request of the Responses API, read into a Conversation.

Source: OpenAI API reference, "Create a model response"; names as in the openai SDK's
`responses/response_create_params.py`. Neighbouring items of the assistant (messages, function
calls, reasoning) become one Message, neighbouring function outputs another. What the neutral form
cannot say is refused by name: the shapes below list every field that is read or dropped.
"""

from typing import Any

import msgspec

from gateway.base.errors import InvalidRequest
from gateway.proxy.dialects.neutral import (
    Conversation,
    Message,
    OutputFormat,
    Reasoning,
    Text,
    Tool,
    ToolChoice,
)
from gateway.proxy.dialects.responses.items_reader import read_items
from gateway.proxy.dialects.shapes import decode_object, refuse, said, shape

_MISSING_STATE = "The model's provider keeps no earlier answers: send the whole conversation."
# Fields whose meaning needs a provider that owns the conversation, with what the caller can do.
_REASONS = {
    "previous_response_id": _MISSING_STATE,
    "conversation": _MISSING_STATE,
    "prompt": "Stored prompts belong to one provider: send the prompt's text.",
    "background": "Answers in the background are not offered for this model.",
    "store": "Answers are never stored: send store as false, or leave it out.",
}
# A value that asks for nothing beyond what happens anyway is not refused.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "background": (False,),
    "store": (False,),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
}
_LOGPROBS = "message.output_text.logprobs"  # the one `include` that asks for more of the text


class _Format(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class _TextOptions(msgspec.Struct, forbid_unknown_fields=True):
    format: _Format | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct, forbid_unknown_fields=True):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None  # the older name of `summary`


class _Function(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    input: str | list[Any]
    instructions: str | None = None
    tools: list[Any] = []
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    text: _TextOptions | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream: bool = False
    metadata: dict[str, str] | None = None
    service_tier: str | None = None
    include: list[str] = []
    # Read and dropped: see the table in the package's docstring.
    client_metadata: Any = None
    max_tool_calls: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: Any = None
    session_id: Any = None
    stream_options: Any = None
    user: Any = None


def read_request(body: bytes) -> Conversation:
    """Raises Untranslatable naming the field that has no neutral form, or InvalidRequest."""
    data = said(decode_object(body), "")
    for name, values in _HARMLESS.items():
        if name in data and data[name] in values:
            del data[name]
    for name, why in _REASONS.items():
        if name in data:
            refuse(name, why)
    request = shape(_Request, data)
    if _LOGPROBS in request.include:
        refuse("include")
    messages = read_items(request.input)
    if request.instructions is not None:
        messages.insert(0, Message("system", (Text(request.instructions),)))
    text = request.text or _TextOptions()
    return Conversation(
        model=request.model,
        messages=tuple(messages),
        tools=tuple(_tool(tool, f"tools[{n}]") for n, tool in enumerate(request.tools)),
        tool_choice=_tool_choice(request.tool_choice, request.parallel_tool_calls),
        stream=request.stream,
        max_tokens=request.max_output_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        output_format=_output_format(text.format),
        reasoning=_read_reasoning(request.reasoning),
        metadata=request.metadata,
        service_tier=request.service_tier,
        verbosity=text.verbosity,
    )


def _tool(value: Any, at: str) -> Tool:
    fields = said(value, at)
    if fields.get("type") != "function":
        refuse(f"{at}.type", "Only function tools can be used with this model.")
    tool = shape(_Function, fields, at)
    return Tool(tool.name, tool.description, tool.parameters, tool.strict)


def _tool_choice(value: Any, parallel: bool | None) -> ToolChoice | None:
    """`tool_choice` and `parallel_tool_calls` in one value; None when neither was said."""
    if value is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if value in ("auto", "none", "required"):
        return ToolChoice(value, parallel=parallel)
    if not isinstance(value, dict):
        raise InvalidRequest("A field has the wrong type or value.", param="tool_choice")
    name = value.get("name")
    if value.get("type") != "function" or not isinstance(name, str) or len(value) > 2:
        refuse("tool_choice")
    return ToolChoice("tool", name, parallel)


def _output_format(value: _Format | None) -> OutputFormat | None:
    if value is None or value.type == "text":
        return None
    if value.type == "json_object":
        return OutputFormat("json")
    if value.type != "json_schema":
        refuse("text.format.type")
    return OutputFormat("json_schema", value.name, value.schema, value.strict, value.description)


def _read_reasoning(value: _Reasoning | None) -> Reasoning | None:
    if value is None:
        return None
    summary = value.summary or value.generate_summary
    if value.effort == "none":
        return Reasoning(enabled=False, summary=summary)
    return Reasoning(effort=value.effort, summary=summary)
