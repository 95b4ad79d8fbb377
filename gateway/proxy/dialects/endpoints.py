"""The inference endpoints: path, dialect, and what metering needs to know of each.

Sources of paths and fields: the API references of OpenAI, Anthropic (Messages) and Google (Gemini
generateContent). Gemini's paths hold the model and the method; `find` takes them apart. A path of
KNOWN_UNSERVED exists there but not here, and answers 501 instead of passing unmetered.
"""

import re
from typing import Literal, NamedTuple
from urllib.parse import unquote_to_bytes

# Whose API an endpoint is part of: the shape of its errors, model lists and request ids.
Family = Literal["openai", "anthropic", "gemini"]


class Endpoint:
    """One POST endpoint; there is one object of each, so identity tells them apart."""

    def __init__(
        self,
        name: str,
        path: str,
        dialect: str,
        streams: bool,
        usage_option: bool,
        max_tokens_field: str,
        media: str = "",
        family: Family = "openai",
        counts: bool = False,
    ) -> None:
        self.name = name
        self.path = path
        self.dialect = dialect  # selects the native meter's table of paths
        self.streams = streams
        self.usage_option = usage_option  # takes stream_options.include_usage
        self.max_tokens_field = max_tokens_field  # what to clamp; empty: output has no length
        self.media = media  # how it is metered when not by text tokens: see `proxy.media`
        self.family = family
        self.counts = counts  # only counts the prompt, and is free

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r})"


class Place(NamedTuple):
    """What a path names: the endpoint, and for Gemini the model and whether to stream."""

    endpoint: Endpoint
    model: str | None = None
    stream: bool = False


CHAT = Endpoint("chat", "/v1/chat/completions", "chat", True, True, "max_completion_tokens")
COMPLETIONS = Endpoint("completions", "/v1/completions", "completions", True, True, "max_tokens")
EMBEDDINGS = Endpoint("embeddings", "/v1/embeddings", "embeddings", False, False, "")
RESPONSES = Endpoint("responses", "/v1/responses", "responses", True, False, "max_output_tokens")
MESSAGES = Endpoint(
    "messages", "/v1/messages", "anthropic", True, False, "max_tokens", "", "anthropic"
)
COUNT_TOKENS = Endpoint(
    *("count_tokens", "/v1/messages/count_tokens", "anthropic", False, False, ""),
    family="anthropic",
    counts=True,
)
GEMINI = Endpoint(
    *("gemini", "/v1beta/models/{m}:generateContent", "gemini", True, False, "maxOutputTokens"),
    family="gemini",
)
GEMINI_COUNT = Endpoint(
    *("gemini_count", "/v1beta/models/{m}:countTokens", "gemini", False, False, ""),
    family="gemini",
    counts=True,
)

# Amazon Bedrock's Converse: a form of providers alone, so there is no path of ours. Its usage is
# told as Anthropic's is: cached tokens beside the input, and no modalities.
CONVERSE = Endpoint("converse", "", "converse", True, False, "", family="anthropic")

# Endpoints metered by their own units; `dialect` is of no use to them.
MEDIA = tuple(
    Endpoint(name, f"/v1/{path}", "", streams, False, "", media=media)
    for name, path, streams, media in (
        ("images", "images/generations", True, "images"),
        ("image_edits", "images/edits", True, "images"),
        ("speech", "audio/speech", True, "speech"),
        ("transcriptions", "audio/transcriptions", True, "transcription"),
        ("translations", "audio/translations", False, "transcription"),
        ("moderations", "moderations", False, "moderations"),
        ("rerank", "rerank", False, "rerank"),
    )
)
# A WebSocket, which has its own door.
REALTIME = Endpoint("realtime", "/v1/realtime", "", True, False, "", media="realtime")

ENDPOINTS: dict[bytes, Endpoint] = {
    endpoint.path.encode(): endpoint
    for endpoint in (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES, COUNT_TOKENS, *MEDIA)
}
BY_NAME: dict[str, Endpoint] = {
    endpoint.name: endpoint for endpoint in (*ENDPOINTS.values(), GEMINI, GEMINI_COUNT, CONVERSE)
}
_PLACES = {path: Place(endpoint) for path, endpoint in ENDPOINTS.items()}
_METHODS = {
    b"generateContent": (GEMINI, False),
    b"streamGenerateContent": (GEMINI, True),
    b"countTokens": (GEMINI_COUNT, False),
}
_GEMINI_PATH = re.compile(rb"/v1(?:beta|alpha)?/models/([^?#]+):([A-Za-z]+)")

KNOWN_UNSERVED: tuple[bytes, ...] = tuple(
    f"/v1/{noun}".encode()
    for noun in (
        "images",
        "audio",
        "files",
        "uploads",
        "moderations",
        "batches",
        "realtime",
        "fine_tuning",
        "assistants",
        "threads",
        "vector_stores",
        "videos",
        "containers",
        "conversations",
        "evals",
        "responses/",
        "chat/completions/",
        "messages/",
    )
)


def find(path: bytes) -> Place | None:
    """The endpoint of a raw path (without its query), or None."""
    place = _PLACES.get(path)
    if place is not None:
        return place
    matched = _GEMINI_PATH.fullmatch(path)
    known = _METHODS.get(matched[2]) if matched else None
    if matched is None or known is None:
        return None
    model = unquote_to_bytes(matched[1]).decode("utf-8", "replace")
    return Place(known[0], model, known[1])


def is_unserved(path: bytes) -> bool:
    """Whether the path is known from the providers' references but not served here."""
    return path.startswith(KNOWN_UNSERVED) or _GEMINI_PATH.fullmatch(path) is not None


def family_of(path: bytes, headers: dict[bytes, bytes]) -> Family:
    """Whose client speaks, also where the path is no endpoint."""
    place = find(path)
    if place is not None:
        return place.endpoint.family
    if path.startswith((b"/v1beta/", b"/v1alpha/")) or b"x-goog-api-key" in headers:
        return "gemini"
    if b"anthropic-version" in headers or path.startswith(b"/v1/messages"):
        return "anthropic"
    return "openai"
