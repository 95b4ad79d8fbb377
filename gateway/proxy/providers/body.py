"""The body of a request as a provider gets it.

In the client's own dialect it is the client's own bytes but for a few values: the model's upstream
name, the usage option (merged, never overwritten), a smaller maximum where credit asks for it, and
`user` and its like, which become pseudonyms; reasoning that another family signed is left out. In
another dialect it is written anew from the neutral form, where nothing names the caller.
"""

import msgspec

from gateway._native.jsonscan import MODEL, SAFETY_IDENTIFIER, USER, USER_ID
from gateway.platform.catalog import Target
from gateway.proxy.dialects.marked import without_marked
from gateway.proxy.dialects.translation import read_request, write_request
from gateway.proxy.exchange import Exchange
from gateway.proxy.fields import field, limit_spans
from gateway.proxy.providers.quirks import adapted

_USERS = (USER, SAFETY_IDENTIFIER, USER_ID)  # fields that name the caller
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
    if x.wire.name == "chat" and _knows_only_max_tokens(target):
        body = body.replace(b'"max_completion_tokens":', b'"max_tokens":', 1)
    quirks = target.provider.quirks
    return adapted(body, quirks, chat=x.wire.name == "chat") if quirks else body


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
        if span is None:
            continue
        user = field(body, span)
        if isinstance(user, str) and x.key is not None:
            edits.append((*span, _encode(x.plane.pseudonym(x.key.account.id, user))))
    if edits or inserts:
        body = apply(body, scan.brace, edits, inserts)
    body = without_marked(body)
    return adapted(body, quirks, chat=endpoint.name == "chat") if quirks else body


def form_values(x: Exchange, target: Target) -> dict[str, str]:
    """The values of a multipart form that are replaced, by the same rules."""
    values = {"model": target.model}
    user = x.media.form.text("user")
    if user is not None and x.key is not None:
        values["user"] = x.plane.pseudonym(x.key.account.id, user)
    return values


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
    provider = target.provider
    newer = "max_completion_tokens" in provider.quirks or provider.host.endswith("openai.com")
    return provider.kind == "openai" and not newer


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
