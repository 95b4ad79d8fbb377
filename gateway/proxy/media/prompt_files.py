"""The files inside a prompt of any dialect, and what they may cost at most.

Walks the request's JSON for the members in which the dialects carry files (chat `image_url`,
`input_audio`, `file`; Responses `input_image`, `input_file`; Messages `source`; Gemini
`inlineData`, `fileData`), whatever stands around them. Only for requests that have such members. A
file is looked at as far as its size is written; nothing of it is kept.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.platform.metering.files import audio_bound, document_bound, image_bound
from gateway.platform.metering.pictures import size_px
from gateway.proxy.media.audio import duration_ms

HEAD_CHARS = 512 * 1024  # of base64: a picture's size stands behind what a camera wrote first
_decode = msgspec.json.Decoder().decode


class FileTokens(NamedTuple):
    """At most so many tokens of documents, pictures and sound."""

    text: int = 0
    image: int = 0
    audio: int = 0


class File(NamedTuple):
    """A file in a request: base64 where it was sent along, else empty."""

    kind: str  # image, audio, document
    media_type: str = ""
    data: str = ""
    detail: str = "auto"


NONE = FileTokens()


def files_bound(body: bytes, models: Sequence[str], context_tokens: int) -> FileTokens:
    """The most that the files of a request may cost, whichever of the models serves it."""
    try:
        found = list(_files(_decode(body)))
    except (ValueError, RecursionError):
        return NONE
    text = image = audio = 0
    for file in found:
        if file.kind == "image":
            size = size_px(_bytes(file.data[:HEAD_CHARS])) if file.data else None
            image += max(image_bound(model, size, file.detail) for model in models)
        elif file.kind == "audio":
            length = duration_ms(memoryview(_bytes(file.data))) if file.data else None
            audio += (
                context_tokens
                if length is None
                else max(audio_bound(model, length) for model in models)
            )
        else:
            data = _bytes(file.data) if file.data else None
            bounds = [document_bound(model, data, file.media_type) for model in models]
            text += max(context_tokens if one is None else one for one in bounds)
    return FileTokens(*(min(each, context_tokens) for each in (text, image, audio)))


def _bytes(data: str) -> bytes:
    """What base64 holds; a text that is none of it, as it stands."""
    plain = data.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain[: len(plain) // 4 * 4])
    except (binascii.Error, ValueError):
        return data.encode()


def _files(value: Any) -> Iterator[File]:
    if isinstance(value, list):
        for item in value:
            yield from _files(item)
    elif isinstance(value, dict):
        file = _file(value)
        if file is not None:
            yield file
            return
        for item in value.values():
            yield from _files(item)


def _file(part: dict[str, Any]) -> File | None:
    """The file that an object is or wraps."""
    kind = str(part.get("type") or "")
    if "image_url" in part:
        return _picture(part)
    if "input_audio" in part:
        sound = part["input_audio"]
        said = sound if isinstance(sound, dict) else {}
        return File("audio", f"audio/{said.get('format')}", _text(said.get("data")))
    if "file_data" in part or "file_url" in part:
        media_type, data = _split(_text(part.get("file_data")))
        return File("document", media_type, data)
    if kind in ("image", "document") and isinstance(part.get("source"), dict):
        source = part["source"]
        if source.get("type") in ("text", "content"):
            return None  # its words were counted, its pictures are inside
        return File(kind, _text(source.get("media_type")), _text(source.get("data")))
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        if isinstance(part.get(name), dict):
            return _blob(part[name])
    return None


def _picture(part: dict[str, Any]) -> File:
    where = part["image_url"]
    inner = where if isinstance(where, dict) else {"url": where}
    detail = inner.get("detail") or part.get("detail") or "auto"
    media_type, data = _split(_text(inner.get("url")))
    return File("image", media_type, data, str(detail))


def _blob(blob: dict[str, Any]) -> File:
    media_type = _text(blob.get("mimeType") or blob.get("mime_type")).lower()
    kind = media_type.partition("/")[0]
    kind = kind if kind in ("image", "audio") else "document"
    return File(kind, media_type, _text(blob.get("data")))


def _split(url: str) -> tuple[str, str]:
    """Media type and base64 of a data URL; nothing of another address."""
    if not url.startswith("data:"):
        return "", ""
    head, _, data = url[5:].partition(",")
    return head.partition(";")[0].lower(), data


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
