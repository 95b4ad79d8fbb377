"""The JSON of a Response object and of its items, written as bytes.

Texts are handed over already escaped (the inside of a JSON string), because a stream escapes each
delta once and repeats it up to four times. The fields are those that the official SDK declares as
required (`openai.types.responses.Response`). Counts the provider did not give stand as 0 where the
SDK demands a number. Source: OpenAI API reference, "The response object".
"""

import msgspec

from gateway.proxy.dialects.neutral import Facts, Family, Stop, Tokens
from gateway.proxy.dialects.signatures import wrap

encode = msgspec.json.Encoder().encode

# (status, reason why it is incomplete)
_ENDINGS: dict[Stop, tuple[bytes, bytes]] = {
    "length": (b"incomplete", b"max_output_tokens"),
    "pause": (b"incomplete", b"max_output_tokens"),  # the nearest word for "not finished"
    "content_filter": (b"incomplete", b"content_filter"),
}
_COMPLETED = (b"completed", b"")


def ending(stop: Stop | None, refusal_said: bool) -> tuple[bytes, bytes]:
    """(status, reason) of an answer; a refusal without words is the provider's filter here."""
    if stop == "refusal" and not refusal_said:
        return _ENDINGS["content_filter"]
    return _ENDINGS.get(stop, _COMPLETED) if stop else _COMPLETED


def escaped(text: str) -> bytes:
    """The inside of the JSON string of a text."""
    return encode(text)[1:-1]


def message(item_id: bytes, status: bytes, part: bytes) -> bytes:
    """A message item; `part` is its one content part, or empty."""
    return (b'{"id":"%b","type":"message","status":"%b","role":"assistant","content":[%b]}') % (
        item_id,
        status,
        part,
    )


def text_part(text: bytes) -> bytes:
    """A content part of text."""
    return b'{"type":"output_text","text":"%b","annotations":[],"logprobs":[]}' % text


def refusal_part(text: bytes) -> bytes:
    """A content part of refusal."""
    return b'{"type":"refusal","refusal":"%b"}' % text


def summary_part(text: bytes) -> bytes:
    """A part of a reasoning item's summary."""
    return b'{"type":"summary_text","text":"%b"}' % text


def reasoning(item_id: bytes, status: bytes, part: bytes, encrypted: str | None) -> bytes:
    """A reasoning item; `encrypted` as the client will send it back."""
    return b'{"id":"%b","type":"reasoning","status":"%b","summary":[%b],"encrypted_content":%b}' % (
        item_id,
        status,
        part,
        encode(encrypted),
    )


def call(item_id: bytes, status: bytes, call_id: str, name: str, arguments: bytes) -> bytes:
    """A function call item."""
    return (
        b'{"id":"%b","type":"function_call","status":"%b","call_id":%b,"name":%b,"arguments":"%b"}'
    ) % (item_id, status, encode(call_id), encode(name), arguments)


def carried(signature: str, family: Family | None, *, redacted: bool) -> str:
    """A signature as `encrypted_content`: OpenAI's own bare, others marked."""
    return wrap(signature, family, "openai", redacted=redacted)


def usage(tokens: Tokens, measured_input: int) -> bytes:
    """`usage` of the Responses API: cached and written tokens are inside `input_tokens`.

    Where the provider did not say the prompt's size, our own count is it.
    """
    read, written = tokens.cache_read or 0, tokens.cache_write or 0
    total_in = measured_input if tokens.input is None else tokens.input + read + written
    total_out = tokens.output or 0
    return (
        b'{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%d,"cache_write_tokens":%d},'
        b'"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":%d},"total_tokens":%d}'
    ) % (total_in, read, written, total_out, tokens.reasoning or 0, total_in + total_out)


def response(
    facts: Facts,
    status: bytes,
    output: bytes = b"",
    *,
    tokens: Tokens | None = None,
    reason: bytes = b"",
) -> bytes:
    """The response object; `output` is the items, joined with commas."""
    return (
        b'{"id":"resp_%b","object":"response","created_at":%d,"status":"%b","background":false,'
        b'"error":null,"incomplete_details":%b,"instructions":null,"max_output_tokens":null,'
        b'"metadata":{},"model":%b,"output":[%b],"parallel_tool_calls":true,'
        b'"previous_response_id":null,"store":false,"temperature":null,"tool_choice":"auto",'
        b'"tools":[],"top_p":null,"usage":%b}'
    ) % (
        escaped(facts.id.removeprefix("req_")),
        facts.created_s,
        status,
        b'{"reason":"%b"}' % reason if reason else b"null",
        encode(facts.model),
        output,
        b"null" if tokens is None else usage(tokens, facts.measured_input),
    )
