"""Google's Gemini API (generativelanguage.googleapis.com), `generateContent` and its stream.

Source: Gemini API reference, "Generating content": the model and the method stand in the path, a
stream is asked for with `alt=sse`, the key goes in `x-goog-api-key`.
"""

from urllib.parse import quote

from gateway.platform.catalog import Target
from gateway.proxy.exchange import Exchange
from gateway.proxy.providers.http import HttpUpstream


class GeminiUpstream(HttpUpstream):
    """One provider of kind `gemini`."""

    __slots__ = ()

    def path(self, x: Exchange, target: Target) -> str:
        """The model and the method."""
        return method_path(target.model, stream=x.stream)

    def credential(self, api_key: str) -> str:
        """The key in Google's own header, never in the query."""
        return f"x-goog-api-key: {api_key}"


def method_path(model: str, *, stream: bool) -> str:
    """The path behind the API's version."""
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/models/{quote(model, safe='/')}:{method}"
