"""The neutral form into a Messages request.

Rules where the two differ (Anthropic API reference):
- `max_tokens` is required. Where the request names no maximum, DEFAULT_MAX_TOKENS is written;
  whoever knows the model's own maximum puts that into the conversation first.
- System and developer texts, wherever they stood, become `system` in their order.
- A schema becomes `output_config.format`, fitted to what the API takes: see `schema`. JSON without
  a schema has no equivalent and is refused.
- How much to think is told in the form that the model takes: see `thinking`.
- A request of nothing but system text sends that text as the user's: there must be a turn.
- Empty texts are left out: the API refuses empty text blocks.
- Ids of calls are written in the letters the API takes; a result's id follows its call's.
"""

import base64
import binascii
import re
from typing import Any

import msgspec

from gateway.base.errors import Untranslatable
from gateway.proxy.dialects.messages.schema import fitted
from gateway.proxy.dialects.messages.thinking import write_reasoning
from gateway.proxy.dialects.neutral import (
    Conversation,
    Media,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

DROPPED = {
    "seed": "a wish even at OpenAI (best effort); answers vary without it as they may with it",
    "a message's name": "there is no place for it",
    "an image's detail": "pictures are seen at full detail",
    "a schema's name and description, strict": "the schema itself is always followed",
    "narrowing words of schemas": "outside Anthropic's subset; the schema's description tells them",
    "reasoning not signed by Anthropic": "only the family that signed it can read it",
    "thinking in a turn of tools": "up to Claude 4.5, where the turn's own thoughts are missing",
    "include_usage, reasoning summary": "usage is always reported; there is one kind of summary",
}

DEFAULT_MAX_TOKENS = 8192
_ID_LETTERS = re.compile(r"[^a-zA-Z0-9_-]")
_MODES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}
_TIERS = {None: None, "auto": None, "default": "standard_only"}

_encode = msgspec.json.Encoder().encode


def write_request(conversation: Conversation) -> bytes:
    """Raises Untranslatable naming what this dialect cannot say."""
    _refuse(conversation)
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for place, message in enumerate(conversation.messages):
        content = _content(message, f"messages[{place}]")
        if message.role in ("system", "developer"):
            system += content
        elif content:
            messages.append({"role": message.role, "content": content})
    body: dict[str, Any] = {
        "model": conversation.model,
        "max_tokens": conversation.max_tokens,
        "messages": messages,
    }
    if system and not messages:
        messages.append({"role": "user", "content": system})
    elif system:
        body["system"] = system
    if conversation.tools:
        body["tools"] = [_tool(tool) for tool in conversation.tools]
        if conversation.tool_choice is not None:
            body["tool_choice"] = _tool_choice(conversation.tool_choice)
    if conversation.stop:
        body["stop_sequences"] = conversation.stop
    for field, value in (
        ("temperature", conversation.temperature),
        ("top_p", conversation.top_p),
        ("top_k", conversation.top_k),
        ("service_tier", _TIERS[conversation.service_tier]),
    ):
        if value is not None:
            body[field] = value
    if conversation.output_format is not None:
        schema = fitted(conversation.output_format.schema or {}, "response_format")
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    if conversation.reasoning is not None:
        write_reasoning(conversation, conversation.reasoning, body)
    if body["max_tokens"] is None:
        budget = body.get("thinking", {}).get("budget_tokens", 0)
        body["max_tokens"] = budget + DEFAULT_MAX_TOKENS
    if conversation.stream:
        body["stream"] = True
    return _encode(body)


def _refuse(conversation: Conversation) -> None:
    """Things that would change the answer and have no equivalent."""
    asked = conversation.output_format
    temperature = conversation.temperature
    refused = {
        "n": conversation.choices != 1,
        "temperature": temperature is not None and temperature > 1,
        "presence_penalty": conversation.presence_penalty,
        "frequency_penalty": conversation.frequency_penalty,
        "response_format": asked is not None and asked.schema is None,
        "verbosity": conversation.verbosity not in (None, "medium"),
        "service_tier": conversation.service_tier not in _TIERS,
    }
    for field, given in refused.items():
        if given:
            text = f"The model's provider has no equivalent for this value of {field}."
            raise Untranslatable(text, param=field)


# --- content --------------------------------------------------------------------------------------


def _content(message: Message, where: str) -> list[dict[str, Any]]:
    blocks = []
    for part in message.parts:
        block = _block(part, where)
        if block is not None:
            blocks.append(block)
    return blocks


def _block(part: Part, where: str) -> dict[str, Any] | None:
    match part:
        case Text() | Refusal():
            if not part.text:
                return None
            block: dict[str, Any] = {"type": "text", "text": part.text}
            if isinstance(part, Refusal):
                return block
        case Thinking():
            if part.family != "anthropic" or part.signature is None:
                return None
            if part.redacted:
                return {"type": "redacted_thinking", "data": part.signature}
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case ToolCall():
            given = read_arguments(part.arguments)
            if given is None:
                raise Untranslatable(
                    "The arguments of a call must be a JSON object.",
                    param=f"{where}.tool_calls",
                )
            block = {"type": "tool_use", "id": _id(part.id), "name": part.name, "input": given}
        case ToolResult():
            block = _tool_result(part, where)
        case Media():
            block = _media(part, where)
    if part.cache_ttl_s is not None:
        block["cache_control"] = _cache_control(part.cache_ttl_s)
    return block


def _cache_control(ttl_s: int) -> dict[str, Any]:
    control = {"type": "ephemeral"}
    if ttl_s > 300:
        control["ttl"] = "1h"
    return control


def _id(call_id: str) -> str:
    return _ID_LETTERS.sub("_", call_id) or "call"


def read_arguments(arguments: str) -> msgspec.Raw | None:
    """A call's arguments as they stand, `{}` for none; None when they are no JSON object."""
    if not arguments.strip():
        return msgspec.Raw(b"{}")
    try:
        found = msgspec.json.decode(arguments)
    except (ValueError, RecursionError):
        return None
    return msgspec.Raw(arguments.encode()) if isinstance(found, dict) else None


def _tool_result(result: ToolResult, where: str) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": _id(result.call_id)}
    content = [_block(part, where) for part in result.parts]
    said = [inner for inner in content if inner is not None]
    if said:
        block["content"] = said
    if result.is_error:
        block["is_error"] = True
    return block


def _media(media: Media, where: str) -> dict[str, Any]:
    source: dict[str, Any]
    if media.kind == "audio":
        raise Untranslatable("The model's provider takes no sound.", param=where)
    if media.data is None:
        source = {"type": "url", "url": media.url}
    elif media.kind == "document" and media.media_type.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": _text(media.data, where)}
    elif media.kind == "document" and media.media_type != "application/pdf":
        raise Untranslatable("The model's provider takes PDF and text documents.", param=where)
    else:
        source = {"type": "base64", "media_type": media.media_type, "data": media.data}
    block: dict[str, Any] = {"type": media.kind, "source": source}
    if media.kind == "document" and media.name is not None:
        block["title"] = media.name
    return block


def _text(data: str, where: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Untranslatable("A text document must be base64 of UTF-8.", param=where) from None


# --- everything besides the content ---------------------------------------------------------------


def _tool(tool: Tool) -> dict[str, Any]:
    # The API demands an object's schema; a function without parameters has none to give.
    schema = {"type": "object", **(tool.parameters or {"properties": {}})}
    if tool.strict:
        closed = {} if tool.parameters else {"additionalProperties": False}
        schema = fitted(schema | closed, "tools")
    found: dict[str, Any] = {"name": tool.name, "input_schema": schema}
    if tool.description is not None:
        found["description"] = tool.description
    if tool.strict:
        found["strict"] = True
    if tool.cache_ttl_s is not None:
        found["cache_control"] = _cache_control(tool.cache_ttl_s)
    return found


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    found: dict[str, Any] = {"type": _MODES[choice.mode]}
    if choice.mode == "tool":
        found["name"] = choice.tool
    if choice.parallel is not None and choice.mode != "none":
        found["disable_parallel_tool_use"] = not choice.parallel
    return found
