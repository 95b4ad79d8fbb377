"""Meters JSON as it passes: a provider's whole answer, and a caller's request."""

from collections.abc import Callable

from gateway._native.tokens import Counter

class Meter:
    """What a stream and a body have in common. All counts are of our own counter, in tokens.

    One counter per choice is made by `counter_factory` when its first text comes; choices numbered
    max_choices and up share the last one. A change between kinds of text (content, reasoning,
    refusal, a tool's name, its input, a transcript) is a boundary: tokens never span it.
    """

    @property
    def tokens(self) -> int:
        """Tokens decided so far over all choices."""
    @property
    def reasoning_tokens(self) -> int:
        """Those of `tokens` that were reasoning; exact after finish()."""
    @property
    def usage(self) -> bytes | None:
        """The last usage object reported, as raw JSON of at most 4096 bytes."""
    @property
    def usage_start(self) -> bytes | None:
        """The usage object of Anthropic's message_start."""
    @property
    def usage_events(self) -> int:
        """How many usage objects were reported (those of message_start not counted)."""
    @property
    def usage_overflow(self) -> bool:
        """True when a usage object was too long to be kept, and so is not in `usage`."""
    @property
    def error(self) -> bytes | None:
        """The last error reported, as raw JSON; one longer than 4096 bytes is cut."""
    @property
    def output_seen(self) -> bool:
        """True once any output came: text that is not empty, a tool call, audio, an image."""
    @property
    def finish_seen(self) -> bool:
        """True once a finish or stop reason that is not null came."""
    @property
    def model(self) -> str | None:
        """The first model named that is not empty and at most 128 bytes long."""
    @property
    def service_tier(self) -> str | None:
        """The service tier reported last; Anthropic's is read from its usage object."""

class BodyMeter(Meter):
    """Meters one JSON answer fed in pieces.

    dialect: chat, completions, responses, embeddings, anthropic, gemini or converse. `usage`,
    `error` and the flags are set by finish(), and only when the body is one valid JSON value.
    Raises ValueError for an unknown dialect, and from feed() whatever counter_factory raises.
    """

    def __init__(
        self, dialect: str, counter_factory: Callable[[], Counter], *, max_choices: int = 128
    ) -> None: ...
    def feed(self, data: bytes) -> None:
        """Scan the next bytes of the body; RuntimeError after finish()."""
    def finish(self) -> int:
        """End the body; the tokens of all its texts. Further calls return the same."""
    @property
    def malformed(self) -> bool:
        """True after finish() of a body that is not valid JSON."""

MODEL: int
STREAM: int
STREAM_OPTIONS: int
MAX_TOKENS: int
MAX_COMPLETION_TOKENS: int
MAX_OUTPUT_TOKENS: int
N: int
USER: int
SAFETY_IDENTIFIER: int
USER_ID: int
END_USER_ID: int
PROMPT_CACHE_KEY: int
SESSION_ID: int
CLIENT_METADATA: int
BACKGROUND: int
MODELS: int

class RequestScan:
    """What one pass over a request's body found.

    Spans are (start, end) byte offsets of the values of top-level members (or as said), None when
    absent or when the body is not valid. Of a member that comes twice the span is the last one's.
    """

    @property
    def error(self) -> str | None:
        """Why the body is not valid, and where; never a piece of it. None: valid."""
    @property
    def duplicate(self) -> str | None:
        """The first of the members below that comes twice."""
    @property
    def brace(self) -> int:
        """Offset of the root's opening brace."""
    def valid(self) -> bool:
        """Whether there is neither an error nor a duplicate."""
    def span(self, number: int) -> tuple[int, int] | None:
        """The span of a member by its number: MODEL, STREAM, ... of this module."""
    def count(self, counter: Counter) -> bool:
        """Feed the prompt's text to a counter as the scan would have, and let go of it.

        False, and nothing is fed, where it was not kept or was counted before.
        """
    @property
    def model(self) -> tuple[int, int] | None: ...
    @property
    def stream(self) -> tuple[int, int] | None: ...
    @property
    def stream_options(self) -> tuple[int, int] | None: ...
    @property
    def max_tokens(self) -> tuple[int, int] | None: ...
    @property
    def max_completion_tokens(self) -> tuple[int, int] | None: ...
    @property
    def max_output_tokens(self) -> tuple[int, int] | None: ...
    @property
    def n(self) -> tuple[int, int] | None: ...
    @property
    def user(self) -> tuple[int, int] | None: ...
    @property
    def background(self) -> tuple[int, int] | None: ...
    @property
    def models(self) -> tuple[int, int] | None: ...
    def member(self, name: str) -> tuple[int, int] | None:
        """The span of any member here by its name, or of generationConfig, generation_config or
        generateContentRequest (of a Gemini request to count tokens)."""
    def inside(self, name: str) -> tuple[int, int] | None:
        """The span of `user_id` of `metadata`, or of a maxOutputTokens, max_output_tokens,
        candidateCount, candidate_count, responseModalities or response_modalities of
        `generationConfig`."""
    @property
    def text_bytes(self) -> int:
        """UTF-8 bytes of the prompt's text, decoded."""
    @property
    def media_bytes(self) -> int:
        """Bytes of the prompt's strings that are files or addresses of files, not counted."""
    @property
    def media_parts(self) -> int:
        """How many such strings there are."""
    @property
    def watched(self) -> bool:
        """Whether a top-level member came that needs a look before the request may pass: tools,
        service_tier, previous_response_id and their like (WATCHED of requestkeys.h)."""
    @property
    def references(self) -> bool:
        """Whether the prompt has a member named file_id, fileUri, file_uri or audio."""
    @property
    def caches(self) -> bool:
        """Whether the body or anything in its prompt or tools has a cache_control."""
    @property
    def message_count(self) -> int:
        """Elements of `messages`, `input` or `contents`."""
    @property
    def tool_count(self) -> int:
        """Elements of `tools` or `functions`."""

def scan_request(
    body: bytes, count_into: Counter | None = None, keep_text: bool = False
) -> RequestScan:
    """Check a whole request body strictly (RFC 8259, UTF-8, an object, depth at most 128), find the
    members the gateway reads or edits, and feed the prompt's text to a counter in the same pass.

    The prompt's text is every string value under messages, input, contents, prompt, instructions,
    system, systemInstruction, tools and functions, each a text of its own, except files, their
    addresses and seals (members named url, data, image_url, file_data, b64_json, fileUri,
    signature, thoughtSignature, encrypted_content; see media_bytes), and outside tools except
    short labels (type, id, tool_use_id, tool_call_id, call_id, media_type, mimeType, ttl). Never
    raises because of the data. Over a body of more than 256 KiB other threads get to run
    meanwhile. `keep_text` keeps the prompt's text of a body of up to 16 KiB for `count`.
    """

def usual_usage(raw: bytes) -> tuple[int, int | None, int, int, int] | None:
    """A usage object in OpenAI's form: prompt, completion or None, cached, written to a cache,
    reasoning. Cached tokens are DeepSeek's `prompt_cache_hit_tokens` where the details have none.

    None for every other form, valid or not: escapes, other than whole numbers of up to 15 digits,
    a count given twice.
    """
