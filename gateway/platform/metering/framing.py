"""What a provider adds around the texts of a prompt: the chat format, tools and images.

Two ways of counting a prompt. `framed_prompt_tokens` is for the request path: it takes what one
pass over the body counted. `count_prompt` takes the parsed request apart and is closer. The
constants are OpenAI's own: cookbook "How to count tokens with tiktoken" for messages and tools,
the guide "Images and vision" for images. `count_prompt` gives the counts which the cookbook shows
from the API for its worked examples, exactly (the tests); nested schemas, which it does not cover,
follow the same rules. The short way is within 4 % of the long one for messages (it does not see
names) and within 15 tokens for each small tool. Other providers frame differently, by a few tokens
a message. An upstream's own report, where it comes, is what is billed.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gateway._native import tokens

TOKENS_PER_MESSAGE = 3  # <|start|>role<|message|>...<|end|>, cookbook
TOKENS_PER_NAME = 1  # cookbook
REPLY_PRIMING_TOKENS = 3  # every reply is primed with <|start|>assistant<|message|>, cookbook
TOKENS_PER_TOOL = 18  # the short way's part for a tool of two properties, see the tests
TOKENS_PER_TOOLS = 12  # once, cookbook (`func_end`)
UNKNOWN_IMAGE_PX = 1024  # an image named by an address is taken for a square of this side

_FRAMED = frozenset(("chat", "responses", "messages", "count_tokens", "gemini", "gemini_count"))


class ToolFormat(NamedTuple):
    """Tokens of a tool's rendering besides its texts (cookbook, `num_tokens_for_tools`)."""

    function: int
    properties: int
    property: int
    enumeration: int
    item: int
    end: int


_TOOLS_O200K = ToolFormat(7, 3, 3, -3, 3, 12)
_TOOLS_OLDER = ToolFormat(10, 3, 3, -3, 3, 12)


class Tiles(NamedTuple):
    """Tokens of an image cut in tiles of 512 px: a base, and so many a tile."""

    base: int
    tile: int


class Patches(NamedTuple):
    """Tokens of an image cut in patches of 32 px: at most `most`, times a factor in hundredths."""

    most: int
    percent: int


# Guide "Images and vision", section "Calculating costs"; the longest prefix of the name wins.
IMAGE_RULES: dict[str, Tiles | Patches] = {
    "gpt-4o": Tiles(85, 170),
    "gpt-4.1": Tiles(85, 170),
    "gpt-4.5": Tiles(85, 170),
    "gpt-4o-mini": Tiles(2833, 5667),
    "gpt-4.1-mini": Patches(1536, 162),
    "gpt-4.1-nano": Patches(1536, 246),
    "o1": Tiles(75, 150),
    "o3": Tiles(75, 150),
    "o4-mini": Patches(1536, 172),
    "gpt-5": Tiles(70, 140),
    "gpt-5-mini": Patches(1536, 162),
    "gpt-5-nano": Patches(1536, 246),
    "computer-use": Tiles(65, 129),
    "": Tiles(85, 170),
}


def framed_prompt_tokens(endpoint: str, text_tokens: int, messages: int, tools: int) -> int:
    """The prompt's tokens: those of its strings plus the format's, for endpoints with messages.

    `text_tokens` counts every string value of the messages (roles too) and tools.
    """
    if endpoint not in _FRAMED:
        return text_tokens
    framing = TOKENS_PER_MESSAGE * max(messages, 1) + REPLY_PRIMING_TOKENS
    declared = TOKENS_PER_TOOLS + TOKENS_PER_TOOL * tools if tools else 0
    return text_tokens + framing + declared


def image_tokens(model: str, width_px: int, height_px: int, *, detail: str = "auto") -> int:
    """Tokens of one image; `detail` low is the base alone where the model cuts tiles."""
    name = model.lower().rsplit("/", 1)[-1]
    rule = next(IMAGE_RULES[name[:n]] for n in range(len(name), -1, -1) if name[:n] in IMAGE_RULES)
    width, height = max(1, width_px), max(1, height_px)
    if isinstance(rule, Patches):
        patches = math.ceil(width / 32) * math.ceil(height / 32)
        return math.ceil(min(patches, rule.most) * rule.percent / 100)
    if detail == "low":
        return rule.base
    # Fit into a square of 2,048 px, then bring the shorter side down to 768 px.
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    across, down = (math.ceil(round(side * scale, 6) / 512) for side in (width, height))
    return rule.base + rule.tile * across * down


def _strings(value: object) -> Iterable[str]:
    """The texts in a message's field; parts of a list carry their text in `text`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in ("type", "image_url", "input_audio", "file", "id"):
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _images(content: object, model: str) -> int:
    found = 0
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and part.get("type") in ("image_url", "input_image"):
            image = part.get("image_url")
            detail = image.get("detail") if isinstance(image, Mapping) else part.get("detail")
            side = UNKNOWN_IMAGE_PX
            found += image_tokens(model, side, side, detail=str(detail or "auto"))
    return found


def _message_tokens(message: Mapping[str, Any], model: str, encoding: str) -> int:
    found = TOKENS_PER_MESSAGE + _images(message.get("content"), model)
    for key, value in message.items():
        found += sum(tokens.count(text, encoding) for text in _strings(value))
        found += TOKENS_PER_NAME if key == "name" else 0
    return found


def _property_tokens(schema: Mapping[str, Any], form: ToolFormat, encoding: str) -> int:
    """The properties of an object's schema, and those within them."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return 0
    found = form.properties
    for name, entry in properties.items():
        about = entry if isinstance(entry, Mapping) else {}
        described = str(about.get("description", "")).removesuffix(".")
        line = f"{name}:{about.get('type', '')}:{described}"
        found += form.property + tokens.count(line, encoding)
        if isinstance(items := about.get("enum"), list):
            found += form.enumeration
            found += sum(form.item + tokens.count(str(item), encoding) for item in items)
        found += _property_tokens(about, form, encoding)
        if isinstance(about.get("items"), Mapping):
            found += _property_tokens(about["items"], form, encoding)
    return found


def tool_tokens(tools: Iterable[Mapping[str, Any]], encoding: str) -> int:
    """Tokens of the tools' declarations, as OpenAI renders them."""
    form = _TOOLS_O200K if encoding == "o200k_base" else _TOOLS_OLDER
    found = 0
    for tool in tools:
        function = tool.get("function", tool)
        line = f"{function.get('name', '')}:{function.get('description', '').removesuffix('.')}"
        found += form.function + tokens.count(line, encoding)
        found += _property_tokens(function.get("parameters") or {}, form, encoding)
    return found + form.end if found else 0


def count_prompt(
    messages: Iterable[Mapping[str, Any]],
    tools: Iterable[Mapping[str, Any]] = (),
    *,
    model: str,
    encoding: str,
) -> int:
    """Prompt tokens of a chat request; see the module for how close that is to what is reported."""
    found = sum(_message_tokens(message, model, encoding) for message in messages)
    return found + REPLY_PRIMING_TOKENS + tool_tokens(tools, encoding)
