"""The neutral form: what every chat-like dialect says, in one set of values.

A dialect reads its own wire form into these values and writes them back out; no dialect knows
another. A request is a `Conversation`, a whole answer an `Answer`, a stream a sequence of `Event`s.
Invariants: values are never changed once made; `None` means "not said", which is never the same as
zero or empty; text is kept exactly as it came. Nothing here knows JSON, bytes, HTTP or money.
Sources: the API references of OpenAI (chat completions, Responses), Anthropic (Messages) and
Google (Gemini generateContent).
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

Role = Literal["system", "developer", "user", "assistant"]
# Who made an opaque signature or encrypted reasoning: only that family can read it again.
# "bedrock": of Converse, which does not say whose.
Family = Literal["openai", "anthropic", "gemini", "bedrock"]
Stop = Literal[
    "stop",  # the model was done
    "stop_sequence",  # one of the request's stop sequences came
    "length",  # the output maximum, or the context window
    "tool_calls",  # the model waits for tool results
    "content_filter",  # the provider cut the answer
    "refusal",  # the model declined
    "pause",  # a long turn was interrupted and may be resumed
]


class Struct(msgspec.Struct, frozen=True, gc=False):
    """Base of the small values."""


# --- parts of a message -----------------------------------------------------------------------


class Text(Struct, frozen=True):
    """Plain text. `cache_ttl_s`: a prompt-cache breakpoint after this part (300 or 3600)."""

    text: str
    cache_ttl_s: int | None = None


class Media(Struct, frozen=True):
    """An image, document or sound: base64 `data` or a `url`, exactly one of them.

    `media_type` may be empty for a URL; `detail` is OpenAI's low/high/auto.
    """

    kind: Literal["image", "document", "audio"]
    media_type: str = ""
    data: str | None = None
    url: str | None = None
    name: str | None = None
    detail: str | None = None
    cache_ttl_s: int | None = None


class Thinking(Struct, frozen=True):
    """Reasoning of an earlier or the present answer; `signature` is opaque and of one family.

    `redacted`: only the signature came, the text is withheld by the provider.
    """

    text: str
    signature: str | None = None
    family: Family | None = None
    redacted: bool = False


class ToolCall(Struct, frozen=True):
    """The model asks for a function. `arguments` is JSON text, kept as the model wrote it.

    A dialect with no place for a call's own signature writes it as a `Thinking` without text just
    before the call; the Gemini writer puts such a signature back on the call.
    """

    id: str
    name: str
    arguments: str
    signature: str | None = None  # Gemini signs the call itself
    family: Family | None = None
    cache_ttl_s: int | None = None


class ToolResult(Struct, frozen=True):
    """What a function returned. `name` is filled where the dialect names it (Gemini)."""

    call_id: str
    parts: "tuple[Text | Media, ...]"
    name: str | None = None
    is_error: bool = False
    cache_ttl_s: int | None = None


class Refusal(Struct, frozen=True):
    """The model's words of refusal."""

    text: str


Part = Text | Media | Thinking | ToolCall | ToolResult | Refusal


class Message(Struct, frozen=True):
    """One turn. Tool results stand in user turns, tool calls in assistant turns."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


# --- a request ----------------------------------------------------------------------------------


class Tool(Struct, frozen=True):
    """A function the model may call; `parameters` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None
    cache_ttl_s: int | None = None


class ToolChoice(Struct, frozen=True):
    """`tool` names the one function of mode "tool"; `parallel` None means not said."""

    mode: Literal["auto", "none", "required", "tool"] = "auto"
    tool: str | None = None
    parallel: bool | None = None


class OutputFormat(Struct, frozen=True):
    """How the text must look: free JSON, or JSON of a schema."""

    kind: Literal["json", "json_schema"]
    name: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class Reasoning(Struct, frozen=True):
    """How much to reason: by words or by a budget; `enabled` False switches it off."""

    enabled: bool | None = None
    effort: str | None = None  # minimal, low, medium, high, ...
    budget_tokens: int | None = None
    summary: str | None = None  # of the Responses dialect
    include_thoughts: bool | None = None


class Conversation(Struct, frozen=True):
    """A whole request. `max_tokens` is of output; penalties, seed and the like None when unsaid.

    System text stands in `messages` where it stood; a dialect with a separate place gathers it.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    choices: int = 1
    output_format: OutputFormat | None = None
    reasoning: Reasoning | None = None
    metadata: Mapping[str, str] | None = None
    service_tier: str | None = None
    verbosity: str | None = None
    include_usage: bool = False  # of the chat dialect: the client wants the usage chunk


# --- an answer ----------------------------------------------------------------------------------


class Tokens(Struct, frozen=True):
    """Usage as reported, in the one internal schema: cached tokens stand beside `input`.

    `reasoning` is a part of `output`. None: the provider did not say.
    """

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None


class Answer(Struct, frozen=True):
    """A whole answer of one choice: what the model said, in order, and why it ended."""

    parts: tuple[Text | Thinking | ToolCall | Refusal, ...]
    stop: Stop | None
    usage: Tokens | None = None
    stop_sequence: str | None = None


# --- a stream -----------------------------------------------------------------------------------


class TextDelta(Struct, frozen=True):
    """More text of the answer."""

    text: str


class ThinkingDelta(Struct, frozen=True):
    """More reasoning."""

    text: str


class SignatureDelta(Struct, frozen=True):
    """The opaque signature of the reasoning before it; `redacted` as in `Thinking`."""

    signature: str
    family: Family
    redacted: bool = False


class RefusalDelta(Struct, frozen=True):
    """More words of refusal."""

    text: str


class ToolStart(Struct, frozen=True):
    """A tool call begins. `index` numbers the answer's calls from 0, in order."""

    index: int
    id: str
    name: str
    signature: str | None = None
    family: Family | None = None


class ToolDelta(Struct, frozen=True):
    """More JSON text of a begun call's arguments. Calls may interleave (OpenAI chat)."""

    index: int
    arguments: str


class Finish(Struct, frozen=True):
    """Why the answer ended. Comes once; usage may still follow."""

    stop: Stop
    stop_sequence: str | None = None


class UsageNews(Struct, frozen=True):
    """Usage so far, whole: each replaces the one before."""

    usage: Tokens


class Failure(Struct, frozen=True):
    """The provider reported an error inside the stream; nothing of its words is kept."""


class End(Struct, frozen=True):
    """The provider's own end marker. A stream without it was cut short."""


Event = (
    TextDelta
    | ThinkingDelta
    | SignatureDelta
    | RefusalDelta
    | ToolStart
    | ToolDelta
    | Finish
    | UsageNews
    | Failure
    | End
)


# --- what a dialect offers ------------------------------------------------------------------------


class Facts(Struct, frozen=True):
    """What a writer of answers needs besides the answer itself.

    `id` is the gateway's request id, `model` the name the client asked for, `created_s` Unix time.
    """

    id: str
    model: str
    created_s: int
    include_usage: bool = True
    measured_input: int = 0  # our own count of the prompt, for dialects that open with it


class StreamReader(Protocol):
    """Turns a provider's stream into events, at any split of the bytes, in bounded memory."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        ...

    def close(self) -> list[Event]:
        """What is left to tell once the provider's stream has come to its end."""
        ...


class StreamWriter(Protocol):
    """Writes events as a stream of the client's dialect."""

    def write(self, events: list[Event]) -> bytes:
        """The bytes to send for these events; may be empty.

        Raises ResponseTooLarge when the dialect must keep more than it may, and UpstreamBadResponse
        when the events make no answer of this dialect. Nothing is written for a Failure: the
        dialect's error event is the door's.
        """
        ...


class Wire(NamedTuple):
    """The half of a dialect that speaks to providers; see `Dialect`."""

    name: str
    write_request: Callable[[Conversation], bytes]
    read_answer: Callable[[bytes], Answer]
    stream_reader: Callable[[], StreamReader]


class Dialect(NamedTuple):
    """One wire form, both ways. `name` is the endpoint's name ("chat", "messages", ...).

    `read_request` raises Untranslatable naming the field that has no neutral form, or
    InvalidRequest; `write_request` Untranslatable naming what this dialect cannot say;
    `read_answer` UpstreamBadResponse when the document is not of this dialect. Readers and writers
    of streams are made anew for each stream.
    """

    name: str
    read_request: Callable[[bytes], Conversation]
    write_request: Callable[[Conversation], bytes]
    read_answer: Callable[[bytes], Answer]
    write_answer: Callable[[Answer, Facts], bytes]
    stream_reader: Callable[[], StreamReader]
    stream_writer: Callable[[Facts], StreamWriter]
