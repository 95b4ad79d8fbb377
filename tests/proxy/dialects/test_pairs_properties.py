"""Every dialect in front of every other: requests, answers and streams on their whole way."""

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.base.errors import Untranslatable
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.responses import RESPONSES
from tests.proxy.dialects.neutral_values import (
    COUNTS,
    WORDS,
    answers,
    conversations,
    events_of,
    fed,
)
from tests.proxy.dialects.turns import FACTS

DIALECTS: dict[str, n.Dialect] = {
    dialect.name: dialect for dialect in (CHAT, MESSAGES, RESPONSES, GEMINI)
}
FAMILY: dict[str, n.Family] = {
    "chat": "openai",
    "messages": "anthropic",
    "responses": "openai",
    "gemini": "gemini",
}
PAIRS = [
    pytest.param(DIALECTS[client], DIALECTS[provider], id=f"{client} before {provider}")
    for client, provider in itertools.permutations(DIALECTS, 2)
]
CUTS = st.lists(st.integers(0, 10**6), max_size=8)
USAGES = st.builds(n.Tokens, COUNTS, COUNTS, st.none(), st.integers(100, 10**6), st.integers(0, 99))


def told(answer: n.Answer) -> dict[str, Any]:
    """What every dialect must tell: words, reasoning, calls, why it ended, usage."""
    usage = answer.usage or n.Tokens()
    calls = [part for part in answer.parts if isinstance(part, n.ToolCall)]
    words = [part.text for part in answer.parts if isinstance(part, n.Text | n.Refusal)]
    return {
        "text": "".join(words),
        "thinking": "".join(p.text for p in answer.parts if isinstance(p, n.Thinking)),
        "calls": [(call.name, json.loads(call.arguments)) for call in calls],
        "stop": {"content_filter": "refusal"}.get(answer.stop or "", answer.stop),
        "usage": (usage.input, usage.cache_read, usage.output, usage.reasoning),
    }


def gathered(events: list[n.Event]) -> n.Answer:
    """The answer that a stream told."""
    parts: list[Any] = []
    calls: dict[int, n.ToolCall] = {}
    stop: n.Stop | None = None
    usage: n.Tokens | None = None
    ended = False
    for event in events:
        assert not ended, "nothing comes after the end"
        match event:
            case n.TextDelta(text) | n.RefusalDelta(text):
                parts.append(n.Text(text))
            case n.ThinkingDelta(text):
                parts.append(n.Thinking(text))
            case n.ToolStart(index, id_, name):
                calls[index] = n.ToolCall(id_, name, "")
            case n.ToolDelta(index, arguments):
                begun = calls[index]
                whole = begun.arguments + arguments
                calls[index] = msgspec.structs.replace(begun, arguments=whole)
            case n.Finish(said):
                assert stop is None, "it ends once"
                stop = said
            case n.UsageNews(news):
                usage = news
            case n.End():
                ended = True
            case n.Failure():
                raise AssertionError("no failure was told")
    assert ended
    return n.Answer((*parts, *calls.values()), stop, usage)


def provided(provider: n.Dialect) -> st.SearchStrategy[n.Answer]:
    """Answers as this provider gives them: with usage, signed by its own family or by nobody."""
    family = FAMILY[provider.name]

    def its_own(answer: n.Answer) -> n.Answer:
        parts = [
            part
            if not isinstance(part, n.Thinking) or part.family in (None, family)
            else n.Thinking(part.text, part.signature, family)
            for part in answer.parts
        ]
        return msgspec.structs.replace(answer, parts=tuple(parts))

    made: st.SearchStrategy[n.Answer] = answers(family, refusals=False, usage=USAGES)
    return made.filter(lambda answer: answer.usage is not None).map(its_own)


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@settings(max_examples=15)
@given(st.data())
def test_an_answer_is_told_whole(
    client: n.Dialect, provider: n.Dialect, data: st.DataObject
) -> None:
    answer = data.draw(provided(provider))
    given_out = provider.read_answer(provider.write_answer(answer, FACTS))
    received = client.read_answer(client.write_answer(given_out, FACTS))
    assert told(received) == told(answer)


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@settings(max_examples=15)
@given(st.data(), st.integers(1, 9), CUTS, CUTS)
def test_a_stream_is_told_whole_at_any_split(
    client: n.Dialect,
    provider: n.Dialect,
    data: st.DataObject,
    pieces: int,
    cuts: list[int],
    more: list[int],
) -> None:
    answer = data.draw(provided(provider))
    stream = provider.stream_writer(FACTS).write(events_of(answer, pieces))
    events = fed(provider.stream_reader(), stream, cuts)
    ended = events and isinstance(events[-1], n.End)
    writer = client.stream_writer(FACTS)
    # Gemini's streams have no end of their own: whoever knows that the bytes ended says so.
    out = writer.write(events) + (b"" if ended else writer.write([n.End()]))
    back = fed(client.stream_reader(), out, more)
    if not isinstance(back[-1], n.End):
        back.append(n.End())
    assert told(gathered(back)) == told(answer)


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@settings(max_examples=15)
@given(st.data())
def test_a_request_is_told_whole_or_refused_by_name(
    client: n.Dialect, provider: n.Dialect, data: st.DataObject
) -> None:
    # Responses has no stop sequences to ask for.
    most = 0 if client.name == "responses" else 2
    stops = st.lists(WORDS, max_size=most).map(tuple)
    pictures = st.just(n.Media("image", "image/png", "AAAA"))
    conversation = data.draw(
        conversations(
            FAMILY[client.name],
            media=pictures,
            model=st.just("m"),
            max_tokens=st.integers(1, 9999),
            temperature=st.sampled_from([None, 0.5]),
            stop=stops,
            tool_choice=st.none(),
        )
    )
    asked = client.read_request(client.write_request(conversation))
    try:
        received = provider.read_request(provider.write_request(asked))
    except Untranslatable as refused:
        assert refused.param
        return

    def said(of: n.Conversation) -> dict[str, Any]:
        parts = [part for message in of.messages for part in message.parts]
        found: dict[str, Any] = {
            "system": "".join(
                part.text
                for message in of.messages
                for part in message.parts
                if message.role == "system" and isinstance(part, n.Text)
            ),
            "text": sorted(
                letter for part in parts if isinstance(part, n.Text) for letter in part.text
            ),
            "calls": [
                (part.name, json.loads(part.arguments))
                for part in parts
                if isinstance(part, n.ToolCall)
            ],
            "results": [
                "".join(inner.text for inner in part.parts if isinstance(inner, n.Text))
                for part in parts
                if isinstance(part, n.ToolResult)
            ],
            "media": sum(isinstance(part, n.Media) for part in parts),
            "tools": [(tool.name, tool.description) for tool in of.tools],
        }
        for field in ("max_tokens", "temperature", "stop"):
            found[field] = getattr(of, field)
        return found

    assert said(received) == said(asked)
