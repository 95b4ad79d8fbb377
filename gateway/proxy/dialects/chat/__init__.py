"""OpenAI chat completions, both ways.

What translation leaves out is listed where it is left out: `shapes.DROPPED` (fields of a request
that have no neutral form), `request_writer.DROPPED` (things this dialect cannot say). Whatever else
cannot be said is refused by name.
"""

from gateway.proxy.dialects.chat.answer import read_answer, write_answer
from gateway.proxy.dialects.chat.request_reader import read_request
from gateway.proxy.dialects.chat.request_writer import write_request
from gateway.proxy.dialects.chat.stream_reader import ChatStreamReader
from gateway.proxy.dialects.chat.stream_writer import ChatStreamWriter
from gateway.proxy.dialects.neutral import Answer, Conversation, Dialect, Facts


class Chat:
    """The dialect; see neutral.Dialect."""

    name = "chat"

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

    def stream_reader(self) -> ChatStreamReader:
        """See stream_reader."""
        return ChatStreamReader()

    def stream_writer(self, facts: Facts) -> ChatStreamWriter:
        """See stream_writer."""
        return ChatStreamWriter(facts)


CHAT: Dialect = Chat()
