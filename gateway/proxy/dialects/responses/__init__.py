"""The OpenAI Responses API, both ways. Source: OpenAI API reference, "Responses".

What translation drops, because it does not change what the user reads:

| dropped | when | why |
|---|---|---|
| `user`, `safety_identifier`, `client_metadata` | reading | they name the caller |
| `session_id` | reading | tells this gateway which requests belong together |
| `metadata` | writing | labels of stored answers; nothing is stored |
| `prompt_cache_key`, `_options`, `_retention` | reading | hints where to keep a prompt cache |
| `stream_options` | reading | only pads deltas against guessing their length |
| `max_tool_calls`, most of `include` | reading | they speak of tools that run at the provider |
| ids, statuses, `phase`, `annotations`, `logprobs` of items | reading | marks of earlier answers |
| `seed`, cache breakpoints | writing | no field; a seed is a wish, breakpoints only cost |
| `is_error` of a tool result | writing | no field; the result's text says so |
| a message's name | writing | there is no place for it |
| reasoning that OpenAI did not sign | writing | only its maker can read it |

Everything else that has no neutral form is refused by name: state kept at the provider
(`previous_response_id`, `conversation`, `prompt`, `background`, `store`, stored files, item
references), tools that run there, log probabilities, truncation. In writing: stop sequences,
`top_k`, penalties, several choices, sound.
"""

from gateway.proxy.dialects.neutral import Dialect
from gateway.proxy.dialects.responses.answer_reader import read_answer
from gateway.proxy.dialects.responses.answer_writer import write_answer
from gateway.proxy.dialects.responses.request_reader import read_request
from gateway.proxy.dialects.responses.request_writer import write_request
from gateway.proxy.dialects.responses.stream_reader import ResponsesStreamReader
from gateway.proxy.dialects.responses.stream_writer import ResponsesStreamWriter

RESPONSES = Dialect(
    "responses",
    read_request,
    write_request,
    read_answer,
    write_answer,
    ResponsesStreamReader,
    ResponsesStreamWriter,
)
