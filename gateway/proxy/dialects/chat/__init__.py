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
from gateway.proxy.dialects.neutral import Dialect

CHAT = Dialect(
    "chat",
    read_request,
    write_request,
    read_answer,
    write_answer,
    ChatStreamReader,
    ChatStreamWriter,
)
