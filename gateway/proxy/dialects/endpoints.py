"""The inference endpoints: path, dialect, and what metering needs to know of each.

Source of paths and fields: the OpenAI API reference. A path listed in KNOWN_UNSERVED exists
there but not here, and answers 501 instead of passing anything through unmetered.
"""

from typing import NamedTuple


class Endpoint(NamedTuple):
    """One POST endpoint. `dialect` selects the native meter's table of paths."""

    name: str
    path: str
    dialect: str
    streams: bool
    usage_option: bool  # takes stream_options.include_usage (Responses refuses it)
    max_tokens_field: str  # the field to clamp; empty when output has no length
    media: str = ""  # how it is metered when not by text tokens: see `proxy.media`


CHAT = Endpoint("chat", "/v1/chat/completions", "chat", True, True, "max_completion_tokens")
COMPLETIONS = Endpoint("completions", "/v1/completions", "completions", True, True, "max_tokens")
EMBEDDINGS = Endpoint("embeddings", "/v1/embeddings", "embeddings", False, False, "")
RESPONSES = Endpoint("responses", "/v1/responses", "responses", True, False, "max_output_tokens")

ENDPOINTS: dict[bytes, Endpoint] = {
    endpoint.path.encode(): endpoint for endpoint in (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES)
}

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
    )
)
