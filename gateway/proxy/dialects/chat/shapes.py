"""The request of OpenAI's chat completions as structs: the table of what translation understands.

Source: OpenAI API reference, "Create chat completion"; the fields of other providers that speak
this dialect are marked with the provider whose reference has them. A field stands in one of three
places: it is read (request_reader.py says into what), or it is in DROPPED, or in REFUSED. A field
that is in none of them is unknown and refused.
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.decoding import RequestStruct

# Read and left out, because the answer's text does not depend on it.
DROPPED = {
    "user": "names the client's own user; nothing of a client's identity goes upstream",
    "safety_identifier": "as `user`",
    "user_id": "as `user`",
    "session_id": "tells this gateway which requests belong together",
    "prompt_cache_key": "steers where OpenAI caches; costs only",
    "prompt_cache_options": "steers how OpenAI caches; costs only",
    "prompt_cache_retention": "steers how long OpenAI caches; costs only",
    "prediction": "makes OpenAI faster where it guesses right; the text is the same",
    "store": "keeps the answer at OpenAI for later retrieval; there is no retrieval here",
    "metadata": "labels what `store` keeps",
}

# Refused unless it says what the provider does anyway: field -> values that say nothing.
REFUSED: dict[str, tuple[object, ...]] = {
    "audio": (None,),
    "function_call": (None, "none", "auto"),
    "functions": (None, []),
    "logit_bias": (None, {}),
    "logprobs": (None, False),
    "modalities": (None, ["text"]),
    "moderation": (None,),
    "top_logprobs": (None, 0),
    "web_search_options": (None,),
}


class CacheControl(RequestStruct):
    """Anthropic's breakpoint, which OpenRouter and DashScope take in this dialect."""

    type: str = "ephemeral"
    ttl: str | None = None


class CacheBreakpoint(RequestStruct):
    """OpenAI's breakpoint."""

    mode: str = "explicit"
    ttl: str | None = None


class ImageUrl(RequestStruct):
    """An address or a data URL."""

    url: str
    detail: str | None = None


class InputAudio(RequestStruct):
    """Base64 of a sound; `format` is wav or mp3."""

    data: str
    format: str


class FileData(RequestStruct):
    """A document as a data URL, or the id of one that was uploaded before."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class ContentPart(RequestStruct):
    """A part of a message; `type` says which of the others is there."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    input_audio: InputAudio | None = None
    file: FileData | None = None
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class FunctionCall(RequestStruct):
    """`arguments` is JSON text as the model wrote it."""

    name: str = ""
    arguments: str = ""


class ToolCallShape(RequestStruct):
    """A call in an assistant's message. `index` comes from clients that echo a stream's pieces."""

    id: str = ""
    type: str = "function"
    function: FunctionCall | None = None
    index: int | None = None
    custom: Any = None
    extra_content: Any = None


class ReasoningDetail(RequestStruct):
    """OpenRouter's form of reasoning; `format` names the family that made the signature."""

    type: str
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    id: str | None = None
    index: int | None = None


class ChatMessage(RequestStruct):
    """A message of any role. The fields behind `tool_call_id` come back from echoed answers."""

    role: str
    content: str | list[ContentPart] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallShape] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None  # DeepSeek, Qwen, Moonshot
    reasoning: str | None = None  # OpenRouter
    reasoning_details: list[ReasoningDetail] | None = None  # OpenRouter
    function_call: Any = None
    audio: Any = None
    annotations: Any = None


class FunctionShape(RequestStruct):
    """A function the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolShape(RequestStruct):
    """A tool; only functions have an equal elsewhere."""

    type: str = "function"
    function: FunctionShape | None = None
    custom: Any = None
    cache_control: CacheControl | None = None


class NamedFunction(RequestStruct):
    """The function of a tool choice."""

    name: str


class ToolChoiceShape(RequestStruct):
    """One named function, or another provider's wish, which is refused."""

    type: str
    function: NamedFunction | None = None
    custom: Any = None
    allowed_tools: Any = None


class JsonSchema(RequestStruct):
    """The schema of a structured answer."""

    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class ResponseFormat(RequestStruct):
    """`text`, `json_object` or `json_schema`."""

    type: str
    json_schema: JsonSchema | None = None


class StreamOptions(RequestStruct):
    """`include_obfuscation` pads chunks against eavesdroppers; it is left out."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ReasoningShape(RequestStruct):
    """OpenRouter's reasoning object."""

    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None


class ThinkingShape(RequestStruct):
    """The switch of DeepSeek, GLM and Moonshot: `enabled` or `disabled`."""

    type: str


class ChatRequest(RequestStruct):
    """The whole body."""

    messages: list[ChatMessage]
    model: str = ""
    tools: list[ToolShape] | None = None
    tool_choice: str | ToolChoiceShape | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None  # Qwen, vLLM, OpenRouter
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning: ReasoningShape | None = None  # OpenRouter
    thinking: ThinkingShape | None = None  # DeepSeek, GLM, Moonshot
    enable_thinking: bool | None = None  # Qwen
    thinking_budget: int | None = None  # Qwen
    service_tier: str | None = None
    verbosity: str | None = None
    # DROPPED
    user: Any = None
    safety_identifier: Any = None
    user_id: Any = None
    session_id: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    prediction: Any = None
    store: Any = None
    metadata: Any = None
    # REFUSED
    audio: Any = None
    function_call: Any = None
    functions: Any = None
    logit_bias: Any = None
    logprobs: Any = None
    modalities: Any = None
    moderation: Any = None
    top_logprobs: Any = None
    web_search_options: Any = None


REQUEST = msgspec.json.Decoder(ChatRequest)
