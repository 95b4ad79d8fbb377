"""Reads a request body into a `Wish`: chat, completions and responses, as the OpenAI API has them.

Types are checked as far as the sandbox reads them; everything else in the body is ignored, as a
compatible server would. Raises `Rejected` with words for the caller, never with the caller's text.
"""

from typing import Annotated, Any

import msgspec

from gateway.proxy.providers.sandbox.answer import Wish
from gateway.proxy.providers.sandbox.options import Options

MAX_CHOICES = 128
MAX_STOPS = 4

Tokens = Annotated[int, msgspec.Meta(ge=1)] | None
Content = str | list[dict[str, Any]] | None


class Rejected(ValueError):
    """The provider answers 400 with this text; `param` names the field."""

    def __init__(self, text: str, param: str | None = None) -> None:
        super().__init__(text)
        self.param = param


class _Message(msgspec.Struct):
    role: str = "user"
    content: Content = None


class _Common(msgspec.Struct):
    n: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHOICES)] | None = None
    stop: str | list[str] | None = None
    stream_options: dict[str, Any] | None = None
    seed: int | None = None


class _Chat(_Common):
    messages: list[_Message] = []
    max_tokens: Tokens = None
    max_completion_tokens: Tokens = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None


class _Completions(_Common):
    prompt: str | list[Any] | None = None
    max_tokens: Tokens = None


class _Item(msgspec.Struct):
    type: str = "message"
    role: str = ""
    content: Content = None


class _Responses(msgspec.Struct):
    input: str | list[_Item] | None = None
    max_output_tokens: Tokens = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    text: dict[str, Any] | None = None


_chat = msgspec.json.Decoder(_Chat)
_completions = msgspec.json.Decoder(_Completions)
_responses = msgspec.json.Decoder(_Responses)


def read_request(endpoint: str, body: bytes, options: Options) -> tuple[Wish, bool]:
    """The wish, and whether the stream is to report usage. Raises Rejected."""
    try:
        if endpoint == "chat":
            chat = _chat.decode(body)
            return _chat_wish(chat, options), _usage_asked(chat.stream_options)
        if endpoint == "completions":
            completions = _completions.decode(body)
            return _completions_wish(completions), _usage_asked(completions.stream_options)
        return _responses_wish(_responses.decode(body), options), True
    except msgspec.ValidationError as error:  # its text names types and fields, not values
        raise Rejected(f"The request is not valid: {error}.") from None
    except msgspec.DecodeError:
        raise Rejected("The request is not valid JSON.") from None


def _usage_asked(options: dict[str, Any] | None) -> bool:
    return bool(options) and options.get("include_usage") is True if options else False


def _chat_wish(request: _Chat, options: Options) -> Wish:
    if not request.messages:
        raise Rejected("`messages` must not be empty.", "messages")
    structured, schema = _format(request.response_format, nested=True)
    answered = request.messages[-1].role == "tool"
    maxima = [
        value for value in (request.max_completion_tokens, request.max_tokens) if value is not None
    ]
    return Wish(
        text=_last_user([(one.role, one.content) for one in request.messages]),
        choices=request.n or 1,
        max_tokens=min(maxima) if maxima else None,
        stops=_stops(request.stop),
        tools=()
        if answered
        else _tools(request.tools, request.tool_choice, options.tool, nested=True),
        structured=structured,
        schema=schema,
        seed=_seed(request.seed),
    )


def _completions_wish(request: _Completions) -> Wish:
    prompt = request.prompt
    if isinstance(prompt, list):
        if len(prompt) != 1 or not isinstance(prompt[0], str):
            raise Rejected("The sandbox takes one text as `prompt`.", "prompt")
        prompt = prompt[0]
    return Wish(
        text=prompt or "",
        choices=request.n or 1,
        max_tokens=request.max_tokens,
        stops=_stops(request.stop),
        seed=_seed(request.seed),
        reasons=False,
    )


def _responses_wish(request: _Responses, options: Options) -> Wish:
    given = request.input
    if given is None:
        raise Rejected("`input` is missing.", "input")
    items = [] if isinstance(given, str) else given
    answered = bool(items) and items[-1].type.endswith("_call_output")
    structured, schema = _format((request.text or {}).get("format"), nested=False)
    return Wish(
        text=given
        if isinstance(given, str)
        else _last_user([(one.role, one.content) for one in items]),
        max_tokens=request.max_output_tokens,
        tools=()
        if answered
        else _tools(request.tools, request.tool_choice, options.tool, nested=False),
        structured=structured,
        schema=schema,
    )


def _seed(seed: int | None) -> int:
    return abs(seed or 0) % 2**31


def _stops(stop: str | list[str] | None) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if len(stops) > MAX_STOPS:
        raise Rejected(f"At most {MAX_STOPS} stop sequences are allowed.", "stop")
    return stops


def _last_user(messages: list[tuple[str, Content]]) -> str:
    """The text of the last message of the user; parts are joined, other media left out."""
    for role, content in reversed(messages):
        if role == "user" and content is not None:
            if isinstance(content, str):
                return content
            texts = (part.get("text") for part in content)
            return "".join(text for text in texts if isinstance(text, str))
    return ""


def _format(format: Any, *, nested: bool) -> tuple[bool, Any]:
    """Whether structured output is asked for, and its schema (None: any object)."""
    if not isinstance(format, dict):
        return False, None
    if format.get("type") == "json_object":
        return True, None
    if format.get("type") != "json_schema":
        return False, None
    holder = format.get("json_schema") if nested else format
    schema = holder.get("schema") if isinstance(holder, dict) else None
    if not isinstance(schema, dict):
        raise Rejected("The response format has no schema.", "response_format")
    return True, schema


def _tools(
    tools: list[dict[str, Any]] | None, choice: Any, wanted: int, *, nested: bool
) -> tuple[tuple[str, Any], ...]:
    """The functions to call: those the option or `tool_choice` asks for, with their schemas."""
    functions: dict[str, Any] = {}
    for tool in tools or ():
        function = tool.get("function") if nested else tool
        if tool.get("type", "function") == "function" and isinstance(function, dict):
            name = function.get("name")
            if not isinstance(name, str) or not name:
                raise Rejected("A tool has no name.", "tools")
            functions[name] = function.get("parameters")
    if choice == "none" or not functions:
        return ()
    if isinstance(choice, dict):
        named = choice.get("function") if nested else choice
        name = named.get("name") if isinstance(named, dict) else None
        if name not in functions:
            raise Rejected("`tool_choice` names no tool of the request.", "tool_choice")
        return ((name, functions[name]),)
    if choice == "required":
        wanted = max(wanted, 1)
    return tuple(functions.items())[:wanted]
