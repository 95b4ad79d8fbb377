"""The body of a request as a provider gets it.

In the client's own dialect it is the client's own bytes but for a few values: the model's upstream
name, the usage option (merged, never overwritten), a smaller maximum where credit asks for it, and
what names a person or a device: `user` and its like become pseudonyms, each account's own, and
`client_metadata` (Codex says there which installation it is) becomes empty. `session_id`, which the
gateway itself reads, goes to OpenRouter only. Reasoning that another family signed is left out. In
another dialect it is written anew from the neutral form, where nothing names the caller.
"""

import msgspec

from gateway._native.jsonscan import (
    CLIENT_METADATA,
    END_USER_ID,
    MODEL,
    PROMPT_CACHE_KEY,
    SAFETY_IDENTIFIER,
    SESSION_ID,
    USER,
    USER_ID,
)
from gateway.platform.catalog import Target
from gateway.proxy.dialects.marked import without_marked
from gateway.proxy.dialects.translation import read_request, write_request
from gateway.proxy.exchange import Exchange
from gateway.proxy.fields import field, limit_spans, member_span
from gateway.proxy.providers.quirks import adapted

# Fields that name the caller: OpenAI's, Anthropic's in `metadata`, Zhipu's; a key of a prompt cache
# is what OpenAI asks for in the place of `user`.
_USERS = (USER, SAFETY_IDENTIFIER, USER_ID, END_USER_ID, PROMPT_CACHE_KEY)
_FORM_USERS = ("user", "safety_identifier", "user_id")
_encode = msgspec.json.Encoder().encode

Edit = tuple[int, int, bytes]


def request_body(x: Exchange, target: Target) -> bytes:
    """The body for this target. Raises Untranslatable or InvalidRequest."""
    if x.wire is x.endpoint:
        return rewritten(x, target)
    if x.conversation is None:
        x.conversation = read_request(x.endpoint, x.body)
    assert x.model is not None
    body = write_request(
        x.conversation,
        x.wire,
        x.model,
        name=target.model,
        stream=x.stream,
        max_tokens=x.clamped_tokens,
    )
    quirks, chat = target.provider.quirks, x.wire.name == "chat"
    limited = x.conversation.max_tokens is not None or x.clamped_tokens is not None
    if chat and limited and _knows_only_max_tokens(target):
        # The limit is written behind the tools, in whose schemas the name may stand too.
        head, _, tail = body.rpartition(b'"max_completion_tokens":')
        body = b'%b"max_tokens":%b' % (head, tail)
    if chat and _is_compatible(target) and b'"content":[' in body:
        # Other dialects have texts in parts, which many compatible servers do not take.
        quirks |= {"plain_text"}
    return adapted(body, quirks, chat=chat) if quirks else body


def rewritten(x: Exchange, target: Target) -> bytes:
    """The client's own bytes with a few values replaced."""
    scan, body, endpoint, quirks = x.scan, x.body, x.endpoint, target.provider.quirks
    named = scan.span(MODEL)
    edits: list[Edit] = []
    inserts: list[bytes] = []
    if target.model != x.model_name and named is not None:
        name = f"models/{target.model}" if endpoint.family == "gemini" else target.model
        edits.append((*named, _encode(name)))
    asks = x.stream and endpoint.usage_option and not x.usage_asked
    if asks and "no_stream_options" not in quirks:
        options = field(body, scan.stream_options) or {}
        merged = _encode({**options, "include_usage": True})
        if scan.stream_options is None:
            inserts.append(b'"stream_options":' + merged)
        else:
            edits.append((*scan.stream_options, merged))
    if x.clamped_tokens is not None:
        clamp(x, target, edits, inserts)
    for number in _USERS:
        span = scan.span(number)
        if span is not None:
            edits.append((*span, _pseudonym(x, field(body, span))))
    span = scan.span(CLIENT_METADATA)
    if span is not None:
        edits.append((*span, b"{}"))
    span = scan.span(SESSION_ID)
    if span is not None:
        edits.append(_session(x, target, span))
    if edits or inserts:
        body = apply(body, scan.brace, edits, inserts)
    body = without_marked(body)
    return adapted(body, quirks, chat=endpoint.name == "chat") if quirks else body


def form_values(x: Exchange, target: Target) -> dict[str, str]:
    """The values of a multipart form that are replaced, by the same rules."""
    values = {"model": target.model}
    for name in _FORM_USERS:
        user = x.media.form.text(name)
        if user is not None:
            values[name] = x.plane.pseudonym(_account(x), user)
    return values


def _account(x: Exchange) -> str:
    return "" if x.key is None else str(x.key.account.id)


def _pseudonym(x: Exchange, value: object) -> bytes:
    """What stands for a value that names somebody, whatever its type; null stays null."""
    if value is None:
        return b"null"
    text = value if isinstance(value, str) else _encode(value).decode()
    return _encode(x.plane.pseudonym(_account(x), text))


def _session(x: Exchange, target: Target, span: tuple[int, int]) -> Edit:
    """A pseudonym where the provider keeps sessions together by it, else nothing at all."""
    if target.provider.host.endswith("openrouter.ai"):
        return (*span, _pseudonym(x, field(x.body, span)))
    return (*member_span(x.body, span), b"")


def clamp(x: Exchange, target: Target, edits: list[Edit], inserts: list[bytes]) -> None:
    """Ask for no more output than credit affords, in the field the request already uses."""
    tokens = b"%d" % (x.clamped_tokens or 1)
    spans = limit_spans(x.scan, x.endpoint.family == "gemini")
    for _, span in spans:
        edits.append((*span, tokens))
    if spans:
        return
    name = x.endpoint.max_tokens_field
    if name == "maxOutputTokens":
        _clamp_gemini(x, tokens, edits, inserts)
        return
    if name == "max_completion_tokens" and _knows_only_max_tokens(target):
        name = "max_tokens"
    inserts.append(b'"%b":%b' % (name.encode(), tokens))


def _clamp_gemini(x: Exchange, tokens: bytes, edits: list[Edit], inserts: list[bytes]) -> None:
    """The maximum stands inside `generationConfig`, which may be there, empty, or not."""
    member = b'"maxOutputTokens":' + tokens
    span = x.scan.member("generationConfig") or x.scan.member("generation_config")
    if span is None:
        inserts.append(b'"generationConfig":{%b}' % member)
        return
    start, end = span
    inner = x.body[start:end].lstrip(b"{ \t\r\n")
    if x.body[start : start + 1] != b"{":  # null
        edits.append((start, end, b"{%b}" % member))
    else:
        comma = b"" if inner.startswith(b"}") else b","
        edits.append((start, start + 1, b"{" + member + comma))


def _knows_only_max_tokens(target: Target) -> bool:
    """Most servers that are compatible with OpenAI know only the older name."""
    return _is_compatible(target) and "max_completion_tokens" not in target.provider.quirks


def _is_compatible(target: Target) -> bool:
    """Whether it is another's server that speaks OpenAI's API."""
    provider = target.provider
    return provider.kind == "openai" and not provider.host.endswith("openai.com")


def apply(body: bytes, object_start: int, edits: list[Edit], inserts: list[bytes]) -> bytes:
    """Replace spans and insert members right after the object's opening brace."""
    pieces: list[bytes] = []
    position = 0
    if inserts:
        position = object_start + 1
        pieces.append(body[:position])
        empty = body[position:].lstrip(b" \t\r\n").startswith(b"}")
        pieces.append(b",".join(inserts) + (b"" if empty else b","))
    for start, end, value in sorted(edits):
        pieces.append(body[position:start])
        pieces.append(value)
        position = end
    pieces.append(body[position:])
    return b"".join(pieces)
