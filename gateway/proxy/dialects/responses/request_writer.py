"""A Conversation, written as a request of the Responses API.

Source: OpenAI API reference, "Create a model response". Nothing is stored at the provider
(`store` is always false), so earlier items go without ids and reasoning goes encrypted. What the
neutral form can say and this dialect cannot is refused when it would change the answer.
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.data_urls import write_data_url
from gateway.proxy.dialects.efforts import least, word_of
from gateway.proxy.dialects.neutral import (
    Conversation,
    Media,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from gateway.proxy.dialects.shapes import refuse

_encode = msgspec.json.Encoder().encode

_TIERS = {"standard_only": "default"}  # Anthropic's word for the tier without priority


def write_request(conversation: Conversation) -> bytes:
    """Raises Untranslatable naming what this dialect cannot say."""
    _refuse_unsayable(conversation)
    reasoning = conversation.reasoning
    body: dict[str, Any] = {
        "model": conversation.model,
        "input": [item for message in conversation.messages for item in _items(message)],
        "store": False,
    }
    if conversation.stream:
        body["stream"] = True
    if conversation.tools:
        body["tools"] = [_tool(tool) for tool in conversation.tools]
    if conversation.tool_choice is not None:
        body.update(_tool_choice(conversation.tool_choice))
    text = _text(conversation.output_format, conversation.verbosity)
    if text:
        body["text"] = text
    if reasoning is not None:
        written = _reasoning(reasoning, conversation.model)
        if written:
            body["reasoning"] = written
    if _wants_signatures(conversation):
        body["include"] = ["reasoning.encrypted_content"]
    tier = conversation.service_tier
    for name, value in (
        ("max_output_tokens", conversation.max_tokens),
        ("temperature", conversation.temperature),
        ("top_p", conversation.top_p),
        ("service_tier", _TIERS.get(tier, tier) if tier else None),
    ):
        if value is not None:
            body[name] = value
    return _encode(body)


def _refuse_unsayable(conversation: Conversation) -> None:
    for name, said in (
        ("stop", conversation.stop),
        ("top_k", conversation.top_k is not None),
        ("presence_penalty", conversation.presence_penalty),
        ("frequency_penalty", conversation.frequency_penalty),
        ("n", conversation.choices != 1),
    ):
        if said:
            refuse(name)


def _wants_signatures(conversation: Conversation) -> bool:
    """Models that do not reason refuse to be asked for encrypted reasoning, so ask only if told."""
    reasoning = conversation.reasoning
    if reasoning is not None:
        return reasoning.enabled is not False
    return any(
        isinstance(part, Thinking) and part.family == "openai"
        for message in conversation.messages
        for part in message.parts
    )


def _tool(tool: Tool) -> dict[str, Any]:
    # Left out, `strict` means true here and false in every other dialect.
    written: dict[str, Any] = {
        "type": "function",
        "name": tool.name,
        "parameters": tool.parameters or {"type": "object", "properties": {}},
        "strict": bool(tool.strict),
    }
    if tool.description is not None:
        written["description"] = tool.description
    return written


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    written: dict[str, Any] = {
        "tool_choice": {"type": "function", "name": choice.tool}
        if choice.mode == "tool"
        else choice.mode
    }
    if choice.parallel is not None:
        written["parallel_tool_calls"] = choice.parallel
    return written


def _text(output: OutputFormat | None, verbosity: str | None) -> dict[str, Any]:
    text: dict[str, Any] = {}
    if output is not None and output.kind == "json":
        text["format"] = {"type": "json_object"}
    elif output is not None:
        # A name is required here; dialects without names leave it open.
        text["format"] = {
            "type": "json_schema",
            "name": output.name or "answer",
            "schema": output.schema or {},
            "strict": bool(output.strict),
        }
        if output.description is not None:
            text["format"]["description"] = output.description
    if verbosity is not None:
        text["verbosity"] = verbosity
    return text


def _reasoning(reasoning: Reasoning, model: str) -> dict[str, Any]:
    if reasoning.enabled is False:
        word = least(model)
        return {} if word is None else {"effort": word}
    written: dict[str, Any] = {}
    effort = reasoning.effort
    if effort is None and reasoning.budget_tokens is not None and reasoning.budget_tokens > 0:
        effort = word_of(reasoning.budget_tokens)
    if effort is not None:
        written["effort"] = effort
    shown = reasoning.include_thoughts
    if reasoning.summary is not None:
        written["summary"] = reasoning.summary
    elif shown or (shown is None and reasoning.enabled):
        written["summary"] = "auto"  # thoughts are shown in other dialects once they are enabled
    return written


# --- messages -----------------------------------------------------------------------------------


def _items(message: Message) -> list[dict[str, Any]]:
    """The items of one message: its content, and tool calls, results and reasoning by themselves.

    Order is kept; a part that is an item of its own divides the content around it.
    """
    items: list[dict[str, Any]] = []
    content: list[dict[str, Any]] | None = None
    for part in message.parts:
        if isinstance(part, Text | Media | Refusal):
            if content is None:
                content = []
                items.append({"type": "message", "role": message.role, "content": content})
            content.append(_content(part, message.role == "assistant"))
            continue
        item = _item(part)
        if item is not None:
            items.append(item)
            content = None
    return items


def _item(part: Part) -> dict[str, Any] | None:
    """A part that is an item here; None for reasoning that no one at this provider can read."""
    match part:
        case ToolCall():
            return {
                "type": "function_call",
                "call_id": part.id,
                "name": part.name,
                "arguments": part.arguments,
            }
        case ToolResult():
            return {
                "type": "function_call_output",
                "call_id": part.call_id,
                "output": _output(part),
            }
        case Thinking(signature=str(), family="openai"):
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            return {"type": "reasoning", "summary": summary, "encrypted_content": part.signature}
    return None


def _output(result: ToolResult) -> str | list[dict[str, Any]]:
    if not result.parts:
        return ""
    if len(result.parts) == 1 and isinstance(result.parts[0], Text):
        return result.parts[0].text
    return [_content(part, False) for part in result.parts]


def _content(part: Text | Media | Refusal, of_assistant: bool) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "output_text" if of_assistant else "input_text", "text": part.text}
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
    if of_assistant:
        refuse("messages", "The model's provider takes no media in the assistant's turns.")
    if part.kind == "audio":
        refuse("messages", "The model's provider takes no sound in this endpoint.")
    return _image(part) if part.kind == "image" else _file(part)


def _image(part: Media) -> dict[str, Any]:
    url = (
        part.url if part.data is None else write_data_url(part.media_type or "image/png", part.data)
    )
    written: dict[str, Any] = {"type": "input_image", "image_url": url}
    if part.detail is not None:
        written["detail"] = part.detail
    return written


def _file(part: Media) -> dict[str, Any]:
    written: dict[str, Any] = {"type": "input_file"}
    if part.data is None:
        written["file_url"] = part.url
    else:
        written["file_data"] = write_data_url(part.media_type or "application/pdf", part.data)
        written["filename"] = part.name or "document"  # required beside file_data
    if part.data is None and part.name is not None:
        written["filename"] = part.name
    if part.detail is not None:
        written["detail"] = part.detail
    return written
