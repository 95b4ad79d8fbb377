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
from gateway.proxy.dialects.neutral import Dialect

MESSAGES = Dialect(
    "messages",
    read_request,
    write_request,
    read_answer,
    write_answer,
    MessagesStreamReader,
    MessagesStreamWriter,
)
