"""What watches a media answer pass: whole bodies, event streams, and audio as it comes.

They answer the questions of the native meters that the attempt and its phases ask; tokens are not
counted here. Of an event stream the last event that says the answer is complete is withheld, and
of audio the last piece, until the charge is durable.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.proxy.dialects.sse_reader import SseReader

COMPLETE = (
    b"image_generation.completed",
    b"image_edit.completed",
    b"speech.audio.done",
    b"transcript.text.done",
)


class _Answer(msgspec.Struct):
    """What is read of a whole JSON answer; long strings in it are skipped, never decoded."""

    usage: Any = None
    error: Any = None
    meta: Any = None
    duration: Any = None
    data: list[msgspec.Raw] | None = None
    size: Any = None
    quality: Any = None


class _Event(msgspec.Struct):
    """What is read of an event."""

    type: str = ""
    usage: Any = None
    error: Any = None
    size: Any = None
    quality: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode
_decode_event = msgspec.json.Decoder(_Event).decode


class MediaMeter:
    """What the three have in common, for those who ask the native meters the same."""

    tokens = 0
    reasoning_tokens = 0
    done = False  # the framing's end is the end
    truncated = False

    def __init__(self) -> None:
        self.report: Any = None  # the usage object
        self.searches: Any = None
        self.duration_s: Any = None
        self.images = 0
        self.quality = ""
        self.size = ""
        self.error: bytes | None = None
        self.output_seen = False
        self.finish_seen = False
        self.too_large = False
        self.malformed = False
        self.scrub: Callable[[bytes], bytes] | None = None  # what an error's words go through

    def finish(self) -> int:
        """Nothing more comes."""
        return 0

    @property
    def usage(self) -> Any:
        """The usage object, where one came."""
        return self.report

    def _drawn(self, found: Any) -> None:
        self.size = found.size if isinstance(found.size, str) else self.size
        self.quality = found.quality if isinstance(found.quality, str) else self.quality


class WholeAnswer(MediaMeter):
    """An answer in one body: JSON, or the text of a transcript."""

    def __init__(self, *, json: bool) -> None:
        super().__init__()
        self._json = json
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Keep some of the body; it is kept by the attempt anyway, so this costs no copy."""
        self._pieces.append(data)

    def finish(self) -> int:
        """The body is whole: read it."""
        body, self._pieces = b"".join(self._pieces), []
        if not body:  # read before, or nothing came
            return 0
        if not self._json:
            self.output_seen = True
            return 0
        try:
            found = _decode_answer(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self.malformed = True
            return 0
        if found.error is not None:
            self.error = _encode(found.error)
        self.output_seen = found.error is None
        self.report, self.duration_s = found.usage, found.duration
        self.images = len(found.data or ())
        self._drawn(found)
        billed = found.meta.get("billed_units") if isinstance(found.meta, dict) else None
        if isinstance(billed, dict):
            self.searches = billed.get("search_units")
        return 0


class EventAnswer(MediaMeter):
    """An event stream; each event passes as soon as it is whole."""

    def __init__(self, max_event_bytes: int) -> None:
        super().__init__()
        self._reader = SseReader(max_event_bytes)
        self._held = b""

    def feed(self, data: bytes) -> bytes | None:
        """The events that go to the client now."""
        out = []
        for name, value in self._reader.feed(data):
            event = _written(name, value)
            if value == b"[DONE]" or self._read(value):
                self._held += event
            else:
                if self.error is not None and self.scrub is not None:
                    event = self.scrub(event)
                out += [self._held, event] if self._held else [event]
                self._held = b""
        self.too_large = self._reader.too_large
        return b"".join(out) or None

    def _read(self, value: bytes) -> bool:
        """Note what an event says; True for the one that completes the answer."""
        try:
            found = _decode_event(value)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return False
        if found.error is not None or found.type == "error":
            self.error = _encode(found.error)
            return False
        self.output_seen = True
        if found.type.encode() not in COMPLETE:
            return False
        self.finish_seen = True
        self.report = found.usage
        self.images = 1
        self._drawn(found)
        return True

    def take_tail(self) -> bytes:
        """What was withheld."""
        held, self._held = self._held, b""
        return held


class AudioAnswer(MediaMeter):
    """Audio, as it comes. One piece stays behind, so that an end is never seen uncharged."""

    def __init__(self) -> None:
        super().__init__()
        self._held = b""

    def feed(self, data: bytes) -> bytes | None:
        """The piece before this one."""
        if data:
            self.output_seen = self.finish_seen = True
        out, self._held = self._held, bytes(data)
        return out or None

    def take_tail(self) -> bytes:
        """The last piece."""
        held, self._held = self._held, b""
        return held


def _written(name: bytes, data: bytes) -> bytes:
    head = b"event: " + name + b"\n" if name else b""
    return head + b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"
