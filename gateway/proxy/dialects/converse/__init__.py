"""Amazon Bedrock's Converse and ConverseStream: how every model there but Anthropic's is spoken to.

Sources: the service model of `bedrock-runtime` in botocore (shapes, lengths, patterns) and the
Bedrock user guide, "Using the Converse API", "Prompt caching" and the pages of each maker's
parameters. A dialect of providers only: no client speaks it here. Its stream is read as one JSON
object an event, `{"contentBlockDelta": {...}}`, as `upstream.decode` makes it from Amazon's frames.

What translation drops, because it does not change what the user reads:

| dropped | when | why |
|---|---|---|
| `seed` | writing | a wish even at OpenAI; no model there takes it |
| `metadata` | writing | bookkeeping |
| a message's name, `detail` of pictures | writing | there is no place for it |
| cache breakpoints for models but Claude and Nova | writing | others refuse them; they only cost |
| reasoning not signed through Converse or by Anthropic | writing | only its maker can read it |
| blank text | writing | the API refuses it |

Everything else that has no place is refused by name: files by address, JSON without a schema,
several choices, penalties, `parallel_tool_calls: false`, `top_k` and reasoning where the model's
maker has no parameter for it, paid service tiers.
"""

from gateway.proxy.dialects.converse.answer_reader import read_answer
from gateway.proxy.dialects.converse.request_writer import write_request
from gateway.proxy.dialects.converse.stream_reader import ConverseStreamReader
from gateway.proxy.dialects.neutral import Wire

CONVERSE = Wire("converse", write_request, read_answer, ConverseStreamReader)
