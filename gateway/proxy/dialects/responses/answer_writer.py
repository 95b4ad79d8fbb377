"""A whole Answer, written as a Response object; the items are those a stream would end with."""

from gateway.proxy.dialects.neutral import Answer, Facts, Refusal, Text, Thinking, ToolCall
from gateway.proxy.dialects.responses import objects
from gateway.proxy.dialects.responses.open_items import (
    OpenCall,
    OpenItem,
    OpenRefusal,
    OpenText,
    OpenThinking,
)


def write_answer(answer: Answer, facts: Facts) -> bytes:
    """A whole answer's JSON."""
    refused = any(isinstance(part, Refusal) for part in answer.parts)
    status, reason = objects.ending(answer.stop, refused)
    items: list[bytes] = []
    for part in answer.parts:
        if isinstance(part, ToolCall) and part.signature is not None:
            carrier = Thinking("", part.signature, part.family)
            items.append(_item(carrier, facts, len(items)).whole(b"completed"))
        items.append(_item(part, facts, len(items)).whole(b"completed"))
    return objects.response(facts, status, b",".join(items), tokens=answer.usage, reason=reason)


def _item(part: Text | Thinking | ToolCall | Refusal, facts: Facts, place: int) -> OpenItem:
    item: OpenItem
    match part:
        case Text():
            item, text = OpenText(facts.id, place), part.text
        case Refusal():
            item, text = OpenRefusal(facts.id, place), part.text
        case Thinking():
            item, text = OpenThinking(facts.id, place), part.text
            if part.signature is not None:
                item.encrypted = objects.carried(
                    part.signature, part.family, redacted=part.redacted
                )
        case ToolCall():
            item, text = OpenCall(facts.id, place), part.arguments
            item.call_id, item.name = part.id, part.name
    item.pieces.append(objects.escaped(text))
    return item
