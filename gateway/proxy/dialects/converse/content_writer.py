"""Messages, written as Converse's `system` and `messages`.

Source: the shapes `Message`, `ContentBlock`, `ToolResultBlock`, `DocumentBlock` of botocore's
service model. Rules:
- Turns alternate and the user begins, so neighbours of one role become one turn. A request of
  nothing but system text sends that text as the user's.
- A breakpoint is a block of its own after what it closes. Nova has only the short one.
- A document must have a name, in few letters, and another one than its neighbours.
- An empty result of a tool is the empty object, since a result must have content and no blank text.
"""

import re
from typing import Any

from gateway.base.errors import Untranslatable
from gateway.proxy.dialects.converse.models import Maker
from gateway.proxy.dialects.messages.request_writer import read_arguments
from gateway.proxy.dialects.neutral import (
    Media,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.proxy.dialects.shapes import refuse

SHORT_TTL_S = 300
MAX_ID_CHARS = 64
MAX_DOCUMENT_NAME_CHARS = 180
_ID_LETTERS = re.compile(r"[^a-zA-Z0-9_.:-]")
_NAME_LETTERS = re.compile(r"[^a-zA-Z0-9\-()\[\]]+")
_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif"}
_IMAGES["image/webp"] = "webp"
_OFFICE = "application/vnd.openxmlformats-officedocument."
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    _OFFICE + "wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    _OFFICE + "spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_SOUNDS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/mp4": "mp4",
    "audio/webm": "webm",
}
_FORMATS = {"image": _IMAGES, "document": _DOCUMENTS, "audio": _SOUNDS}

Block = dict[str, Any]


class ContentWriter:
    """Writes one request's messages for a model of `maker`."""

    __slots__ = ("_maker", "_names")

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self._names: set[str] = set()

    def write(self, messages: tuple[Message, ...]) -> tuple[list[Block], list[Block]]:
        """(`system`, `messages`). Raises Untranslatable naming what the API cannot say."""
        system: list[Block] = []
        turns: list[Block] = []
        for place, message in enumerate(messages):
            where = f"messages[{place}]"
            content = [block for part in message.parts for block in self._blocks(part, where)]
            if message.role in ("system", "developer"):
                if any("text" not in block and "cachePoint" not in block for block in content):
                    refuse(where, "System instructions can only be text for this model.")
                system += content
            elif turns and turns[-1]["role"] == message.role:
                turns[-1]["content"] += content
            elif content:
                turns.append({"role": message.role, "content": content})
        if system and not turns:
            return [], [{"role": "user", "content": system}]
        return system, turns

    def _blocks(self, part: Part, where: str) -> list[Block]:
        block = self._block(part, where)
        blocks = [] if block is None else [block]
        ttl_s = None if isinstance(part, Thinking | Refusal) else part.cache_ttl_s
        if isinstance(part, ToolResult):
            inner = [one.cache_ttl_s for one in part.parts if one.cache_ttl_s is not None]
            ttl_s = max([ttl_s or 0, *inner]) or None
        if blocks and ttl_s is not None:
            blocks += cache_point(ttl_s, self._maker)
        return blocks

    def _block(self, part: Part, where: str) -> Block | None:
        match part:
            case Text() | Refusal():
                return {"text": part.text} if part.text.strip() else None
            case Thinking():
                return _reasoning(part)
            case ToolCall():
                given = read_arguments(part.arguments)
                if given is None:
                    text = "The arguments of a call must be a JSON object."
                    raise Untranslatable(text, param=f"{where}.tool_calls")
                use = {"toolUseId": _id(part.id), "name": part.name, "input": given}
                return {"toolUse": use}
            case ToolResult():
                return self._result(part, where)
            case Media():
                return self._media(part, where)

    def _result(self, result: ToolResult, where: str) -> Block:
        found = [self._block(part, where) for part in result.parts]
        content = [block for block in found if block is not None] or [{"json": {}}]
        if any("audio" in block for block in content):
            refuse(where, "Sound cannot stand in a tool's result for this model.")
        block: Block = {"toolUseId": _id(result.call_id), "content": content}
        if result.is_error:
            block["status"] = "error"
        return {"toolResult": block}

    def _media(self, media: Media, where: str) -> Block:
        if media.data is None:
            refuse(where, "Files must be sent along for this model, not by address.")
        format_ = _FORMATS[media.kind].get(media.media_type.partition(";")[0].strip().lower())
        if format_ is None:
            refuse(where, "The model's provider does not take files of this type.")
        block: Block = {"format": format_, "source": {"bytes": media.data}}
        if media.kind == "document":
            block["name"] = self._name(media.name)
        return {media.kind: block}

    def _name(self, wished: str | None) -> str:
        stem = _NAME_LETTERS.sub(" ", (wished or "").rpartition(".")[0] or wished or "").strip()
        stem = stem[:MAX_DOCUMENT_NAME_CHARS].strip() or "document"
        name, number = stem, 1
        while name in self._names:
            number += 1
            name = f"{stem} {number}"
        self._names.add(name)
        return name


def cache_point(ttl_s: int, maker: Maker, *, tools: bool = False) -> list[Block]:
    """A breakpoint where the maker's models take one: Nova's do not among tools."""
    if not maker.caches or (tools and not maker.caches_tools):
        return []
    point = {"type": "default"}
    if ttl_s > SHORT_TTL_S and maker.caches_an_hour:
        point["ttl"] = "1h"
    return [{"cachePoint": point}]


def _reasoning(part: Thinking) -> Block | None:
    if part.signature is None or part.family not in ("bedrock", "anthropic"):
        return None
    if part.redacted:
        return {"reasoningContent": {"redactedContent": part.signature}}
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}


def _id(call_id: str) -> str:
    """The API takes 64 letters; of a longer id the end, which is what makes ids differ."""
    return _ID_LETTERS.sub("_", call_id)[-MAX_ID_CHARS:] or "call"
