"""The answer to a request that only counts tokens: the prompt as `admit` counted it, for free.

A header says whether the count is exact (the model's vocabulary is public) or an estimate. Sources:
the API references of Anthropic (count tokens) and Google (countTokens). Nothing here knows money.
"""

from functools import partial

from gateway.proxy.dialects.errors import request_id_line
from gateway.proxy.exchange import Exchange


def tell_count(x: Exchange) -> None:
    """Prepare the answer: the count in the client's form."""
    name = b"totalTokens" if x.endpoint.family == "gemini" else b"input_tokens"
    exact = b"exact" if x.measured_exact else b"estimate"
    headers = b"Content-Type: application/json\r\nx-request-id: %b\r\n" % x.id.encode()
    headers += request_id_line(x.endpoint.family, x.id) + x.lines
    headers += b"x-tallygate-count: %b\r\n" % exact
    x.answered = True
    x.status = 200
    x.outcome = "completed"
    x.tail = partial(x.client.respond, 200, headers, b'{"%b":%d}' % (name, x.measured_input))
