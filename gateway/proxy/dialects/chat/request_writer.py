"""The neutral form into a chat completions request.

What this dialect has no place for, and is left out (see DROPPED), or refused: a document by
address, top_k, a penalty or any other thing that would change the answer. Reasoning of an earlier
answer goes back as `reasoning_content` when nobody signed it (DeepSeek and Moonshot want it with
tool calls); signed reasoning belongs to another family and is left out. Pictures and documents in
a tool's result follow in a user message, because a tool's message holds text only. The several
texts of an assistant's turn become one.
"""

from typing import Any

import msgspec

from gateway.base.errors import Untranslatable
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

DROPPED = {
    "cache breakpoints": "OpenAI caches prompts by itself; costs only",
    "signed reasoning of earlier answers": "only the family that signed it can read it",
    "a tool result's error flag": "the result's text says it",
    "include_thoughts, reasoning summary": "this dialect returns whatever reasoning there is",
}

_encode = msgspec.json.Encoder().encode
_AUDIO = {"audio/wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3"}


def write_request(conversation: Conversation) -> bytes:
    """Raises Untranslatable naming what this dialect cannot say."""
    if conversation.top_k is not None:
        raise Untranslatable("The model's provider has no equivalent for top_k.", param="top_k")
    body: dict[str, Any] = {"model": conversation.model, "messages": _messages(conversation)}
    if conversation.tools:
        body["tools"] = [_tool(tool) for tool in conversation.tools]
    choice = conversation.tool_choice
    if choice is not None and conversation.tools:
        body["tool_choice"] = _tool_choice(choice)
        if choice.parallel is not None:
            body["parallel_tool_calls"] = choice.parallel
    if conversation.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    if conversation.stop:
        body["stop"] = conversation.stop
    if conversation.choices != 1:
        body["n"] = conversation.choices
    if conversation.output_format is not None:
        body["response_format"] = _response_format(conversation.output_format)
    if conversation.reasoning is not None:
        effort = _effort(conversation.reasoning, conversation.model)
        if effort is not None:
            body["reasoning_effort"] = effort
    for field, value in (
        ("max_completion_tokens", conversation.max_tokens),
        ("temperature", conversation.temperature),
        ("top_p", conversation.top_p),
        ("seed", conversation.seed),
        ("presence_penalty", conversation.presence_penalty),
        ("frequency_penalty", conversation.frequency_penalty),
        ("service_tier", conversation.service_tier),
        ("verbosity", conversation.verbosity),
    ):
        if value is not None:
            body[field] = value
    return _encode(body)


# --- messages -------------------------------------------------------------------------------------


def _messages(conversation: Conversation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for place, message in enumerate(conversation.messages):
        where = f"messages[{place}]"
        if message.role == "assistant":
            found.append(_assistant(message))
        else:
            found += _turn(message, where)
    return found


def _turn(message: Message, where: str) -> list[dict[str, Any]]:
    """A user's or system's turn: first the results of tools, then all the rest."""
    found: list[dict[str, Any]] = []
    rest: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            text = "".join(inner.text for inner in part.parts if isinstance(inner, Text))
            result = {"role": "tool", "tool_call_id": part.call_id, "content": text}
            found.append(result)
            rest += [inner for inner in part.parts if isinstance(inner, Media)]
        else:
            rest.append(part)
    if rest or not found:
        turn: dict[str, Any] = {"role": message.role, "content": _content(rest, where)}
        if message.name is not None:
            turn["name"] = message.name
        found.append(turn)
    return found


def _content(parts: list[Part], where: str) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_part(part, f"{where}.content[{place}]") for place, part in enumerate(parts)]


def _part(part: Part, where: str) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Media):
        return _media(part, where)
    raise Untranslatable("This kind of content has no equivalent.", param=where)


def _media(media: Media, where: str) -> dict[str, Any]:
    inline = None if media.data is None else write_data_url(media.media_type, media.data)
    if media.kind == "image":
        image = {"url": inline or media.url}
        if media.detail is not None:
            image["detail"] = media.detail
        return {"type": "image_url", "image_url": image}
    if media.kind == "audio" and media.data is not None and media.media_type in _AUDIO:
        sound = {"data": media.data, "format": _AUDIO[media.media_type]}
        return {"type": "input_audio", "input_audio": sound}
    if media.kind == "document" and inline is not None:
        # OpenAI asks for a name; the kind of the file is told by the media type.
        file = {"filename": media.name or "document", "file_data": inline}
        return {"type": "file", "file": file}
    raise Untranslatable("The model's provider takes no such file this way.", param=where)


def _assistant(message: Message) -> dict[str, Any]:
    texts: list[str] = []
    thinking: list[str] = []
    refusals: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, Thinking):
            if part.signature is None:
                thinking.append(part.text)
        elif isinstance(part, Refusal):
            refusals.append(part.text)
        elif isinstance(part, ToolCall):
            function = {"name": part.name, "arguments": part.arguments}
            calls.append({"id": part.id, "type": "function", "function": function})
    turn: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None}
    if message.name is not None:
        turn["name"] = message.name
    if thinking:
        turn["reasoning_content"] = "".join(thinking)
    if refusals:
        turn["refusal"] = "".join(refusals)
    if calls:
        turn["tool_calls"] = calls
    elif not texts and not refusals:
        turn["content"] = ""  # the field may be null only beside calls or a refusal
    return turn


# --- everything besides the messages --------------------------------------------------------------


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    for field, value in (
        ("description", tool.description),
        ("parameters", tool.parameters),
        ("strict", tool.strict),
    ):
        if value is not None:
            function[field] = value
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> Any:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.tool}}
    return choice.mode


def _response_format(asked: OutputFormat) -> dict[str, Any]:
    if asked.kind == "json":
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": asked.name or "answer"}  # the field is required
    for field, value in (
        ("description", asked.description),
        ("schema", asked.schema),
        ("strict", asked.strict),
    ):
        if value is not None:
            schema[field] = value
    return {"type": "json_schema", "json_schema": schema}


def _effort(reasoning: Reasoning, model: str) -> str | None:
    """The word for it; None leaves it to the model."""
    if reasoning.enabled is False:
        return least(model)
    if reasoning.effort is not None or reasoning.budget_tokens is None:
        return reasoning.effort
    return word_of(reasoning.budget_tokens)
