"""A Converse answer, read into an Answer; its stops and usage serve streams too.

Source: the shapes `ConverseResponse`, `ContentBlock` and `TokenUsage` of botocore's service model.
`inputTokens` leaves cached tokens out (Bedrock user guide, "Prompt caching"). Some models end a
turn that calls tools as any other, so a call makes it one of calls. Pictures and other blocks that
a model may make have no neutral form; an answer with them is no answer here. Texts that cite are
texts, without what they cite.
"""

from typing import Any

import msgspec

from gateway.base.errors import UpstreamBadResponse, UpstreamFailed
from gateway.proxy.dialects.decoding import AnswerStruct, decode_answer
from gateway.proxy.dialects.neutral import Answer, Refusal, Stop, Text, Thinking, Tokens, ToolCall


class Usage(AnswerStruct):
    """`TokenUsage`."""

    inputTokens: int | None = None
    outputTokens: int | None = None
    cacheReadInputTokens: int | None = None
    cacheWriteInputTokens: int | None = None


class _ReasoningText(AnswerStruct):
    text: str = ""
    signature: str | None = None


class _Reasoning(AnswerStruct):
    reasoningText: _ReasoningText | None = None
    redactedContent: str | None = None


class _ToolUse(AnswerStruct):
    toolUseId: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _CitedText(AnswerStruct):
    text: str | None = None


class _Citations(AnswerStruct):
    content: list[_CitedText] | None = None


class _Block(AnswerStruct):
    text: str | None = None
    reasoningContent: _Reasoning | None = None
    toolUse: _ToolUse | None = None
    citationsContent: _Citations | None = None
    image: Any = None
    audio: Any = None
    video: Any = None
    document: Any = None


class _Message(AnswerStruct):
    content: list[_Block] | None = None


class _Output(AnswerStruct):
    message: _Message | None = None


class _Answer(AnswerStruct):
    output: _Output | None = None
    stopReason: str | None = None
    usage: Usage | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_STOPS: dict[str, Stop] = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
# What the model made is not an answer: the provider says so instead of showing it.
_BROKEN = frozenset(("malformed_model_output", "malformed_tool_use"))


def read_answer(body: bytes) -> Answer:
    """Raises UpstreamBadResponse when the document is none, UpstreamFailed when it reports that."""
    answer = decode_answer(body, _ANSWER)
    message = None if answer.output is None else answer.output.message
    if message is None or answer.stopReason is None:
        raise UpstreamBadResponse
    parts: list[Text | Thinking | ToolCall | Refusal] = []
    for block in message.content or ():
        _read_block(block, parts)
    called = any(isinstance(part, ToolCall) for part in parts)
    stop = stop_of(answer.stopReason, called=called)
    if stop is None:
        raise UpstreamFailed
    usage = None if answer.usage is None else tokens_of(answer.usage)
    return Answer(tuple(parts), stop, usage)


def _read_block(block: _Block, parts: list[Text | Thinking | ToolCall | Refusal]) -> None:
    if block.text:
        parts.append(Text(block.text))
    elif block.toolUse is not None:
        use = block.toolUse
        parts.append(ToolCall(use.toolUseId, use.name, bytes(use.input).decode()))
    elif block.reasoningContent is not None:
        said = block.reasoningContent
        if said.redactedContent:
            parts.append(Thinking("", said.redactedContent, "bedrock", redacted=True))
        elif said.reasoningText is not None:
            thought = said.reasoningText
            if thought.signature:
                parts.append(Thinking(thought.text, thought.signature, "bedrock"))
            else:
                parts.append(Thinking(thought.text))
    elif block.citationsContent is not None:
        cited = block.citationsContent.content or ()
        text = "".join(one.text or "" for one in cited)
        if text:
            parts.append(Text(text))
    elif block.image or block.audio or block.video or block.document:
        raise UpstreamBadResponse


def stop_of(reason: str, *, called: bool) -> Stop | None:
    """Why an answer ended; None when it broke. Reasons unknown here are ordinary ends."""
    if reason in _BROKEN:
        return None
    stop = _STOPS.get(reason, "stop")
    return "tool_calls" if called and stop == "stop" else stop


def tokens_of(usage: Usage) -> Tokens:
    """Usage in the one schema. Reasoning is part of the output, and not told apart."""
    return Tokens(
        _count(usage.inputTokens),
        _count(usage.cacheReadInputTokens),
        _count(usage.cacheWriteInputTokens),
        _count(usage.outputTokens),
    )


def _count(value: int | None) -> int | None:
    return None if value is None else max(0, value)
