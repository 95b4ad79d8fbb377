"""A whole chat completion, both ways.

Source: OpenAI API reference, "The chat completion object".
"""

from typing import Any

import msgspec

from gateway.base.errors import UpstreamBadResponse, UpstreamFailed
from gateway.proxy.dialects.chat.reasoning import FORMATS, call_signatures, details, thoughts
from gateway.proxy.dialects.chat.stops import BROKEN, read_stop, write_stop
from gateway.proxy.dialects.chat.usage import read_usage, write_usage
from gateway.proxy.dialects.decoding import AnswerStruct, decode_answer
from gateway.proxy.dialects.neutral import Answer, Facts, Refusal, Text, Thinking, ToolCall

AnswerPart = Text | Thinking | ToolCall | Refusal

_encode = msgspec.json.Encoder().encode


class DetailShape(AnswerStruct):
    """An entry of `reasoning_details`; `entries_of` makes them."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    id: str | None = None


_DETAIL_FIELDS = tuple(field.name for field in msgspec.structs.fields(DetailShape))


class FunctionShape(AnswerStruct):
    """What is called; in a stream each may come in pieces."""

    name: str | None = None
    arguments: Any = None  # JSON as text; GLM's reference has the object itself

    def written(self) -> str:
        """The arguments, or the piece of them, as text."""
        given = self.arguments
        if given is None or isinstance(given, str):
            return given or ""
        return _encode(given).decode()


class CallShape(AnswerStruct):
    """A call of a tool, whole or a piece."""

    index: int | None = None
    id: str | None = None
    function: FunctionShape | None = None


class MessageShape(AnswerStruct):
    """A message, or in a stream the delta of one. Mistral sends content as a list of parts."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CallShape] | None = None
    reasoning_details: Any = None


class _Choice(AnswerStruct):
    index: int = 0
    message: MessageShape | None = None
    finish_reason: str | None = None


class _Completion(AnswerStruct):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_COMPLETION = msgspec.json.Decoder(_Completion)


def entries_of(value: Any) -> list[DetailShape]:
    """The entries of `reasoning_details`: OpenRouter has a list of them, others one, or a text."""
    found = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and one:
            found.append(DetailShape(type="reasoning.text", text=one))
        elif isinstance(one, dict):
            said = {name: one.get(name) for name in _DETAIL_FIELDS}
            found.append(
                DetailShape(**{name: word for name, word in said.items() if isinstance(word, str)})
            )
    return found


def read_answer(body: bytes) -> Answer:
    """Raises UpstreamBadResponse for another shape, UpstreamFailed for an error inside it."""
    completion = decode_answer(body, _COMPLETION)
    if completion.error:
        raise UpstreamFailed
    if not completion.choices or completion.choices[0].message is None:
        raise UpstreamBadResponse
    choice = completion.choices[0]
    message = choice.message
    if message is None or choice.finish_reason in BROKEN:
        raise UpstreamFailed
    calls = message.tool_calls or []
    ids = {call.id or "" for call in calls}
    reasoned = entries_of(message.reasoning_details)
    signatures = call_signatures(reasoned, ids)
    words = message.reasoning_content or message.reasoning
    parts: list[AnswerPart] = [*thoughts(words, reasoned, ids)]
    parts += content_parts(message.content)
    if message.refusal:
        parts.append(Refusal(message.refusal))
    for place, call in enumerate(calls):
        function = call.function or FunctionShape()
        name, arguments = function.name or "", function.written()
        id_ = call.id or f"call_{place}"
        parts.append(ToolCall(id_, name, arguments, *signatures.get(id_, (None, None))))
    stop = None
    if choice.finish_reason is not None:
        refused = bool(message.refusal)
        stop = read_stop(choice.finish_reason, called=bool(calls), refused=refused)
    return Answer(tuple(parts), stop, read_usage(completion.usage))


def content_parts(content: str | list[Any] | None) -> list[Text | Thinking]:
    """The text of a message; of a list of parts also Mistral's thinking (its API reference)."""
    if not content:
        return []
    if isinstance(content, str):
        return [Text(content)]
    found: list[Text | Thinking] = []
    for part in content:
        if not isinstance(part, dict):
            continue
        text = part.get("text")
        if isinstance(text, str) and text:
            found.append(Text(text))
        thinking = part.get("thinking")
        if isinstance(thinking, list):
            pieces = [piece.get("text") for piece in thinking if isinstance(piece, dict)]
            found.append(Thinking("".join(piece for piece in pieces if isinstance(piece, str))))
    return found


def write_answer(answer: Answer, facts: Facts) -> bytes:
    """A completion of one choice; texts that other parts separate are joined into its one field."""
    texts: list[str] = []
    refusals: list[str] = []
    thinking: list[Thinking] = []
    calls: list[ToolCall] = []
    for part in answer.parts:
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, Thinking):
            thinking.append(part)
        elif isinstance(part, ToolCall):
            calls.append(part)
        else:
            refusals.append(part.text)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    spoken = "".join(thought.text for thought in thinking)
    if spoken:
        message["reasoning_content"] = spoken
    entries = details(thinking)
    entries += [
        call_detail(call.id, call.signature, call.family, len(entries) + place)
        for place, call in enumerate(calls)
        if call.signature is not None
    ]
    if entries:
        message["reasoning_details"] = entries
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    refused = bool(refusals)
    reason = None if answer.stop is None else write_stop(answer.stop, refused=refused)
    completion: dict[str, Any] = {
        "id": facts.id,
        "object": "chat.completion",
        "created": facts.created_s,
        "model": facts.model,
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": reason},
        ],
    }
    if answer.usage is not None:
        completion["usage"] = write_usage(answer.usage, facts.measured_input)
    return _encode(completion)


def call_detail(id_: str, signature: str, family: Any, index: int) -> dict[str, Any]:
    """The signature of a call, as OpenRouter carries Gemini's."""
    entry = {"type": "reasoning.encrypted", "index": index, "id": id_, "data": signature}
    if family is not None:
        entry["format"] = FORMATS[family]
    return entry


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}
