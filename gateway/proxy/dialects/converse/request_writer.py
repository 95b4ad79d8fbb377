"""A Conversation, written as a Converse request. The path names the model and streaming.

Source: the shape `ConverseRequest` of botocore's service model for bedrock-runtime. What would
change the answer and has no field is refused.
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.converse.content_writer import ContentWriter, cache_point
from gateway.proxy.dialects.converse.models import Maker, additional_fields, maker_of
from gateway.proxy.dialects.neutral import (
    Conversation,
    OutputFormat,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from gateway.proxy.dialects.shapes import refuse

_encode = msgspec.json.Encoder().encode
_USUAL_TIERS = (None, "auto", "default", "standard", "standard_only")


def write_request(conversation: Conversation) -> bytes:
    """Raises Untranslatable naming what this dialect cannot say.

    `conversation.model` is the provider's name of the model, whose maker decides on some fields.
    """
    _refuse_unsayable(conversation)
    maker = maker_of(conversation.model)
    system, messages = ContentWriter(maker).write(conversation.messages)
    body: dict[str, Any] = {"messages": messages}
    if system:
        body["system"] = system
    inference = {
        "maxTokens": conversation.max_tokens,
        "temperature": conversation.temperature,
        "topP": conversation.top_p,
        "stopSequences": conversation.stop or None,
    }
    said = {name: value for name, value in inference.items() if value is not None}
    if said:
        body["inferenceConfig"] = said
    if conversation.tools:
        tools = _tool_config(conversation, maker)
        if tools is not None:
            body["toolConfig"] = tools
    if conversation.output_format is not None:
        body["outputConfig"] = {"textFormat": _format(conversation.output_format)}
    additional = additional_fields(conversation, maker)
    if additional:
        body["additionalModelRequestFields"] = additional
    return _encode(body)


def _refuse_unsayable(conversation: Conversation) -> None:
    choice, asked = conversation.tool_choice, conversation.output_format
    temperature = conversation.temperature
    several_calls = bool(conversation.tools) and choice is not None and choice.parallel is False
    for name, said in (
        ("n", conversation.choices != 1),
        ("temperature", temperature is not None and temperature > 1),
        ("presence_penalty", bool(conversation.presence_penalty)),
        ("frequency_penalty", bool(conversation.frequency_penalty)),
        ("response_format", asked is not None and asked.schema is None),
        ("parallel_tool_calls", several_calls),
        ("verbosity", conversation.verbosity not in (None, "medium")),
        ("service_tier", conversation.service_tier not in _USUAL_TIERS),
    ):
        if said:
            refuse(name)


def _tool_config(conversation: Conversation, maker: Maker) -> dict[str, Any] | None:
    """None where no tool may be called: the API has no such choice, so the tools stay away."""
    choice = conversation.tool_choice or ToolChoice()
    if choice.mode == "none":
        if _speaks_of_tools(conversation):
            refuse("tool_choice", "This model cannot be kept from tools it has already used.")
        return None
    tools: list[dict[str, Any]] = []
    for tool in conversation.tools:
        tools.append({"toolSpec": _tool(tool)})
        if tool.cache_ttl_s is not None:
            tools += cache_point(tool.cache_ttl_s, maker, tools=True)
    config: dict[str, Any] = {"tools": tools}
    if choice.mode == "required":
        config["toolChoice"] = {"any": {}}
    elif choice.mode == "tool":
        config["toolChoice"] = {"tool": {"name": choice.tool}}
    return config


def _speaks_of_tools(conversation: Conversation) -> bool:
    """The API wants the tools named once a turn calls one or answers a call."""
    parts = (part for message in conversation.messages for part in message.parts)
    return any(isinstance(part, ToolCall | ToolResult) for part in parts)


def _tool(tool: Tool) -> dict[str, Any]:
    schema = {"type": "object", **(tool.parameters or {"properties": {}})}
    found: dict[str, Any] = {"name": tool.name, "inputSchema": {"json": schema}}
    if tool.description:
        found["description"] = tool.description
    if tool.strict:
        found["strict"] = True
    return found


def _format(output: OutputFormat) -> dict[str, Any]:
    """The schema is JSON in a string."""
    definition = {"schema": _encode(output.schema).decode()}
    if output.name is not None:
        definition["name"] = output.name
    if output.description is not None:
        definition["description"] = output.description
    return {"type": "json_schema", "structure": {"jsonSchema": definition}}
