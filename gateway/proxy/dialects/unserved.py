"""What no request may ask of a provider, in whichever dialect: it would pass unpriced or unowned.

Tools that run at the provider cost per use, or fetch text that was never held for; dearer tiers
cost a multiple of the price; stored answers, files and caches belong to the operator's account with
the provider, so that a caller who knows another's id could read them. All are refused by name. A
tool is let through only if it is known to run at the caller's, so that a new one is refused too.
Answers that are fetched later pass the meter by, and whom OpenRouter asks is the operator's choice,
since each provider there has a price of its own.
Sources: the API references of OpenAI (Chat, Responses), Anthropic (Messages, "Server tools", "Fast
mode", "Data residency", "Files") and Google (Tool, FileData, CachedContent; JSON members come in
camelCase and in snake_case), of xAI, DashScope and OpenRouter for searches of their own. Nothing
here knows exchanges, models or money.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gateway._native.jsonscan import RequestScan
from gateway.base.errors import FieldNotServed, InvalidRequest
from gateway.proxy.dialects.endpoints import Endpoint

OWNED = (
    ("previous_response_id", "Answers kept at the provider"),
    ("conversation", "Conversations kept at the provider"),
    ("cachedContent", "Caches kept at the provider"),
    ("cached_content", "Caches kept at the provider"),
    ("container", "Containers at the provider"),
)
RUN_THERE = (
    "web_search_options", "web_search", "search_parameters", "enable_search", "plugins",
    "mcp_servers",
)  # fmt: skip
# At most the usual price. The provider's own default is the operator's choice.
TIERS = frozenset(("auto", "default", "standard", "standard_only", "flex", "unspecified"))
_OFF: tuple[Any, ...] = (None, False, [], {"mode": "off"}, {"enable": False})

# Types of tools that run at the caller's.
_CHAT_TOOLS = ("function", "custom")
_RESPONSES_TOOLS = (
    "function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview",
)  # fmt: skip
_MESSAGES_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
_GEMINI_TOOLS = (
    "functionDeclarations", "function_declarations", "computerUse", "computer_use",
)  # fmt: skip

# Members of messages whose values are a tool's own: nothing in them is the provider's.
_TOOLS_OWN = frozenset(("input", "args", "arguments", "response"))
_FILES_HOST = "generativelanguage.googleapis.com"

_decode = msgspec.json.Decoder().decode


class _Item(msgspec.Struct):
    """What is read of an item of Responses."""

    type: Any = None
    role: Any = None
    tools: Any = None
    encrypted_content: Any = None


_items = msgspec.json.Decoder(list[_Item]).decode


def refuse_unserved(endpoint: Endpoint, body: bytes, scan: RequestScan) -> None:
    """Refuse what the module's text names. Raises FieldNotServed, InvalidRequest."""

    def said(name: str) -> Any:
        span = scan.member(name)
        return None if span is None else _read(body[span[0] : span[1]])

    if scan.watched:
        _refuse_members(said)
        if endpoint.name == "responses" and isinstance(said("prompt"), dict):
            raise refusal("Prompts kept at the provider are not served.", param="prompt")
        refuse_tools(endpoint.name, said("tools"), "tools")
    if scan.references:
        for name in ("messages", "contents", "input"):
            _refuse_references(said(name), name)
        document = _read(body)
        for name in ("prompt", "system", "systemInstruction", "system_instruction"):
            _refuse_references(document.get(name), name)


def refuse_items(body: bytes, scan: RequestScan) -> bool:
    """Refuse items of Responses that stand for others; whether reasoning came without its text.

    Raises FieldNotServed, InvalidRequest.
    """
    span = scan.member("input")
    if span is None or body[span[0] : span[0] + 1] != b"[":
        return False
    try:
        items = _items(body[span[0] : span[1]])
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidRequest("`input` must be a text or a list of items.", param="input") from None
    bare = False
    for position, item in enumerate(items):
        if item.type == "item_reference" or (item.type is None and item.role is None):
            text = "References to items kept at the provider are not served."
            raise refusal(text, param=f"input[{position}]")
        if item.tools is not None and item.type != "mcp_list_tools":
            refuse_tools("responses", item.tools, f"input[{position}].tools")
        bare = bare or (item.type == "reasoning" and not item.encrypted_content)
    return bare


def without_bare_reasoning(body: bytes, scan: RequestScan) -> bytes:
    """The request without reasoning that only an id stands for, and without the ids that need it.

    A provider would look such reasoning up by its id, whoever's it is; and it refuses an answer or
    a call that it knows by id to have come with reasoning, once that is left out.
    """
    span = scan.member("input")
    assert span is not None
    kept: list[Any] = []
    for item in _read(body[span[0] : span[1]]):
        if item.get("type") == "reasoning" and not item.get("encrypted_content"):
            continue
        if item.get("type") in ("message", "function_call", "custom_tool_call"):
            item.pop("id", None)
        kept.append(item)
    return body[: span[0]] + msgspec.json.encode(kept) + body[span[1] :]


def refuse_tools(endpoint_name: str, tools: Any, param: str) -> None:
    """Refuse tools that run at the provider. Raises FieldNotServed."""
    if isinstance(tools, dict):  # Google takes one for a list of one
        tools = [tools]
    if not isinstance(tools, list):
        return
    for position, tool in enumerate(tools):
        place = f"{param}[{position}]"
        if not isinstance(tool, dict):
            continue
        if endpoint_name == "gemini":
            for name, value in tool.items():
                if value is not None and name not in _GEMINI_TOOLS:
                    raise _runs_there(f"{place}.{name}")
        elif endpoint_name == "responses" and tool.get("type") == "namespace":
            refuse_tools(endpoint_name, tool.get("tools"), f"{place}.tools")
        elif not _runs_here(endpoint_name, tool):
            raise _runs_there(f"{place}.type")


def _runs_here(endpoint_name: str, tool: dict[str, Any]) -> bool:
    kind = tool.get("type")
    if endpoint_name == "messages":
        own = kind is None or kind == "custom"
        return own or (isinstance(kind, str) and kind.startswith(_MESSAGES_TOOLS))
    if endpoint_name == "responses":
        place = tool.get("environment")
        if kind == "shell":
            return isinstance(place, dict) and place.get("type") == "local"
        if kind == "tool_search":
            return tool.get("execution") == "client"
        return kind in _RESPONSES_TOOLS
    if endpoint_name == "realtime":
        return kind == "function"
    return kind in _CHAT_TOOLS or (kind is None and "function" in tool)


def refusal(text: str, param: str) -> FieldNotServed:
    """The error; its text names the field too, since not every dialect's errors have a place."""
    return FieldNotServed(f"`{param}`: {text}", param=param)


def _runs_there(param: str) -> FieldNotServed:
    text = "Tools that run at the provider are not served: they have no price here."
    return refusal(text, param=param)


def _refuse_members(said: Callable[[str], Any]) -> None:
    for name, what in OWNED:
        if said(name) is not None:
            raise refusal(f"{what} are not served.", param=name)
    for name in RUN_THERE:
        if said(name) not in _OFF:
            raise _runs_there(name)
    for name in ("service_tier", "serviceTier"):
        tier = said(name)
        if tier is not None and str(tier).lower().removeprefix("service_tier_") not in TIERS:
            raise refusal("A dearer tier of service has no price here.", param=name)
    if said("speed") not in (None, "standard"):
        raise refusal("A dearer speed has no price here.", param="speed")
    if said("inference_geo") not in (None, "global"):
        raise refusal("A dearer region has no price here.", param="inference_geo")
    if said("deferred") not in _OFF:
        raise refusal("Answers that are fetched later are not served.", param="deferred")
    if said("provider") not in (None, {}):
        raise refusal("Which provider answers is not the caller's choice.", param="provider")
    if _has_cache(said("extra_body")):
        raise refusal("Caches kept at the provider are not served.", param="extra_body")


def _has_cache(value: Any) -> bool:
    """Whether the part for Gemini of a Chat request names a cache: `google.cached_content`."""
    if not isinstance(value, dict):
        return False
    return any(
        name in ("cached_content", "cachedContent") or _has_cache(inner)
        for name, inner in value.items()
    )


def _refuse_references(value: Any, place: str) -> None:
    if isinstance(value, list):
        for position, inner in enumerate(value):
            _refuse_references(inner, f"{place}[{position}]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in _TOOLS_OWN:
                continue
            owned = (
                (name == "file_id" and isinstance(inner, str))
                or (name in ("fileUri", "file_uri") and _is_kept(inner))
                or (name == "audio" and isinstance(inner, dict) and inner.get("id") is not None)
            )
            if owned:
                text = "Files and answers kept at the provider are not served: send the data."
                raise refusal(text, param=f"{place}.{name}")
            _refuse_references(inner, f"{place}.{name}")


def _is_kept(uri: Any) -> bool:
    """Whether a file's address is one of the provider's own store, and not of the open web."""
    if not isinstance(uri, str):
        return False
    try:
        parts = urlsplit(uri.strip().lower())
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return True
    return parts.scheme not in ("http", "https") or host.endswith(_FILES_HOST)


def _read(raw: bytes) -> Any:
    try:
        return _decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidRequest("The body is not valid: a field cannot be read.") from None
