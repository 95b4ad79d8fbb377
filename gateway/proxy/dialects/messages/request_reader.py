"""A Messages request into the neutral form.

`system` becomes the first message. A text document becomes one in base64 like all files. The input
of a call is kept as the JSON text it came in. A redacted block marked with another family's name
that stands before a call is the signature of that call (see signatures.py).
"""

import base64
from typing import Literal

from gateway.base.errors import InvalidRequest, Untranslatable
from gateway.proxy.dialects.decoding import decode_request
from gateway.proxy.dialects.messages.schema import is_strict
from gateway.proxy.dialects.messages.shapes import (
    REFUSED,
    REQUEST,
    Block,
    CacheControl,
    MessagesRequest,
    ToolShape,
)
from gateway.proxy.dialects.neutral import (
    Conversation,
    Family,
    Media,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from gateway.proxy.dialects.signatures import unwrap

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_MODES: dict[str, Literal["auto", "none", "required", "tool"]] = {
    "auto": "auto",
    "any": "required",
    "tool": "tool",
    "none": "none",
}
_TIERS = {None: None, "auto": "auto", "standard_only": "default"}


def read_request(body: bytes) -> Conversation:
    """Raises Untranslatable naming a field without a neutral form, or InvalidRequest."""
    request = decode_request(body, REQUEST)
    for field, silent in REFUSED.items():
        if getattr(request, field) not in silent:
            raise _unknown(field)
    if request.service_tier not in _TIERS:
        raise _unknown("service_tier")
    messages: list[Message] = []
    if request.system:
        messages.append(Message("system", _parts(request.system, "system")))
    for place, message in enumerate(request.messages):
        role = _ROLES.get(message.role)
        if role is None:
            raise InvalidRequest("role must be user or assistant.", param=f"messages[{place}].role")
        messages.append(Message(role, _parts(message.content, f"messages[{place}].content")))
    return Conversation(
        model=request.model,
        messages=tuple(messages),
        tools=tuple(_tool(tool, place) for place, tool in enumerate(request.tools or ())),
        tool_choice=_tool_choice(request),
        stream=bool(request.stream),
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=tuple(request.stop_sequences or ()),
        output_format=_output_format(request),
        reasoning=_reasoning(request),
        service_tier=_TIERS[request.service_tier],
        include_usage=True,
    )


def _unknown(param: str) -> Untranslatable:
    return Untranslatable(f"The model's provider has no equivalent for {param}.", param=param)


# --- content --------------------------------------------------------------------------------------


def _parts(content: str | list[Block], where: str) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    found: list[Part] = []
    mark: tuple[str, Family] | None = None
    for place, block in enumerate(content):
        if block.type == "redacted_thinking":
            signature, family, redacted = unwrap(block.data or "", "anthropic")
            if family != "anthropic" and not redacted:
                mark = (signature, family)
                continue
        part = _part(block, f"{where}[{place}]")
        if mark is not None and isinstance(part, ToolCall):
            part = ToolCall(part.id, part.name, part.arguments, *mark, part.cache_ttl_s)
            mark = None
        found.append(part)
    return tuple(found)


def _part(block: Block, where: str) -> Part:
    cache = _cache_ttl(block.cache_control)
    if block.toolset_name is not None:
        raise _unknown(f"{where}.toolset_name")
    match block.type:
        case "text" if block.text is not None:
            return Text(block.text, cache)
        case "image" | "document" if block.source is not None:
            return _media(block, where, cache)
        case "tool_use" if block.id is not None and block.name is not None:
            arguments = bytes(block.input).decode()
            return ToolCall(block.id, block.name, arguments, cache_ttl_s=cache)
        case "tool_result" if block.tool_use_id is not None:
            content = () if block.content is None else _parts(block.content, f"{where}.content")
            parts = tuple(part for part in content if isinstance(part, Text | Media))
            if len(parts) != len(content):
                raise _unknown(f"{where}.content")
            failed = bool(block.is_error)
            return ToolResult(block.tool_use_id, parts, is_error=failed, cache_ttl_s=cache)
        case "thinking" if block.thinking is not None:
            if not block.signature:
                return Thinking(block.thinking)
            signature, family, _ = unwrap(block.signature, "anthropic")
            return Thinking(block.thinking, signature, family)
        case "redacted_thinking" if block.data is not None:
            signature, family, _ = unwrap(block.data, "anthropic")
            return Thinking("", signature, family, redacted=True)
    if block.type in ("text", "image", "document", "tool_use", "tool_result", "thinking"):
        raise InvalidRequest(f"A block of type {block.type} is incomplete.", param=where)
    raise _unknown(f"{where}.type")


def _media(block: Block, where: str, cache: int | None) -> Media:
    source = block.source
    citations = block.citations
    if block.context or block.transformations:
        raise _unknown(f"{where}.{'context' if block.context else 'transformations'}")
    if isinstance(citations, list) or (citations is not None and citations.enabled):
        raise _unknown(f"{where}.citations")
    kind: Literal["image", "document"] = "image" if block.type == "image" else "document"
    if source is not None:
        if source.type == "base64" and source.data is not None and source.media_type:
            return Media(kind, source.media_type, source.data, None, block.title, None, cache)
        if source.type == "url" and source.url is not None:
            return Media(kind, "", None, source.url, block.title, None, cache)
        if source.type == "text" and source.data is not None and kind == "document":
            data = base64.b64encode(source.data.encode()).decode()
            return Media(kind, "text/plain", data, None, block.title, None, cache)
    raise _unknown(f"{where}.source")


def _cache_ttl(control: CacheControl | None) -> int | None:
    if control is None:
        return None
    return 3600 if control.ttl == "1h" else 300


# --- everything besides the content ---------------------------------------------------------------


def _tool(tool: ToolShape, place: int) -> Tool:
    where = f"tools[{place}]"
    if tool.type not in (None, "custom"):
        raise _unknown(f"{where}.type")
    if tool.defer_loading:
        raise _unknown(f"{where}.defer_loading")
    if tool.input_examples:
        raise _unknown(f"{where}.input_examples")
    if tool.allowed_callers not in (None, [], ["direct"]):
        raise _unknown(f"{where}.allowed_callers")
    cache = _cache_ttl(tool.cache_control)
    strict = tool.strict and is_strict(tool.input_schema or {})
    return Tool(tool.name, tool.description, tool.input_schema, strict, cache)


def _tool_choice(request: MessagesRequest) -> ToolChoice | None:
    choice = request.tool_choice
    if choice is None:
        return None
    mode = _MODES.get(choice.type)
    if mode is None or (mode == "tool" and choice.name is None):
        raise InvalidRequest("tool_choice must be auto, any, tool or none.", param="tool_choice")
    single = choice.disable_parallel_tool_use
    return ToolChoice(mode, choice.name, None if single is None else not single)


def _output_format(request: MessagesRequest) -> OutputFormat | None:
    asked = request.output_config.format if request.output_config is not None else None
    asked = asked or request.output_format
    if asked is None:
        return None
    if asked.type != "json_schema" or asked.schema is None:
        raise _unknown("output_config.format")
    return OutputFormat("json_schema", schema=asked.schema, strict=is_strict(asked.schema))


def _reasoning(request: MessagesRequest) -> Reasoning | None:
    effort = request.output_config.effort if request.output_config is not None else None
    asked = request.thinking
    if asked is None:
        return None if effort is None else Reasoning(effort=effort)
    if asked.type not in ("enabled", "adaptive", "disabled"):
        raise _unknown("thinking.type")
    include = None if asked.display is None else asked.display != "omitted"
    enabled = asked.type in ("enabled", "adaptive")
    return Reasoning(enabled, effort, asked.budget_tokens, include_thoughts=include)
