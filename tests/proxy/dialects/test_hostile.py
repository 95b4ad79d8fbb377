"""Whatever comes, from a client or a provider, a dialect answers with an error of the catalogue."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.base.errors import GatewayError
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.responses import RESPONSES
from tests.proxy.dialects.neutral_values import fed
from tests.proxy.dialects.turns import CLOSED, FACTS

DIALECTS = [
    pytest.param(dialect, id=dialect.name) for dialect in (CHAT, MESSAGES, RESPONSES, GEMINI)
]
TOOL = n.Tool("f", "d", {"type": "object", "properties": {"a": {"type": "string"}}})
CONVERSATION = n.Conversation(
    "m",
    (
        n.Message("system", (n.Text("s"),)),
        n.Message("user", (n.Text("hi"), n.Media("image", "image/png", "AAAA"))),
        n.Message("assistant", (n.Text("a"), n.ToolCall("c", "f", '{"a":1}'))),
        n.Message("user", (n.ToolResult("c", (n.Text("r"),), name="f"),)),
    ),
    (TOOL,),
    n.ToolChoice("required"),
    max_tokens=50,
    temperature=0.5,
    output_format=n.OutputFormat("json_schema", "x", CLOSED, True),
    reasoning=n.Reasoning(True, "low"),
)
ANSWER = n.Answer(
    (n.Thinking("t"), n.Text("hello"), n.ToolCall("c", "f", '{"a":1}')),
    "tool_calls",
    n.Tokens(5, 3, None, 20, 7),
)
ODD = st.sampled_from(
    ["null", "true", "-1", "1.5", '""', '"x"', "[]", "{}", "[null]", "[[]]", "1e400", "9" * 400]
    + ['{"type": 7}', '{"type": "?"}', '"\\ud83d"']
).map(json.loads)


def nodes(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        found += nodes(inner, (*path, key))
    return found


@st.composite
def broken(draw: st.DrawFn, body: bytes) -> bytes:
    """A document of which some places hold something odd, or nothing."""
    value = json.loads(body)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(nodes(value)))
        if not path:
            value = draw(ODD)
            continue
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            holder[path[-1]] = draw(ODD)
        else:
            del holder[path[-1]]
    return json.dumps(value).encode()


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60)
@given(st.data())
def test_broken_requests(dialect: n.Dialect, data: st.DataObject) -> None:
    body = data.draw(broken(dialect.write_request(CONVERSATION)))
    try:
        read = dialect.read_request(body)
        for other in (CHAT, MESSAGES, RESPONSES, GEMINI):
            try:
                other.write_request(read)
            except GatewayError:
                continue
    except GatewayError as error:
        assert error.status == 400


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60)
@given(st.data())
def test_broken_answers(dialect: n.Dialect, data: st.DataObject) -> None:
    body = data.draw(broken(dialect.write_answer(ANSWER, FACTS)))
    try:
        answer = dialect.read_answer(body)
        for other in (CHAT, MESSAGES, RESPONSES, GEMINI):
            try:
                other.write_answer(answer, FACTS)
            except GatewayError as error:
                assert error.source == "upstream"
    except GatewayError as error:
        assert error.source == "upstream"


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60)
@given(st.data())
def test_broken_streams(dialect: n.Dialect, data: st.DataObject) -> None:
    stream = dialect.stream_writer(FACTS).write(
        [
            n.ThinkingDelta("t"),
            n.TextDelta("hello"),
            n.ToolStart(0, "c", "f"),
            n.ToolDelta(0, '{"a":1}'),
            n.Finish("tool_calls"),
            n.UsageNews(n.Tokens(5, 3, None, 20, 7)),
            n.End(),
        ]
    )
    events = stream.split(b"\n\n")[:-1]
    at = data.draw(st.integers(0, len(events) - 1))
    head, mark, body = events[at].partition(b"data: ")
    if body.startswith(b"{"):
        events[at] = head + mark + data.draw(st.one_of(broken(body), st.binary(max_size=20)))
    cuts = data.draw(st.lists(st.integers(0, 10**5), max_size=4))
    found = fed(dialect.stream_reader(), b"\n\n".join(events) + b"\n\n", cuts)
    for other in (CHAT, MESSAGES, RESPONSES, GEMINI):
        try:
            other.stream_writer(FACTS).write(found)
        except GatewayError as error:
            assert error.source == "upstream"
    if n.Failure() in found:
        assert found[-1] == n.Failure(), "after a failure nothing is read"
