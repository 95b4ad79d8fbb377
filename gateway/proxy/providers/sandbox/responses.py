"""Answers in the shape of the Responses API: whole, and as a stream of named events.

Every event carries its `type` and a `sequence_number`; the terminal one carries the whole response
with its usage. There is one choice and no `[DONE]`. Source: the OpenAI API reference, "Responses:
streaming events". The output is a reasoning item, then a message or function calls.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.proxy.providers.sandbox.answer import Answer, Segment

_encode = msgspec.json.Encoder().encode
_PARTS = {
    "reasoning": ("reasoning_text", "response.reasoning_text"),
    "content": ("output_text", "response.output_text"),
}


def usage_object(numbers: dict[str, int]) -> dict[str, Any]:
    """`usage` as the Responses API reports it."""
    return {
        "input_tokens": numbers["prompt"],
        "input_tokens_details": {"cached_tokens": numbers["cached"]},
        "output_tokens": numbers["output"],
        "output_tokens_details": {"reasoning_tokens": numbers["reasoning"]},
        "total_tokens": numbers["total"],
    }


def _item(segment: Segment, number: int, answer_id: str, *, done: bool) -> dict[str, Any]:
    """One output item, as announced or as finished."""
    status = "completed" if done else "in_progress"
    text = segment.text if done else ""
    if segment.call is not None:
        return {
            "type": "function_call",
            "id": f"fc_{answer_id}_{number}",
            "call_id": f"call_{answer_id}_{number}",
            "name": segment.call.name,
            "arguments": text,
            "status": status,
        }
    content = [_part(segment, text)] if done else []
    if segment.kind == "reasoning":
        return {
            "type": "reasoning",
            "id": f"rs_{answer_id}_{number}",
            "summary": [],
            "content": content,
            "status": status,
        }
    return {
        "type": "message",
        "id": f"msg_{answer_id}_{number}",
        "role": "assistant",
        "content": content,
        "status": status,
    }


def _part(segment: Segment, text: str) -> dict[str, Any]:
    part: dict[str, Any] = {"type": _PARTS[segment.kind][0], "text": text}
    if segment.kind == "content":
        part["annotations"] = []
    return part


def _response(
    head: dict[str, Any], status: str, output: list[dict[str, Any]], usage: Any
) -> dict[str, Any]:
    response = {
        "id": head["id"],
        "object": "response",
        "created_at": head["created"],
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "model": head["model"],
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }
    if usage is not None or status in ("in_progress", "queued"):
        response["usage"] = usage
    return response


def _finished(answer: Answer, head: dict[str, Any], numbers: dict[str, int] | None) -> Any:
    choice = answer.choices[0]
    status = "incomplete" if choice.finish == "length" else "completed"
    output = [
        _item(segment, number, str(head["id"]), done=True)
        for number, segment in enumerate(choice.segments)
    ]
    return _response(head, status, output, usage_object(numbers) if numbers else None)


def responses_body(answer: Answer, head: dict[str, Any], numbers: dict[str, int] | None) -> bytes:
    """A whole response."""
    return _encode(_finished(answer, head, numbers))


class _Events:
    """Numbers the events of one stream and writes them."""

    def __init__(self) -> None:
        self.number = 0

    def event(self, type: str, fields: dict[str, Any]) -> bytes:
        document = {"type": type, "sequence_number": self.number, **fields}
        self.number += 1
        return b"event: %b\ndata: %b\n\n" % (type.encode(), _encode(document))


def responses_beats(
    answer: Answer, head: dict[str, Any], numbers: dict[str, int] | None
) -> Iterator[bytes]:
    """The stream of a response."""
    events = _Events()
    begun = {"response": _response(head, "in_progress", [], None)}
    due = events.event("response.created", begun)
    due += events.event("response.in_progress", begun)
    for number, segment in enumerate(answer.choices[0].segments):
        for beat in _segment_beats(events, segment, number, str(head["id"])):
            yield due + beat
            due = b""
    finished = _finished(answer, head, numbers)
    yield due + events.event(f"response.{finished['status']}", {"response": finished})


def _segment_beats(
    events: _Events, segment: Segment, number: int, answer_id: str
) -> Iterator[bytes]:
    """An item's announcement with its first piece, the other pieces, and its end."""
    item = _item(segment, number, answer_id, done=False)
    place: dict[str, Any] = {"item_id": item["id"], "output_index": number}
    due = events.event("response.output_item.added", {"output_index": number, "item": item})
    text = segment.text
    if segment.call is not None:
        stem = "response.function_call_arguments"
        ending: dict[str, Any] = {"name": segment.call.name, "arguments": text}
    else:
        stem = _PARTS[segment.kind][1]
        place["content_index"] = 0
        ending = {"text": text}
        part = _part(segment, "")
        due += events.event("response.content_part.added", {**place, "part": part})
    extra: dict[str, Any] = {"logprobs": []} if segment.kind == "content" else {}
    delta = stem + ".delta"
    for piece in segment.pieces:
        yield due + events.event(delta, {**place, "delta": piece, **extra})
        due = b""
    due += events.event(stem + ".done", {**place, **ending, **extra})
    if segment.call is None:
        part = _part(segment, text)
        due += events.event("response.content_part.done", {**place, "part": part})
    item = _item(segment, number, answer_id, done=True)
    yield due + events.event("response.output_item.done", {"output_index": number, "item": item})
