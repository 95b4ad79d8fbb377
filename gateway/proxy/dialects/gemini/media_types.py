"""The media type of a file that came without one: Gemini wants it said.

Types and names: the Gemini API guides "Image understanding", "Document understanding" and "Audio
understanding", and RFC 6838.
"""

from gateway.proxy.dialects.neutral import Media
from gateway.proxy.dialects.shapes import refuse

_BY_SUFFIX = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "wav": "audio/wav",
    "mp3": "audio/mp3",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "aac": "audio/aac",
}


def media_type_of(part: Media) -> str:
    """By the ending of the file's name or address; raises Untranslatable when that says nothing."""
    for name in (part.name, part.url):
        path = (name or "").partition("?")[0].partition("#")[0]
        found = _BY_SUFFIX.get(path.rpartition(".")[2].lower())
        if found is not None:
            return found
    return refuse("messages", "The model's provider needs the media type of every file.")
