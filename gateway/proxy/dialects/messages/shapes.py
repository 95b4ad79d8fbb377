"""The request of Anthropic's Messages as structs: the table of what translation understands.

Source: Anthropic API reference, "Create a Message", as the types of its SDK 2.11 state it. A field
stands in one of three places: it is read (request_reader.py says into what), or it is in DROPPED,
or in REFUSED. A field that is in none of them is unknown and refused. So are the tools that run at
Anthropic, whose blocks no other provider knows.
"""

from typing import Any

import msgspec

from gateway.proxy.dialects.decoding import RequestStruct

# Read and left out, because the answer does not depend on it, or may be given without it.
DROPPED = {
    "metadata": "names the client's own user; nothing of a client's identity goes upstream",
    "session_id": "tells this gateway which requests belong together",
    "cache_control": "asks to cache the longest prefix; costs only",
    "diagnostics": "asks why a cache was missed",
    "context_management": "trims old turns from a long context; the whole context is sent",
    "anthropic_version": "names the form of the request at Bedrock",
    "anthropic_beta": "names betas at Bedrock; each beta's own fields are looked at themselves",
}

# Refused unless it says what the provider does anyway: field -> values that say nothing.
REFUSED: dict[str, tuple[object, ...]] = {
    "container": (None,),
    "inference_geo": (None,),  # where data may go is not ours to ignore
    "mcp_servers": (None, []),
    "speed": (None, "standard"),
    "user_profile_id": (None,),
    "workspace_id": (None,),
}


class CacheControl(RequestStruct):
    """A breakpoint; `ttl` is 5m or 1h, `scope` who shares the cache."""

    type: str = "ephemeral"
    ttl: str | None = None
    scope: Any = None


class Source(RequestStruct):
    """Where a picture or document is: base64, url, text, or content and file, which are refused."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: Any = None


class Citations(RequestStruct):
    """Whether the answer shall cite a document."""

    enabled: bool | None = None


class Block(RequestStruct):
    """A content block; `type` says which of the others are there."""

    type: str
    cache_control: CacheControl | None = None
    text: str | None = None
    # image and document; an answer's text has a list of citations, which an echo brings back
    source: Source | None = None
    title: str | None = None
    context: str | None = None
    citations: Citations | list[Any] | None = None
    transformations: Any = None
    # tool_use and tool_result
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")
    caller: Any = None
    toolset_name: str | None = None
    tool_use_id: str | None = None
    content: "str | list[Block] | None" = None
    is_error: bool | None = None
    # thinking and redacted_thinking
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class MessageShape(RequestStruct):
    """One turn; `system` may stand among the turns."""

    role: str
    content: str | list[Block]


class ToolShape(RequestStruct):
    """A tool of the client's own."""

    name: str
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    cache_control: CacheControl | None = None
    strict: bool | None = None
    eager_input_streaming: Any = None  # when pieces come, not which
    input_examples: list[Any] | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None


class ToolChoiceShape(RequestStruct):
    """auto, any, tool or none."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(RequestStruct):
    """enabled with a budget, adaptive, or disabled; `display` is summarized or omitted."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class Format(RequestStruct):
    """The schema of a structured answer."""

    type: str
    schema: dict[str, Any] | None = None


class OutputConfig(RequestStruct):
    """How much effort, and the answer's form."""

    effort: str | None = None
    format: Format | None = None


class MessagesRequest(RequestStruct):
    """The whole body."""

    messages: list[MessageShape]
    model: str = ""
    max_tokens: int | None = None
    system: str | list[Block] | None = None
    tools: list[ToolShape] | None = None
    tool_choice: ToolChoiceShape | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None  # the name of output_config.format while it was a beta
    service_tier: str | None = None
    # DROPPED
    metadata: Any = None
    session_id: Any = None
    cache_control: Any = None
    diagnostics: Any = None
    context_management: Any = None
    anthropic_version: Any = None
    anthropic_beta: Any = None
    # REFUSED
    container: Any = None
    inference_geo: Any = None
    mcp_servers: Any = None
    speed: Any = None
    user_profile_id: Any = None
    workspace_id: Any = None


REQUEST = msgspec.json.Decoder(MessagesRequest)
