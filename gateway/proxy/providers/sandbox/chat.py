"""Answers in the shapes of chat completions and completions: whole, and as a stream of beats.

A beat is the bytes of one tick: a token-sized piece for every choice that still speaks. The first
beat opens the choices, the last ones carry finish reasons, usage and the end marker. Source: the
OpenAI API reference, "chat completion chunk object"; usage goes in one extra chunk whose choices
are empty, and every other chunk then has `usage: null`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.proxy.providers.sandbox.answer import Answer, Choice, Segment

DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode


def usage_object(numbers: dict[str, int]) -> dict[str, Any]:
    """`usage` as chat and completions report it."""
    return {
        "prompt_tokens": numbers["prompt"],
        "completion_tokens": numbers["output"],
        "total_tokens": numbers["total"],
        "prompt_tokens_details": {"cached_tokens": numbers["cached"], "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": numbers["reasoning"],
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def call_id(request_id: str, choice: int, number: int) -> str:
    """The id of a tool call: unique in the answer, the same at every try."""
    return f"call_{request_id}_{choice}_{number}"


class _Shape:
    """The fixed bytes of one stream's chunks, so that a chunk costs one join."""

    def __init__(self, head: dict[str, Any], noun: str, *, with_usage: bool) -> None:
        opening = _encode({**head, "object": noun})[:-1]
        self._opening = b"data: " + opening + b',"choices":[{"index":'
        self._tail = b',"usage":null}\n\n' if with_usage else b"}\n\n"
        self._usage_opening = b"data: " + opening + b',"choices":[],"usage":'

    def around(self, index: int, before: bytes, after: bytes) -> tuple[bytes, bytes]:
        """What stands before and after the piece in a chunk of this choice."""
        return (
            self._opening + b"%d," % index + before,
            after + b"}]" + self._tail,
        )

    def usage(self, numbers: dict[str, int]) -> bytes:
        return self._usage_opening + _encode(usage_object(numbers)) + b"}\n\n"


def chat_beats(
    answer: Answer, head: dict[str, Any], numbers: dict[str, int] | None, *, with_usage: bool
) -> Iterator[bytes]:
    """The stream of a chat completion."""
    shape = _Shape(head, "chat.completion.chunk", with_usage=with_usage)
    voices = [
        _chat_voice(shape, index, choice, str(head["id"]))
        for index, choice in enumerate(answer.choices)
    ]
    yield from _together(voices)
    tail = shape.usage(numbers) if with_usage and numbers is not None else b""
    yield tail + DONE


def completions_beats(
    answer: Answer, head: dict[str, Any], numbers: dict[str, int] | None, *, with_usage: bool
) -> Iterator[bytes]:
    """The stream of a completion."""
    shape = _Shape(head, "text_completion", with_usage=with_usage)
    voices = [
        _completions_voice(shape, index, choice) for index, choice in enumerate(answer.choices)
    ]
    yield from _together(voices)
    tail = shape.usage(numbers) if with_usage and numbers is not None else b""
    yield tail + DONE


def _together(voices: list[Iterator[bytes]]) -> Iterator[bytes]:
    """One piece of every voice to a beat, until all have ended."""
    if len(voices) == 1:
        yield from voices[0]
        return
    while voices:
        beat: list[bytes] = []
        speaking: list[Iterator[bytes]] = []
        for voice in voices:
            piece = next(voice, None)
            if piece is not None:
                beat.append(piece)
                speaking.append(voice)
        voices = speaking
        if beat:
            yield b"".join(beat)


def _chat_voice(shape: _Shape, index: int, choice: Choice, answer_id: str) -> Iterator[bytes]:
    """The chunks of one choice; the opening one comes with the first piece."""
    opening = {"role": "assistant", "content": "", "refusal": None}
    if all(segment.kind == "tool" for segment in choice.segments):
        opening["content"] = None
    before, after = shape.around(index, b'"delta":', b',"logprobs":null,"finish_reason":null')
    due = before + _encode(opening) + after
    calls = 0
    for segment in choice.segments:
        if segment.call is not None:
            due += before + _call_opening(segment, answer_id, index, calls) + after
            text_before = before + b'{"tool_calls":[{"index":%d,"function":{"arguments":' % calls
            text_after = b"}}]}" + after
            calls += 1
        else:
            field = b"reasoning_content" if segment.kind == "reasoning" else b"content"
            text_before, text_after = before + b'{"%b":' % field, b"}" + after
        for piece in segment.pieces:
            yield due + text_before + _encode(piece) + text_after
            due = b""
    before, after = shape.around(index, b'"delta":{},"logprobs":null,"finish_reason":', b"")
    yield due + before + _encode(choice.finish) + after


def _call_opening(segment: Segment, answer_id: str, index: int, number: int) -> bytes:
    assert segment.call is not None
    call = {
        "index": number,
        "id": call_id(answer_id, index, number),
        "type": "function",
        "function": {"name": segment.call.name, "arguments": ""},
    }
    return _encode({"tool_calls": [call]})


def _completions_voice(shape: _Shape, index: int, choice: Choice) -> Iterator[bytes]:
    before, after = shape.around(index, b'"text":', b',"logprobs":null,"finish_reason":null')
    for segment in choice.segments:
        for piece in segment.pieces:
            yield before + _encode(piece) + after
    finish = b',"logprobs":null,"finish_reason":' + _encode(choice.finish)
    yield before + b'""' + shape.around(index, b"", finish)[1]


def chat_body(answer: Answer, head: dict[str, Any], numbers: dict[str, int] | None) -> bytes:
    """A whole chat completion."""
    choices = []
    for index, choice in enumerate(answer.choices):
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        calls: list[dict[str, Any]] = []
        for segment in choice.segments:
            if segment.call is not None:
                function = {"name": segment.call.name, "arguments": segment.text}
                number = len(calls)
                identity = call_id(str(head["id"]), index, number)
                calls.append({"id": identity, "type": "function", "function": function})
            elif segment.kind == "reasoning":
                message["reasoning_content"] = segment.text
            else:
                message["content"] = segment.text
        if calls:
            message["tool_calls"] = calls
        choices.append(
            {
                "index": index,
                "message": message,
                "logprobs": None,
                "finish_reason": choice.finish,
            }
        )
    return _whole(head, "chat.completion", choices, numbers)


def completions_body(answer: Answer, head: dict[str, Any], numbers: dict[str, int] | None) -> bytes:
    """A whole completion."""
    choices = [
        {
            "text": "".join(segment.text for segment in choice.segments),
            "index": index,
            "logprobs": None,
            "finish_reason": choice.finish,
        }
        for index, choice in enumerate(answer.choices)
    ]
    return _whole(head, "text_completion", choices, numbers)


def _whole(
    head: dict[str, Any], noun: str, choices: list[dict[str, Any]], numbers: dict[str, int] | None
) -> bytes:
    document = {**head, "object": noun, "choices": choices}
    if numbers is not None:
        document["usage"] = usage_object(numbers)
    return _encode(document)
