"""What a conversation is known by, for the policy `sticky`: requests of one go to one target.

In this order: the header `x-session-id`, the body's `session_id`, `prompt_cache_key` or `user`,
else the beginning of the conversation: its system prompt and first user message, which every later
turn repeats, and which is what a provider's prompt cache is keyed by. Always within one account.
Reads a bounded part of the body; nothing is kept but a digest.
"""

import json
import re
from hashlib import blake2b

WINDOW_BYTES = 256 * 1024  # of the body; a beginning that is longer is cut there
_SESSION = re.compile(rb'"(?:session_id|prompt_cache_key|user)"\s*:\s*"((?:[^"\\]|\\.){1,512})"')
_SYSTEM = re.compile(rb'"(?:system|instructions|systemInstruction|system_instruction)"\s*:\s*')
_TURNS = re.compile(rb'"(?:messages|input|contents|prompt)"\s*:\s*')
_SPACE = re.compile(r"[ \t\r\n,]*")
_decoder = json.JSONDecoder()


def session_key(account: str, header: bytes, body: bytes) -> bytes:
    """The digest, 16 bytes, that requests of one conversation of one account share."""
    digest = blake2b(account.encode(), digest_size=16, person=b"tallygate-stick")
    if header:
        digest.update(b"header\0" + header)
        return digest.digest()
    window = body[:WINDOW_BYTES]
    named = _SESSION.search(window)
    if named is not None:
        digest.update(b"named\0" + named.group(1))
        return digest.digest()
    for part in beginning(window):
        digest.update(b"\0" + part)
    return digest.digest()


def beginning(window: bytes) -> list[bytes]:
    """The system prompt and the turns up to the first of the user, as they stand in the body."""
    parts: list[bytes] = []
    system = _SYSTEM.search(window)
    if system is not None:
        parts.append(_value(window, system.end()))
    turns = _TURNS.search(window)
    if turns is None:
        return parts or [window]
    if window[turns.end() : turns.end() + 1] != b"[":
        return [*parts, _value(window, turns.end())]
    text = window[turns.end() + 1 :].decode("utf-8", "replace")
    place = 0
    while True:
        place = _SPACE.match(text, place).end()  # type: ignore[union-attr]
        try:
            turn, end = _decoder.raw_decode(text, place)
        except (ValueError, RecursionError):  # the array's end, or the window's within a turn
            if place < len(text) and text[place] != "]":
                parts.append(text[place:].encode())
            return parts
        parts.append(text[place:end].encode())
        place = end
        role = turn.get("role", "user") if isinstance(turn, dict) else "user"
        if role not in ("system", "developer"):
            return parts


def _value(window: bytes, start: int) -> bytes:
    """The JSON value that begins there, or what the window holds of it."""
    text = window[start:].decode("utf-8", "replace")
    try:
        _, end = _decoder.raw_decode(text)
    except (ValueError, RecursionError):
        return window[start:]
    return text[:end].encode()
