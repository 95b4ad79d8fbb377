"""Multipart forms (RFC 7578): parts found in a body without copying it, and written anew.

What goes to a provider is written by the gateway: its own boundary, the parts' names and values,
and of a file's name only the extension, since clients name files after people and places. Bounded:
parts, headers of a part, and the sizes of values that are read. Knows no endpoint.
"""

import re
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.base.errors import InvalidRequest

MAX_PARTS = 64
MAX_NAME_CHARS = 64
MAX_VALUE_BYTES = 64 * 1024  # of a part that is read as text
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_MEDIA_TYPE = re.compile(rb"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]+")


class Part(NamedTuple):
    """One part; `start` and `end` are the offsets of its value in the body."""

    name: str
    start: int
    end: int
    extension: str | None = None  # of a file; empty for a file without one
    media_type: bytes = b""

    @property
    def is_file(self) -> bool:
        """Whether the part came with a file's name."""
        return self.extension is not None


class Form:
    """A parsed form over its body."""

    __slots__ = ("body", "parts")

    def __init__(self, body: bytes, parts: list[Part]) -> None:
        self.body = body
        self.parts = parts

    def text(self, name: str) -> str | None:
        """A field's value, None when absent. Raises InvalidRequest when repeated or no text."""
        found = [part for part in self.parts if part.name == name]
        if not found:
            return None
        part = found[0]
        if len(found) > 1:
            raise InvalidRequest(f"The field {name!r} is given twice.", param=name)
        if part.is_file or part.end - part.start > MAX_VALUE_BYTES:
            raise InvalidRequest(f"`{name}` must be a short text.", param=name)
        try:
            return self.body[part.start : part.end].decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"`{name}` must be text in UTF-8.", param=name) from None

    def files(self, *names: str) -> list[Part]:
        """The file parts of these names, in order."""
        return [part for part in self.parts if part.is_file and part.name in names]

    def value(self, part: Part) -> memoryview:
        """A part's bytes, not copied."""
        return memoryview(self.body)[part.start : part.end]

    def render(self, boundary: str, replaced: dict[str, str]) -> bytes:
        """The form as it goes to a provider, fields of `replaced` with the value given there."""
        pieces: list[bytes | memoryview] = []
        for part in self.parts:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{part.name}"'
            if part.extension is not None:
                head += f'; filename="file{"." if part.extension else ""}{part.extension}"'
            pieces.append(head.encode())
            if part.media_type:
                pieces.append(b"\r\nContent-Type: " + part.media_type)
            value = replaced.get(part.name)
            pieces += [b"\r\n\r\n", self.value(part) if value is None else value.encode(), b"\r\n"]
        pieces.append(f"--{boundary}--\r\n".encode())
        return b"".join(pieces)


def boundary_of(content_type: bytes) -> bytes | None:
    """The boundary of a `multipart/form-data` content type; None for anything else."""
    try:
        kind, options = parse_options_header(content_type)
    except (ValueError, UnicodeError):
        return None
    boundary = options.get(b"boundary")
    if kind.lower() != b"multipart/form-data" or not boundary or len(boundary) > 70:  # RFC 2046
        return None
    return bytes(boundary)


def parse_form(body: bytes, boundary: bytes) -> Form:
    """The parts of a whole body. Raises InvalidRequest."""
    reader = _Reader()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.part_begin,
                "on_header_field": reader.header_field,
                "on_header_value": reader.header_value,
                "on_header_end": reader.header_end,
                "on_headers_finished": reader.headers_finished,
                "on_part_data": reader.part_data,
                "on_part_end": reader.part_end,
                "on_end": reader.end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise InvalidRequest("The form is malformed.") from None
    if not reader.ended:
        raise InvalidRequest("The form ends early.")
    return Form(body, reader.parts)


class _Reader:
    """The parser's callbacks. The body is written in one piece, so offsets are the body's own."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._field = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._span = (0, 0)

    def part_begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise InvalidRequest(f"A form has at most {MAX_PARTS} parts.")
        self._headers = {}
        self._span = (0, 0)

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def headers_finished(self) -> None:
        if b"content-transfer-encoding" in self._headers:
            raise InvalidRequest("Parts of a form are sent as they are, without an encoding.")

    def part_data(self, data: bytes, start: int, end: int) -> None:
        first, last = self._span
        if last and last != start:
            raise InvalidRequest("The form is malformed.")  # never seen: pieces follow one another
        self._span = (first if last else start, end)

    def part_end(self) -> None:
        try:
            kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
            name = options.get(b"name", b"").decode()
            filename = options.get(b"filename")
            shown = None if filename is None else filename.decode("utf-8", "replace")
        except (ValueError, UnicodeError):
            raise InvalidRequest("A part of the form has an unreadable name.") from None
        if kind.lower() != b"form-data" or not _NAME.fullmatch(name[: MAX_NAME_CHARS + 1]):
            raise InvalidRequest("A part of the form has no usable name.")
        extension = None
        if shown is not None:
            matched = _EXTENSION.search(shown)
            extension = matched[1].lower() if matched else ""
        media_type = self._headers.get(b"content-type", b"").partition(b";")[0].strip()
        if not _MEDIA_TYPE.fullmatch(media_type):
            media_type = b""
        self.parts.append(Part(name, *self._span, extension, media_type))

    def end(self) -> None:
        self.ended = True
