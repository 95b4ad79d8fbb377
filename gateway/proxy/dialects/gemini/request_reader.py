"""A generateContent request, read into a Conversation.

Source: Gemini API reference, "Method: models.generateContent". Field names come in camelCase or
snake_case. The body names neither model nor streaming: `model` is empty and `stream` False here,
and whoever knows the path puts them in.
"""

from typing import Any

import msgspec

from gateway.base.errors import InvalidRequest
from gateway.proxy.dialects.gemini.contents_reader import camel, read_contents, read_system
from gateway.proxy.dialects.gemini.schema import from_gemini
from gateway.proxy.dialects.neutral import (
    Conversation,
    OutputFormat,
    Reasoning,
    Tool,
    ToolChoice,
)
from gateway.proxy.dialects.shapes import decode_object, refuse, shape

_ONE_PROVIDER = "This field speaks of one provider's own service."
_REASONS = {"safetySettings": _ONE_PROVIDER, "cachedContent": _ONE_PROVIDER}
# A value that asks for nothing beyond what happens anyway is not refused.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "responseModalities": (["TEXT"], []),
    "responseLogprobs": (False,),
    "mediaResolution": ("MEDIA_RESOLUTION_UNSPECIFIED",),
    "enableEnhancedCivicAnswers": (False,),
    "audioTimestamp": (False,),
}


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    contents: list[Any]
    systemInstruction: Any = None
    tools: list[Any] = []
    toolConfig: Any = None
    generationConfig: Any = None
    # Read and dropped: see the table in the package's docstring.
    labels: Any = None
    model: Any = None
    sessionId: Any = None


class _Generation(msgspec.Struct, forbid_unknown_fields=True):
    maxOutputTokens: int | None = None
    temperature: float | None = None
    topP: float | None = None
    topK: float | None = None
    stopSequences: list[str] = []
    seed: int | None = None
    presencePenalty: float | None = None
    frequencyPenalty: float | None = None
    candidateCount: int = 1
    responseMimeType: str = "text/plain"
    responseSchema: dict[str, Any] | None = None
    responseJsonSchema: dict[str, Any] | None = None
    thinkingConfig: Any = None


class _Thinking(msgspec.Struct, forbid_unknown_fields=True):
    includeThoughts: bool = False
    thinkingBudget: int | None = None
    thinkingLevel: str | None = None


class _Function(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parametersJsonSchema: dict[str, Any] | None = None
    # Describes what the function returns, for the model's eyes; no other dialect shows it.
    response: Any = None
    responseJsonSchema: Any = None


class _Calling(msgspec.Struct, forbid_unknown_fields=True):
    mode: str = "AUTO"
    allowedFunctionNames: list[str] = []


def read_request(body: bytes) -> Conversation:
    """Raises Untranslatable naming the field that has no neutral form, or InvalidRequest."""
    data = camel(decode_object(body), "")
    for name, why in _REASONS.items():
        if data.get(name):
            refuse(name, why)
        data.pop(name, None)
    request = shape(_Request, data)
    fields = camel(request.generationConfig or {}, "generationConfig")
    for name, values in _HARMLESS.items():
        if name in fields and fields[name] in values:
            del fields[name]
    generation = shape(_Generation, fields, "generationConfig")
    system = read_system(request.systemInstruction)
    return Conversation(
        model="",
        messages=(*system, *read_contents(request.contents)),
        tools=tuple(_tools(request.tools)),
        tool_choice=_tool_choice(request.toolConfig),
        max_tokens=generation.maxOutputTokens,
        temperature=generation.temperature,
        top_p=generation.topP,
        top_k=_whole(generation.topK),
        stop=tuple(generation.stopSequences),
        seed=generation.seed,
        presence_penalty=generation.presencePenalty,
        frequency_penalty=generation.frequencyPenalty,
        choices=generation.candidateCount,
        output_format=_output_format(generation),
        reasoning=_reasoning(generation.thinkingConfig),
    )


def _whole(value: float | None) -> int | None:
    """`topK` is a float in Google's own types; no one means a fraction by it."""
    if value is None:
        return None
    if not value.is_integer():
        raise InvalidRequest("A field has the wrong value.", param="generationConfig.topK")
    return int(value)


def _tools(values: list[Any]) -> list[Tool]:
    tools: list[Tool] = []
    for number, value in enumerate(values):
        at = f"tools[{number}]"
        fields = camel(value, at)
        declared = fields.pop("functionDeclarations", [])
        for name in fields:
            refuse(f"{at}.{name}", "Only function declarations can be used with this model.")
        if not isinstance(declared, list):
            raise InvalidRequest("A field must be a list.", param=f"{at}.functionDeclarations")
        for place, function in enumerate(declared):
            tools.append(_tool(function, f"{at}.functionDeclarations[{place}]"))
    return tools


def _tool(value: Any, at: str) -> Tool:
    function = shape(_Function, camel(value, at), at)
    parameters = function.parametersJsonSchema
    if parameters is None and function.parameters is not None:
        parameters = from_gemini(function.parameters, f"{at}.parameters")
    return Tool(function.name, function.description, parameters)


def _tool_choice(value: Any) -> ToolChoice | None:
    at = "toolConfig"
    fields = camel(value or {}, at)
    calling = fields.pop("functionCallingConfig", None)
    for name in fields:
        refuse(f"{at}.{name}")
    if calling is None:
        return None
    at += ".functionCallingConfig"
    config = shape(_Calling, camel(calling, at), at)
    names = config.allowedFunctionNames
    if config.mode == "ANY" and len(names) == 1:
        return ToolChoice("tool", names[0])
    if names:
        refuse(f"{at}.allowedFunctionNames", "Only one function can be demanded of this model.")
    match config.mode:
        case "ANY":
            return ToolChoice("required")
        case "NONE":
            return ToolChoice("none")
        case "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED":
            return ToolChoice("auto")
    raise InvalidRequest("A field has the wrong value.", param=f"{at}.mode")


def _output_format(generation: _Generation) -> OutputFormat | None:
    at = "generationConfig"
    schema = generation.responseJsonSchema
    if schema is None and generation.responseSchema is not None:
        schema = from_gemini(generation.responseSchema, f"{at}.responseSchema")
    if generation.responseMimeType == "text/plain":
        if schema is not None:
            raise InvalidRequest("A schema needs the type application/json.", param=at)
        return None
    if generation.responseMimeType != "application/json":
        refuse(f"{at}.responseMimeType")
    if schema is None:
        return OutputFormat("json")
    return OutputFormat("json_schema", schema=schema)


def _reasoning(value: Any) -> Reasoning | None:
    """A budget of 0 switches thinking off, -1 leaves the amount to the model."""
    if value is None:
        return None
    at = "generationConfig.thinkingConfig"
    config = shape(_Thinking, camel(value, at), at)
    level = (config.thinkingLevel or "THINKING_LEVEL_UNSPECIFIED").lower()
    effort = None if level == "thinking_level_unspecified" else level
    budget = config.thinkingBudget
    if budget == 0:
        return Reasoning(enabled=False, include_thoughts=config.includeThoughts)
    return Reasoning(
        enabled=None if budget is None else True,
        effort=effort,
        budget_tokens=None if budget is None or budget < 0 else budget,
        include_thoughts=config.includeThoughts,
    )
