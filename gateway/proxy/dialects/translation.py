"""Which dialect an upstream is spoken to in, and the passage between two dialects.

Where a provider speaks the client's own dialect nothing here is used but `wire_of`. Otherwise a
request, an answer or a stream is read into the neutral form by the one dialect and written by the
other, event by event. Invariant: the end of a stream is written by `finish` alone, so that it can
wait for the charge; an error of the provider's never passes, it only sets `failed`. Nothing here
knows HTTP, money or providers' addresses.
"""

from msgspec.structs import replace

from gateway.base.errors import GatewayError, UpstreamFailed
from gateway.platform.catalog import Model, Target
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.converse import CONVERSE
from gateway.proxy.dialects.endpoints import BY_NAME, Endpoint
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.neutral import (
    Conversation,
    Dialect,
    End,
    Event,
    Facts,
    Failure,
    Wire,
)
from gateway.proxy.dialects.responses import RESPONSES

# By endpoint name: what clients speak, and what providers do.
DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (CHAT, MESSAGES, GEMINI, RESPONSES)
}
# In the order in which a provider that speaks several is asked.
WIRES: dict[str, Dialect | Wire] = {**DIALECTS, CONVERSE.name: CONVERSE}
_CONVERSE = frozenset((CONVERSE.name,))
_EMBEDDINGS = frozenset(("embeddings",))
# Models of Bedrock's that embed text (`providers.embedding` knows how).
_EMBEDS = ("amazon.titan-embed-text", "amazon.titan-embed-g1-text", "cohere.embed")


def spoken_by(target: Target) -> frozenset[str]:
    """The dialects of a target: its provider's, but that Bedrock takes Messages for Anthropic's
    models alone, embeddings for those that embed, and Converse for all others.
    """
    spoken = target.provider.endpoints
    if CONVERSE.name not in spoken:
        return spoken
    if any(name in target.model for name in _EMBEDS):
        return spoken & _EMBEDDINGS
    return _CONVERSE if "anthropic." not in target.model else spoken - _EMBEDDINGS


def wire_of(endpoint: Endpoint, target: Target) -> Endpoint | None:
    """What to speak to a target for a client of this endpoint; None when there is no way.

    The client's own dialect where the target speaks it, else the first it can be translated to.
    """
    spoken = spoken_by(target)
    if endpoint.name in spoken:
        return endpoint
    if endpoint.name not in DIALECTS:
        return None
    for name in WIRES:
        if name in spoken:
            return BY_NAME[name]
    return None


def read_request(endpoint: Endpoint, body: bytes) -> Conversation:
    """A client's request in the neutral form. Raises Untranslatable or InvalidRequest."""
    return DIALECTS[endpoint.name].read_request(body)


def write_request(
    conversation: Conversation,
    wire: Endpoint,
    model: Model,
    *,
    name: str,
    stream: bool,
    max_tokens: int | None,
) -> bytes:
    """The request for a provider that knows the model as `name`. Raises Untranslatable.

    `max_tokens` is a smaller maximum that credit asks for. Messages must name a maximum, so there
    the model's own stands in for one that was not said.
    """
    limit = conversation.max_tokens if max_tokens is None else max_tokens
    if wire.name == "messages":
        limit = min(limit or model.max_output_tokens, model.max_output_tokens)
    asked = replace(conversation, model=name, stream=stream, max_tokens=limit, include_usage=stream)
    return WIRES[wire.name].write_request(asked)


def translate_answer(wire: Endpoint, endpoint: Endpoint, body: bytes, facts: Facts) -> bytes:
    """A whole answer in the client's dialect. Raises UpstreamBadResponse."""
    return DIALECTS[endpoint.name].write_answer(WIRES[wire.name].read_answer(body), facts)


class StreamTranslation:
    """One stream on its way from the wire's dialect to the client's."""

    __slots__ = ("_ended", "_reader", "_write", "error", "failed")

    def __init__(self, wire: Endpoint, endpoint: Endpoint, facts: Facts) -> None:
        self._reader = WIRES[wire.name].stream_reader()
        self._write = DIALECTS[endpoint.name].stream_writer(facts).write
        self._ended = False
        self.failed = False  # the provider reported an error, or what it sent made no sense
        self.error: GatewayError = UpstreamFailed()  # what to tell the client once it has failed

    def feed(self, data: bytes) -> bytes:
        """The bytes to send now for some of the provider's bytes; may be empty. Never raises."""
        try:
            return self._tell(self._reader.feed(data))
        except GatewayError as error:
            self.failed, self.error = True, error
            return b""

    def _tell(self, events: list[Event]) -> bytes:
        if not events or self.failed or self._ended:
            return b""
        for position, event in enumerate(events):
            if isinstance(event, Failure | End):
                self.failed = isinstance(event, Failure)
                self._ended = not self.failed
                events = events[:position]
                break
        return self._write(events) if events else b""

    def finish(self, tail: bytes) -> bytes:
        """The end of a stream that is complete; `tail` are the bytes withheld until now.

        Also for providers whose streams have no end marker. Empty when the end is an error.
        """
        out = self.feed(tail + b"\n\n")  # the blank line ends a last event that lacks its own
        try:
            out += self._tell(self._reader.close())
            return out if self.failed else out + self._write([End()])
        except GatewayError as error:
            self.failed, self.error = True, error
            return out
