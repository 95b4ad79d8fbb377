"""Meters a provider's event stream as it passes."""

from collections.abc import Callable

from gateway._native.jsonscan import Meter
from gateway._native.tokens import Counter

class StreamMeter(Meter):
    """Meters one streamed answer, and says which bytes the client gets now.

    dialect: chat, completions, responses, anthropic or gemini. The bytes that feed() returns and
    those withheld are together the upstream's own, in order, less usage events removed.

    remove_usage: the chunk of chat and completions with a usage object and `choices: []` is removed
    whole, with its comments and blank line, unless it is over 16 KiB long.
    The end is withheld: from the start of the event whose data starts with [DONE] (chat,
    completions), of response.completed, .incomplete or .failed (responses), of message_stop
    (anthropic). A Gemini stream has no such event: nothing of it is withheld. Should a terminal
    event reveal itself only after 16 KiB, or after it named a harmless type, it is withheld from
    that point on. Of what follows it 64 KiB are kept.
    scrub: what is forwarded or taken from an event with an error on goes through it. An unfinished
    event in which an error has begun is withheld, up to 16 KiB of it.
    Raises ValueError for an unknown dialect, and from feed() whatever counter_factory raises.
    """

    scrub: Callable[[bytes], bytes] | None

    def __init__(
        self,
        dialect: str,
        counter_factory: Callable[[], Counter],
        *,
        remove_usage: bool,
        max_event_bytes: int = 16777216,
        max_choices: int = 128,
    ) -> None: ...
    def feed(self, data: bytes) -> bytes | None:
        """The bytes to send to the client now, None for none; often `data` itself, uncopied."""
    def take_tail(self) -> bytes:
        """Release what is withheld: the terminal event and what followed, or at the upstream's end
        the beginning of an unfinished event."""
    def finish(self) -> int:
        """End the stream; the tokens of all texts. Sets `truncated`. Call it once the upstream has
        ended or is given up; an unfinished last event whose JSON is whole is read as well."""
    @property
    def held(self) -> bytes:
        """A copy of what is withheld."""
    @property
    def done(self) -> bool:
        """True once the terminal event was received whole (its usage is then known); at finish()
        also when only its blank line is missing."""
    @property
    def ending(self) -> bool:
        """True once the terminal event was recognised: from here on all is withheld."""
    @property
    def events(self) -> int:
        """Events that had data."""
    @property
    def malformed_events(self) -> int:
        """Events whose data is neither valid JSON nor [DONE]; they are passed all the same."""
    @property
    def too_large(self) -> bool:
        """True once an event passed max_event_bytes: the rest is dropped, end the stream."""
    @property
    def truncated(self) -> bool:
        """True after finish() when bytes stood after the last blank line."""
