"""What a request to a media endpoint asks for, read from JSON or a form; checked and bounded.

Sources: OpenAI API reference (Images, Audio, Moderations); Cohere and Jina, "Rerank". Only what
is metered or decides the form of the answer is read; the rest is the provider's to judge.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway._native.jsonscan import RequestScan, scan_request
from gateway._native.tokens import Counter
from gateway.base.errors import InvalidRequest, UnsupportedMedia
from gateway.proxy.dialects.endpoints import Endpoint
from gateway.proxy.media.audio import duration_ms
from gateway.proxy.media.form import Form, boundary_of, parse_form

MAX_MODEL_CHARS = 256
MAX_IMAGES = 16
MAX_SPEECH_CHARS = 1_000_000
MAX_DOCUMENTS = 10_000
DOCUMENTS_PER_SEARCH = 100  # Cohere, "How does pricing work": one query, up to 100 documents
_MEDIA_TYPE = re.compile(rb"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}")
_FORMS = ("image_edits", "transcriptions", "translations")


@dataclass(slots=True)
class MediaRequest:
    """One request, in the units its endpoint is metered by. `texts` are what has tokens."""

    endpoint: str
    kind: str
    model: str
    stream: bool = False
    form: Form | None = None
    scan: RequestScan | None = field(default=None, repr=False)
    texts: tuple[str, ...] = field(default=(), repr=False)
    text_repeats: int = 1  # a reranker reads the first of `texts` once for each document
    images: int = 0
    quality: str = ""
    size: str = ""
    input_images: int = 0
    characters: int = 0
    audio_ms: int = 0
    searches: int = 0
    answer_type: bytes = b"application/json"  # set when the answer's head has come

    @property
    def relays_bytes(self) -> bool:
        """Whether the answer is audio, passed on as it comes and not as events."""
        is_json = self.answer_type.startswith(b"application/json")
        return self.kind == "speech" and not self.stream and not is_json

    def shown_type(self) -> bytes:
        """The answer's media type as it is passed on: a plain one, else that of unknown bytes."""
        kind = self.answer_type.partition(b";")[0].strip()
        if not _MEDIA_TYPE.fullmatch(kind):
            return b"application/octet-stream"
        return kind + b"; charset=utf-8" if kind.startswith(b"text/") else kind

    def tokens(self, encoding: str) -> tuple[int, bool]:
        """Tokens of the texts and whether the count is exact."""
        counter = Counter(encoding)
        total = 0
        for at, text in enumerate(self.texts):
            before = counter.count
            counter.feed(text)
            count = counter.finish() - before
            total += count * (self.text_repeats if at == 0 else 1)
        return total, counter.exact


class _Json(msgspec.Struct):
    """The members that are read of JSON bodies, all endpoints together."""

    model: Any = None
    stream: Any = None
    stream_format: Any = None
    n: Any = None
    prompt: Any = None
    input: Any = None
    size: Any = None
    quality: Any = None
    query: Any = None
    documents: Any = None


_decode = msgspec.json.Decoder(_Json).decode


def read_request(endpoint: Endpoint, content_type: bytes, body: bytes) -> MediaRequest:
    """Read a body. Raises InvalidRequest or UnsupportedMedia. Long bodies: call off the loop."""
    if endpoint.name in _FORMS:
        boundary = boundary_of(content_type)
        if boundary is None:
            raise UnsupportedMedia("Send the body as multipart/form-data.")
        form = parse_form(body, boundary)
        fields = _Json(**{n: form.text(n) for n in ("model", "stream", "n", "size", "quality")})
        request = _common(endpoint, fields, form)
        request.form = form
        _read_form(request, form)
        return request
    media = content_type.partition(b";")[0].strip().lower()
    if media not in (b"", b"application/json"):
        raise UnsupportedMedia("Send the body as application/json.")
    scan = scan_request(body)
    if scan.error is not None:
        raise InvalidRequest(f"The body is not valid: {scan.error}.")
    if scan.duplicate is not None:
        raise InvalidRequest(f"The field {scan.duplicate!r} is given twice.", param=scan.duplicate)
    try:
        fields = _decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidRequest("The body is not valid: a field cannot be read.") from None
    request = _common(endpoint, fields, None)
    request.scan = scan
    {
        "images": _read_images,
        "speech": _read_speech,
        "moderations": _read_moderations,
        "rerank": _read_rerank,
    }[endpoint.media](request, fields)
    return request


def _common(endpoint: Endpoint, fields: _Json, form: Form | None) -> MediaRequest:
    model = fields.model
    if not isinstance(model, str) or not 0 < len(model) <= MAX_MODEL_CHARS:
        raise InvalidRequest("`model` must be a model's name.", param="model")
    stream = fields.stream
    if form is not None:
        stream = {None: None, "true": True, "false": False}.get(stream, stream)
    if stream is not None and not isinstance(stream, bool):
        raise InvalidRequest("`stream` must be true or false.", param="stream")
    if stream and not endpoint.streams:
        raise InvalidRequest("This endpoint does not stream.", param="stream")
    return MediaRequest(endpoint.name, endpoint.media, model, bool(stream))


def _read_form(request: MediaRequest, form: Form) -> None:
    if request.kind == "images":
        pictures = form.files("image", "image[]", "mask")
        if not pictures:
            raise InvalidRequest("`image` must be a file.", param="image")
        request.input_images = len(pictures)
        request.texts = (form.text("prompt") or "",)
        _read_size(request, form.text("n") or "1", form.text("size"), form.text("quality"))
        return
    files = form.files("file")
    if len(files) != 1:
        raise InvalidRequest("`file` must be one audio file.", param="file")
    request.audio_ms = duration_ms(form.value(files[0]))
    request.texts = (form.text("prompt") or "",)


def _read_images(request: MediaRequest, fields: _Json) -> None:
    request.texts = (_text(fields.prompt, "prompt"),)
    count = 1 if fields.n is None else fields.n
    if type(count) is not int:
        raise InvalidRequest(f"`n` must be from 1 to {MAX_IMAGES}.", param="n")
    for name in ("size", "quality"):
        if not isinstance(getattr(fields, name), str | None):
            raise InvalidRequest(f"`{name}` must be text.", param=name)
    _read_size(request, str(count), fields.size, fields.quality)


def _read_size(request: MediaRequest, count: str, size: str | None, quality: str | None) -> None:
    if not (count.isascii() and count.isdigit() and len(count) < 5):
        raise InvalidRequest(f"`n` must be from 1 to {MAX_IMAGES}.", param="n")
    request.images = int(count)
    if not 1 <= request.images <= MAX_IMAGES:
        raise InvalidRequest(f"`n` must be from 1 to {MAX_IMAGES}.", param="n")
    if request.stream and request.images > 1:
        raise InvalidRequest("One image a request can be streamed.", param="n")
    request.size = (size or "")[:32]
    request.quality = (quality or "")[:32]


def _read_speech(request: MediaRequest, fields: _Json) -> None:
    text = _text(fields.input, "input")
    if len(text) > MAX_SPEECH_CHARS:
        raise InvalidRequest(f"`input` has at most {MAX_SPEECH_CHARS} characters.", param="input")
    request.characters = len(text)
    if fields.stream_format not in (None, "audio", "sse"):
        raise InvalidRequest("`stream_format` is audio or sse.", param="stream_format")
    request.stream = fields.stream_format == "sse"


def _read_moderations(request: MediaRequest, fields: _Json) -> None:
    found = fields.input if isinstance(fields.input, list) else [fields.input]
    texts = []
    for item in found:
        if isinstance(item, dict):
            kind = item.get("type")
            if kind == "image_url":
                continue
            item = item.get("text")
        texts.append(_text(item, "input"))
    request.texts = tuple(texts)


def _read_rerank(request: MediaRequest, fields: _Json) -> None:
    documents = fields.documents
    if not isinstance(documents, list) or not 0 < len(documents) <= MAX_DOCUMENTS:
        raise InvalidRequest(
            f"`documents` is a list of 1 to {MAX_DOCUMENTS} documents.", param="documents"
        )
    texts = [_text(fields.query, "query")]
    for document in documents:
        values = document.values() if isinstance(document, dict) else (document,)
        texts += [_text(value, "documents") for value in values]
    request.texts = tuple(texts)
    request.text_repeats = len(documents)
    request.searches = -(-len(documents) // DOCUMENTS_PER_SEARCH)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"`{name}` must be text.", param=name)
    return value
