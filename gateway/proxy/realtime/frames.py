"""What the frames of a realtime session mean to the meter; their content is never kept.

Sources: OpenAI API reference, "Realtime: client events, server events"; "Realtime: managing costs"
(the caller's audio is a token each 100 ms, the model's each 50 ms; PCM is 24 kHz, 16 bits).
"""

from typing import Any

import msgspec

from gateway.platform.metering.modal import ModalTokens, read_modal
from gateway.proxy.dialects.unserved import refusal, refuse_tools

INPUT_BYTES_PER_TOKEN = 4_800
OUTPUT_BYTES_PER_TOKEN = 2_400
TEXT_CHARS_PER_TOKEN = 4  # of what was cut off before its usage came
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


class ClientFrame(msgspec.Struct):
    """What is read of a client's event."""

    type: str = ""
    audio: str = ""
    session: Any = None
    response: Any = None


class _Response(msgspec.Struct):
    usage: Any = None


class ServerFrame(msgspec.Struct):
    """What is read of a provider's event."""

    type: str = ""
    delta: Any = None
    usage: Any = None
    response: _Response | None = None


_client = msgspec.json.Decoder(ClientFrame)
_server = msgspec.json.Decoder(ServerFrame)


def read_client(text: str) -> ClientFrame | None:
    """A client's event; None for what is none."""
    try:
        return _client.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def read_server(text: str) -> ServerFrame:
    """A provider's event; one that cannot be read says nothing."""
    try:
        return _server.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ServerFrame()


def changes_model(frame: ClientFrame, model: str) -> bool:
    """Whether a client asks for another model than the one that is priced and held for."""
    session = frame.session
    return isinstance(session, dict) and session.get("model", model) != model


def refuse_unserved(frame: ClientFrame) -> None:
    """Refuse what a session may not ask either: see `dialects.unserved`. Raises FieldNotServed."""
    for name, asked in (("session", frame.session), ("response", frame.response)):
        if not isinstance(asked, dict):
            continue
        refuse_tools("realtime", asked.get("tools"), f"{name}.tools")
        if asked.get("prompt") is not None:
            raise refusal("Prompts kept at the provider are not served.", f"{name}.prompt")


class Turn:
    """What has passed since the last charge: reported usage, and an estimate for the rest."""

    __slots__ = ("_audio_in", "_audio_out", "_text_out", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit  # tokens a report may name at most
        self._audio_in = self._audio_out = self._text_out = 0

    def sent(self, frame: ClientFrame) -> None:
        """A client's event has gone to the provider."""
        if frame.type == "input_audio_buffer.append":
            self._audio_in += len(frame.audio) * 3 // 4

    def received(self, frame: ServerFrame) -> ModalTokens | None:
        """The tokens to charge now that this event came; None: go on."""
        kind, delta = frame.type, frame.delta
        if kind == "response.done":
            report = frame.response.usage if frame.response is not None else None
            if report is None:
                report = frame.usage
            return self._taken(read_modal(report, limit=self.limit))
        if kind == TRANSCRIBED:
            return _transcribed(frame.usage, self.limit)
        if isinstance(delta, str) and kind.startswith("response."):
            if kind.endswith("audio.delta"):
                self._audio_out += len(delta) * 3 // 4
            else:
                self._text_out += len(delta)
        return None

    def _taken(self, reported: ModalTokens | None) -> ModalTokens:
        estimated = self.estimate()
        self._audio_in = self._audio_out = self._text_out = 0
        return estimated if reported is None else reported

    def estimate(self) -> ModalTokens:
        """What passed without a report, by its size; nothing where the model had not answered."""
        if not self._audio_out and not self._text_out:
            return ModalTokens()
        heard = -(-self._audio_in // INPUT_BYTES_PER_TOKEN)
        text = -(-self._text_out // TEXT_CHARS_PER_TOKEN)
        return ModalTokens((0, heard, 0), (0, 0, 0), (text, self._spoken(), 0))

    def _spoken(self) -> int:
        return -(-self._audio_out // OUTPUT_BYTES_PER_TOKEN)


def _transcribed(usage: Any, limit: int) -> ModalTokens:
    """A transcript of the caller's audio, made by a model of the provider's beside the session's.

    It reports tokens or seconds; seconds count as ten tokens of audio each.
    """
    tokens = read_modal(usage, limit=limit, unnamed_input="audio")
    if tokens is not None:
        return tokens
    seconds: Any = usage.get("seconds") if isinstance(usage, dict) else None
    if type(seconds) not in (int, float) or not 0 <= seconds <= 24 * 3600:
        return ModalTokens()
    return ModalTokens((0, round(seconds * 10), 0))
