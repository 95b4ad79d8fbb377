"""Anthropic Messages, both ways.

What translation leaves out is listed where it is left out: `shapes.DROPPED` (fields of a request
that have no neutral form), `request_writer.DROPPED` (things this dialect cannot say). Whatever else
cannot be said is refused by name.
"""

from gateway.proxy.dialects.messages.answer import read_answer, write_answer
from gateway.proxy.dialects.messages.request_reader import read_request
from gateway.proxy.dialects.messages.request_writer import write_request
from gateway.proxy.dialects.messages.stream_reader import MessagesStreamReader
from gateway.proxy.dialects.messages.stream_writer import MessagesStreamWriter
from gateway.proxy.dialects.neutral import Answer, Conversation, Dialect, Facts


class Messages:
    """The dialect; see neutral.Dialect."""

    name = "messages"

    def read_request(self, body: bytes) -> Conversation:
        """See request_reader."""
        return read_request(body)

    def write_request(self, conversation: Conversation) -> bytes:
        """See request_writer."""
        return write_request(conversation)

    def read_answer(self, body: bytes) -> Answer:
        """See answer."""
        return read_answer(body)

    def write_answer(self, answer: Answer, facts: Facts) -> bytes:
        """See answer."""
        return write_answer(answer, facts)

    def stream_reader(self) -> MessagesStreamReader:
        """See stream_reader."""
        return MessagesStreamReader()

    def stream_writer(self, facts: Facts) -> MessagesStreamWriter:
        """See stream_writer."""
        return MessagesStreamWriter(facts)


MESSAGES: Dialect = Messages()
