"""A chat completions request into the neutral form.

Messages of role `tool` that follow each other become one user turn, which is what every other
dialect has for the results of parallel calls. An assistant's turn reads in the order thinking,
text, refusal, calls; this dialect does not say another.
"""

from typing import Literal

from gateway.base.errors import InvalidRequest, Untranslatable
from gateway.proxy.dialects.chat.reasoning import call_signatures, thoughts
from gateway.proxy.dialects.chat.shapes import (
    REFUSED,
    REQUEST,
    CacheBreakpoint,
    CacheControl,
    ChatMessage,
    ChatRequest,
    ContentPart,
    ToolCallShape,
    ToolShape,
)
from gateway.proxy.dialects.data_urls import read_data_url
from gateway.proxy.dialects.decoding import decode_request
from gateway.proxy.dialects.neutral import (
    Conversation,
    Media,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
}
_MODES: dict[str, Literal["auto", "none", "required"]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
}
_AUDIO = {"wav": "audio/wav", "mp3": "audio/mp3"}


def read_request(body: bytes) -> Conversation:
    """Raises Untranslatable naming a field without a neutral form, or InvalidRequest."""
    request = decode_request(body, REQUEST)
    for field, silent in REFUSED.items():
        if getattr(request, field) not in silent:
            raise Untranslatable(
                f"The model's provider has no equivalent for {field}.", param=field
            )
    maximum = request.max_completion_tokens
    return Conversation(
        model=request.model,
        messages=tuple(_messages(request.messages)),
        tools=tuple(_tool(tool) for tool in request.tools or ()),
        tool_choice=_tool_choice(request),
        stream=bool(request.stream),
        max_tokens=request.max_tokens if maximum is None else maximum,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=(request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ()),
        seed=request.seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        choices=1 if request.n is None else request.n,
        output_format=_output_format(request),
        reasoning=_reasoning(request),
        service_tier=request.service_tier,
        verbosity=request.verbosity,
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
    )


# --- messages -------------------------------------------------------------------------------------


def _messages(messages: list[ChatMessage]) -> list[Message]:
    found: list[Message] = []
    results: list[ToolResult] = []
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if message.role == "tool":
            results.append(_tool_result(message, where))
            continue
        if results:
            found.append(Message("user", tuple(results)))
            results = []
        role = _ROLES.get(message.role)
        if role is None:
            raise Untranslatable("A message of this role has no equivalent.", param=f"{where}.role")
        if role == "assistant":
            parts = _assistant_parts(message, where)
        else:
            parts = _content(message, where)
        found.append(Message(role, tuple(parts), message.name))
    if results:
        found.append(Message("user", tuple(results)))
    return found


def _tool_result(message: ChatMessage, where: str) -> ToolResult:
    if message.tool_call_id is None:
        raise InvalidRequest("A tool's message needs tool_call_id.", param=f"{where}.tool_call_id")
    parts = tuple(part for part in _content(message, where) if isinstance(part, Text | Media))
    return ToolResult(message.tool_call_id, parts, message.name)


def _assistant_parts(message: ChatMessage, where: str) -> list[Part]:
    if message.function_call is not None:
        raise Untranslatable("Use tool_calls instead.", param=f"{where}.function_call")
    if message.audio is not None:
        raise Untranslatable("An earlier answer's audio has no equivalent.", param=f"{where}.audio")
    shapes = message.tool_calls or []
    ids = {shape.id for shape in shapes}
    signatures = call_signatures(message.reasoning_details or (), ids)
    text = message.reasoning_content or message.reasoning
    parts: list[Part] = [*thoughts(text, message.reasoning_details, ids)]
    if message.content:  # an empty text, which streams begin with, says nothing
        parts += _content(message, where)
    if message.refusal:
        parts.append(Refusal(message.refusal))
    for place, shape in enumerate(shapes):
        signature = signatures.get(shape.id)
        call = _tool_call(shape, f"{where}.tool_calls[{place}]")
        if signature is not None:
            call = ToolCall(call.id, call.name, call.arguments, *signature)
        parts.append(call)
    return parts


def _tool_call(shape: ToolCallShape, where: str) -> ToolCall:
    if shape.type != "function" or shape.function is None:
        raise Untranslatable("Only calls of functions have an equivalent.", param=f"{where}.type")
    return ToolCall(shape.id, shape.function.name, shape.function.arguments)


def _content(message: ChatMessage, where: str) -> list[Part]:
    content = message.content
    if content is None:
        raise InvalidRequest("The field content is missing.", param=f"{where}.content")
    if isinstance(content, str):
        return [Text(content)]
    return [_part(part, f"{where}.content[{place}]") for place, part in enumerate(content)]


def _part(part: ContentPart, where: str) -> Part:
    cache = _cache_ttl(part.cache_control, part.prompt_cache_breakpoint)
    if part.type == "text" and part.text is not None:
        return Text(part.text, cache)
    if part.type == "refusal" and part.refusal is not None:
        return Refusal(part.refusal)
    if part.type == "image_url" and part.image_url is not None:
        image = part.image_url
        url, detail = (image, None) if isinstance(image, str) else (image.url, image.detail)
        inline = read_data_url(url, f"{where}.image_url.url")
        if inline is None:
            return Media("image", url=url, detail=detail, cache_ttl_s=cache)
        return Media("image", *inline, detail=detail, cache_ttl_s=cache)
    if part.type == "input_audio" and part.input_audio is not None:
        media_type = _AUDIO.get(part.input_audio.format)
        if media_type is None:
            raise InvalidRequest("format must be wav or mp3.", param=f"{where}.input_audio.format")
        return Media("audio", media_type, part.input_audio.data, cache_ttl_s=cache)
    if part.type == "file" and part.file is not None:
        return _file(part, where, cache)
    raise Untranslatable("This kind of content has no equivalent.", param=f"{where}.type")


def _file(part: ContentPart, where: str, cache: int | None) -> Media:
    file = part.file
    if file is None or file.file_id is not None:
        raise Untranslatable(
            "A file uploaded elsewhere cannot be reached; send file_data.",
            param=f"{where}.file.file_id",
        )
    inline = read_data_url(file.file_data or "", f"{where}.file.file_data")
    if inline is None:
        raise Untranslatable(
            "file_data must be a data URL with a media type.", param=f"{where}.file.file_data"
        )
    return Media("document", *inline, name=file.filename, cache_ttl_s=cache)


def _cache_ttl(control: CacheControl | None, point: CacheBreakpoint | None = None) -> int | None:
    """An hour where one was asked for. OpenAI's are 30 minutes and more: an hour is the nearest."""
    if control is not None:
        return 3600 if control.ttl == "1h" else 300
    return 3600 if point is not None else None


# --- everything besides the messages --------------------------------------------------------------


def _tool(tool: ToolShape) -> Tool:
    function = tool.function
    if tool.type != "function" or function is None:
        raise Untranslatable("Only tools of type function have an equivalent.", param="tools.type")
    return Tool(
        function.name,
        function.description,
        function.parameters,
        function.strict,
        _cache_ttl(tool.cache_control),
    )


def _tool_choice(request: ChatRequest) -> ToolChoice | None:
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if choice is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if isinstance(choice, str):
        mode = _MODES.get(choice)
        if mode is None:
            raise InvalidRequest("tool_choice must be auto, none or required.", param="tool_choice")
        return ToolChoice(mode, parallel=parallel)
    if choice.type != "function" or choice.function is None:
        raise Untranslatable("This choice of tools has no equivalent.", param="tool_choice")
    return ToolChoice("tool", choice.function.name, parallel)


def _output_format(request: ChatRequest) -> OutputFormat | None:
    asked = request.response_format
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return OutputFormat("json")
    schema = asked.json_schema
    if asked.type != "json_schema" or schema is None:
        raise Untranslatable("This format has no equivalent.", param="response_format")
    return OutputFormat(
        "json_schema", schema.name, schema.schema, schema.strict, schema.description
    )


def _reasoning(request: ChatRequest) -> Reasoning | None:
    """One wish out of five providers' fields. OpenAI's effort `none` switches reasoning off."""
    wish = request.reasoning
    effort = request.reasoning_effort
    enabled = request.enable_thinking
    budget = request.thinking_budget
    include = None
    if wish is not None:
        effort = wish.effort if effort is None else effort
        enabled = wish.enabled if enabled is None else enabled
        budget = wish.max_tokens if budget is None else budget
        include = None if wish.exclude is None else not wish.exclude
    if request.thinking is not None:
        enabled = request.thinking.type != "disabled"
    if effort == "none":
        effort, enabled = None, False
    said = (enabled, effort, budget, include)
    if all(value is None for value in said):
        return None
    return Reasoning(enabled, effort, budget, include_thoughts=include)
