"""Neutral values for property tests, in the canonical form that every dialect gives back.

Canonical: neighbouring texts and deltas are one, neighbours of the same speaker are one message,
tool results stand in messages of their own, nothing is empty.
"""

import itertools
from typing import Any

from hypothesis import strategies as st

from gateway.proxy.dialects.neutral import (
    Answer,
    Conversation,
    End,
    Event,
    Family,
    Finish,
    Media,
    Message,
    Part,
    Refusal,
    RefusalDelta,
    SignatureDelta,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tokens,
    Tool,
    ToolCall,
    ToolDelta,
    ToolResult,
    ToolStart,
    UsageNews,
)

WORDS = st.text(
    st.one_of(
        st.sampled_from('ab \n"\\/é你😀\x00\x1f\u2028'),
        st.characters(exclude_categories=("Cs",)),
    ),
    min_size=1,
    max_size=12,
)
NAMES = st.text("abc_-09", min_size=1, max_size=8)
SIGNATURES = st.text("AZaz09+/=", min_size=1, max_size=12)
COUNTS = st.integers(0, 100_000)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    WORDS, st.one_of(WORDS, st.integers(-9, 9), st.none(), st.lists(WORDS, max_size=2)), max_size=3
)


def thinkings(own: Family, *, foreign: bool) -> st.SearchStrategy[Thinking]:
    """Reasoning signed by `own`, or (as answers bear it) by others too."""
    bare = st.builds(Thinking, WORDS, SIGNATURES, st.just(own))
    if not foreign:
        return bare
    others = st.sampled_from([f for f in ("openai", "anthropic", "gemini") if f != own])
    return st.one_of(
        bare, st.builds(Thinking, WORDS), st.builds(Thinking, WORDS, SIGNATURES, others)
    )


def usages(total_only: bool = False) -> st.SearchStrategy[Tokens]:
    return st.builds(
        Tokens, COUNTS, COUNTS, COUNTS if not total_only else st.none(), COUNTS, COUNTS
    )


def canonical(parts: list[Any]) -> tuple[Any, ...]:
    """Drops a text that would follow a text (and so on), which a stream could not tell apart."""
    kept: list[Any] = []
    for part in parts:
        joined = kept and type(part) is type(kept[-1]) and not isinstance(part, ToolCall)
        if not (joined and (isinstance(part, Text | Refusal) or kept[-1].signature is None)):
            kept.append(part)
    return tuple(kept)


def merged(events: list[Event]) -> list[Event]:
    """Neighbouring deltas of one kind as one."""
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            out[-1] = TextDelta(last.text + event.text)
        elif isinstance(event, ThinkingDelta) and isinstance(last, ThinkingDelta):
            out[-1] = ThinkingDelta(last.text + event.text)
        elif isinstance(event, RefusalDelta) and isinstance(last, RefusalDelta):
            out[-1] = RefusalDelta(last.text + event.text)
        elif (
            isinstance(event, ToolDelta)
            and isinstance(last, ToolDelta)
            and last.index == event.index
        ):
            out[-1] = ToolDelta(event.index, last.arguments + event.arguments)
        else:
            out.append(event)
    return out


def events_of(answer: Answer, pieces: int) -> list[Event]:
    """The stream of an answer, each text in pieces of so many characters."""
    events: list[Event] = []
    calls = 0

    def cut(text: str) -> list[str]:
        return [text[at : at + pieces] for at in range(0, len(text), pieces)]

    for part in answer.parts:
        match part:
            case Text():
                events += [TextDelta(text) for text in cut(part.text)]
            case Refusal():
                events += [RefusalDelta(text) for text in cut(part.text)]
            case Thinking():
                events += [ThinkingDelta(text) for text in cut(part.text)]
                if part.signature is not None and part.family is not None:
                    events.append(SignatureDelta(part.signature, part.family, part.redacted))
            case ToolCall():
                events.append(ToolStart(calls, part.id, part.name, part.signature, part.family))
                events += [ToolDelta(calls, text) for text in cut(part.arguments)]
                calls += 1
    if answer.stop is not None:
        events.append(Finish(answer.stop, answer.stop_sequence))
    if answer.usage is not None:
        events.append(UsageNews(answer.usage))
    events.append(End())
    return events


def fed(reader: Any, stream: bytes, cuts: list[int]) -> list[Event]:
    """What a reader makes of a stream that arrives in pieces and then ends."""
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    events = [event for a, b in itertools.pairwise(bounds) for event in reader.feed(stream[a:b])]
    return [*events, *reader.close()]


def conversations(
    own: Family,
    *,
    media: st.SearchStrategy[Media],
    call_ids: st.SearchStrategy[str] = NAMES,
    **fields: st.SearchStrategy[Any],
) -> st.SearchStrategy[Conversation]:
    """Requests; `fields` are strategies of the Conversation's other fields."""
    words = st.builds(Text, WORDS)
    user: st.SearchStrategy[Part] = st.one_of(words, media)
    spoken: st.SearchStrategy[Part] = st.one_of(words, thinkings(own, foreign=False))

    @st.composite
    def messages(draw: st.DrawFn) -> tuple[Message, ...]:
        made: list[Message] = []
        if draw(st.booleans()):
            made.append(Message("system", (draw(words),)))
        for _ in range(draw(st.integers(1, 3))):
            made.append(Message("user", tuple(draw(st.lists(user, min_size=1, max_size=3)))))
            parts = list(draw(st.lists(spoken, max_size=2)))
            ids = draw(st.lists(call_ids, unique=True, max_size=2))
            calls = [ToolCall(id, draw(NAMES), draw(OBJECTS.map(compact))) for id in ids]
            if parts or calls:
                made.append(Message("assistant", (*canonical(parts), *calls)))
            if calls:
                results = tuple(ToolResult(call.id, (draw(words),)) for call in calls)
                made.append(Message("user", results))
        return tuple(made)

    tools = st.lists(
        st.builds(
            Tool,
            NAMES,
            st.one_of(st.none(), WORDS),
            st.just({"type": "object", "properties": {"a": {"type": "string"}}}),
            st.booleans(),
        ),
        max_size=2,
        unique_by=lambda tool: tool.name,
    ).map(tuple)
    return st.builds(Conversation, messages=messages(), tools=tools, **fields)


def compact(value: Any) -> str:
    """JSON as every writer here makes it, so that arguments compare as text."""
    import msgspec

    return msgspec.json.encode(value).decode()


def answers(own: Family, *, refusals: bool, usage: st.SearchStrategy[Tokens]) -> Any:
    """Whole answers with the stop that their parts imply, or one that was forced."""
    kinds: list[st.SearchStrategy[Any]] = [
        st.builds(Text, WORDS),
        thinkings(own, foreign=True),
        st.builds(ToolCall, NAMES, NAMES, OBJECTS.map(compact)),
    ]
    if refusals:
        kinds.append(st.builds(Refusal, WORDS))

    @st.composite
    def build(draw: st.DrawFn) -> Answer:
        parts = canonical(draw(st.lists(st.one_of(*kinds), max_size=5)))
        stop: Stop = "stop"
        if any(isinstance(part, ToolCall) for part in parts):
            stop = "tool_calls"
        elif any(isinstance(part, Refusal) for part in parts):
            stop = "refusal"
        forced: list[Stop] = [stop, "length", "content_filter"]
        return Answer(
            tuple(parts), draw(st.sampled_from(forced)), draw(st.one_of(st.none(), usage))
        )

    return build()
