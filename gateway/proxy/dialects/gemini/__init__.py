"""Gemini's generateContent and streamGenerateContent, both ways. Source: Gemini API reference.

The request's body names neither model nor streaming (the path does): `read_request` leaves `model`
empty and `stream` False, `write_request` reads `model` only to know how to speak of thinking.

What translation drops, because it does not change what the user reads:

| dropped | when | why |
|---|---|---|
| `labels`, a `model` in the body, `session_id` | reading | bookkeeping; the path names the model |
| what a function returns (`response`, `responseJsonSchema`) | reading | only Gemini reads it |
| `strict` of tools and formats | writing | Gemini follows its schemas anyway |
| names and descriptions of formats | writing | no field; the schema may describe itself |
| narrowing words of schemas (`pattern`, `minLength`...) | writing | outside Gemini's subset |
| `metadata`, cache breakpoints, `detail` and names of media | writing | no field; hints |
| a message's name | writing | there is no place for it |
| reasoning that Gemini did not sign | writing | only its maker can read it |

Everything else that has no neutral form is refused by name: built-in tools, `safetySettings`,
`cachedContent`, stored files, video, sound in answers, log probabilities. In writing: several
choices, `parallel_tool_calls: false`, verbosity, paid service tiers.
"""

from gateway.proxy.dialects.gemini.answer_reader import read_answer
from gateway.proxy.dialects.gemini.answer_writer import write_answer
from gateway.proxy.dialects.gemini.request_reader import read_request
from gateway.proxy.dialects.gemini.request_writer import write_request
from gateway.proxy.dialects.gemini.stream_reader import GeminiStreamReader
from gateway.proxy.dialects.gemini.stream_writer import GeminiStreamWriter
from gateway.proxy.dialects.neutral import Dialect

GEMINI = Dialect(
    "gemini",
    read_request,
    write_request,
    read_answer,
    write_answer,
    GeminiStreamReader,
    GeminiStreamWriter,
)
