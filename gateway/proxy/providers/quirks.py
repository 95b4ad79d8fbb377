"""What a provider that departs from the OpenAI API is sent instead: members renamed or left out.

Quirks are data of the provider (`catalog.snapshot.QUIRKS`). The top level of the body is read as
raw spans: what stays is passed on byte for byte, and so are messages that nothing is done to.
Knows nothing of exchanges or money.
"""

from typing import Any

import msgspec

Members = dict[str, msgspec.Raw]

_decode = msgspec.json.Decoder(Members).decode
_list_of_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode

_LEFT_OUT = {"no_stream_options": "stream_options", "no_user": "user"}
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_NEXT_TEXT = "\n\n"  # between the parts of a text
_BLANK = " "  # what stands for reasoning that did not come back; nothing at all is refused
_NONE = b'"none"'


def adapted(body: bytes, quirks: frozenset[str], *, chat: bool) -> bytes:
    """The body as the provider takes it. A limit under its other name is renamed, for chat only.

    Of two limits in one body the provider's own name stays. The body was checked: it is an object.
    """
    members = _decode(body)
    changed = False
    for quirk in quirks:
        if quirk in _LEFT_OUT:
            changed |= members.pop(_LEFT_OUT[quirk], None) is not None
        elif not chat:
            continue
        elif quirk in _LIMITS:
            limit = members.pop(_LIMITS[quirk], None)
            if limit is not None:
                members.setdefault(quirk, limit)
                changed = True
        elif quirk in ("thinking", "enable_thinking"):
            changed |= _switch(members, quirk)
    if chat and not quirks.isdisjoint(("plain_text", "reasoning_content")):
        changed |= _write_messages(members, quirks)
    return _encode(members) if changed else body


def _switch(members: Members, quirk: str) -> bool:
    """OpenAI's effort `none` in the provider's own words; Qwen knows no other effort either."""
    effort = members.get("reasoning_effort")
    if effort is None or (quirk == "thinking" and bytes(effort) != _NONE):
        return False
    del members["reasoning_effort"]
    off = bytes(effort) == _NONE
    if quirk == "thinking":
        members.setdefault("thinking", msgspec.Raw(b'{"type":"disabled"}'))
    else:
        members.setdefault("enable_thinking", msgspec.Raw(b"false" if off else b"true"))
    return True


def _write_messages(members: Members, quirks: frozenset[str]) -> bool:
    """Texts as one string, and reasoning beside every call of a tool."""
    try:
        messages = _list_of_raw(members.get("messages", b"[]"))
    except (msgspec.DecodeError, ValueError):
        return False  # the provider's to refuse
    changed = False
    for place, raw in enumerate(map(bytes, messages)):
        parts = b'"content"' in raw and "plain_text" in quirks
        calls = b'"tool_calls"' in raw and "reasoning_content" in quirks
        if not (parts or calls):
            continue
        try:
            message = _object(raw)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        done = parts and _join(message)
        if calls and message.get("tool_calls") and not message.get("reasoning_content"):
            message["reasoning_content"] = _BLANK
            done = True
        if done:
            messages[place] = msgspec.Raw(_encode(message))
            changed = True
    if changed:
        members["messages"] = msgspec.Raw(_encode(messages))
    return changed


def _join(message: dict[str, Any]) -> bool:
    """The parts of a content that is nothing but text, as one text."""
    content = message.get("content")
    if not isinstance(content, list):
        return False
    texts: list[str] = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            return False
        texts.append(text)
    message["content"] = _NEXT_TEXT.join(texts)
    return True
