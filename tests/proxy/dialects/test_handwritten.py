"""Our readers and writers against providers written by hand, which know nothing of our code."""

import json
from types import ModuleType

import pytest

from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.responses import RESPONSES
from tests.fakes.providers import chat, gemini, messages, responses
from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT, REASONING, Plan, Seen, plan
from tests.proxy.dialects.neutral_values import fed, merged

PROVIDERS = [
    pytest.param(CHAT, chat, id="chat"),
    pytest.param(MESSAGES, messages, id="messages"),
    pytest.param(RESPONSES, responses, id="responses"),
    pytest.param(GEMINI, gemini, id="gemini"),
]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
USER = n.Message("user", (n.Text("you"),))
SEEN: dict[str, Seen] = {
    "text": Seen(texts=["you"]),
    "thinking": Seen(texts=["you"], thinks=True),
    "tools": Seen(texts=["you"], tools=["weather"]),
    "thinking before tools": Seen(texts=["you"], tools=["weather"], thinks=True),
    "schema": Seen(texts=["you"], schema=SCHEMA),
}


def check(parts: list[n.Part], usage: n.Tokens | None, planned: Plan) -> None:
    assert "".join(p.text for p in parts if isinstance(p, n.Text)) == planned.text
    assert "".join(p.text for p in parts if isinstance(p, n.Thinking)) == planned.thinking
    found = [p for p in parts if isinstance(p, n.ToolCall)]
    assert [(call.name, json.loads(call.arguments)) for call in found] == [
        call[1:] for call in planned.calls
    ]
    assert usage is not None
    assert (usage.input, usage.cache_read, usage.output) == (INPUT - CACHED, CACHED, OUTPUT)
    assert (usage.reasoning or 0) == (REASONING if planned.thinking else 0)


@pytest.mark.parametrize(("ours", "theirs"), PROVIDERS)
@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_their_answers_are_read(ours: n.Dialect, theirs: ModuleType, seen: Seen) -> None:
    planned = plan(seen)
    answer = ours.read_answer(json.dumps(theirs.whole(planned)).encode())
    check(list(answer.parts), answer.usage, planned)
    assert answer.stop == ("tool_calls" if planned.calls else "stop")


@pytest.mark.parametrize(("ours", "theirs"), PROVIDERS)
@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_their_streams_are_read(ours: n.Dialect, theirs: ModuleType, seen: Seen, step: int) -> None:
    planned = plan(seen)
    stream = b"".join(theirs.stream(planned))
    cuts = list(range(0, len(stream), step))
    parts: list[n.Part] = []
    calls: dict[int, n.ToolCall] = {}
    usage = None
    stops = []
    for event in merged(fed(ours.stream_reader(), stream, cuts)):
        match event:
            case n.TextDelta(text):
                parts.append(n.Text(text))
            case n.ThinkingDelta(text):
                parts.append(n.Thinking(text))
            case n.ToolStart(index, id_, name):
                calls[index] = n.ToolCall(id_, name, "")
            case n.ToolDelta(index, arguments):
                calls[index] = n.ToolCall(calls[index].id, calls[index].name, arguments)
            case n.UsageNews(usage):
                pass
            case n.Finish(stop):
                stops.append(stop)
            case n.Failure():
                raise AssertionError("no failure was told")
    check([*parts, *calls.values()], usage, planned)
    assert stops == ["tool_calls" if planned.calls else "stop"]


@pytest.mark.parametrize(("ours", "theirs"), PROVIDERS)
def test_they_understand_our_requests(ours: n.Dialect, theirs: ModuleType) -> None:
    tool = n.Tool("weather", "The weather.", SCHEMA)
    call = n.ToolCall("c1", "weather", '{"city": "Bern"}')
    conversation = n.Conversation(
        "m",
        (
            n.Message("system", (n.Text("Be brief."),)),
            n.Message("user", (n.Text("look"), n.Media("image", "image/png", "AAAA"))),
            n.Message("assistant", (n.Text("I call."), call)),
            n.Message("user", (n.ToolResult("c1", (n.Text("sunny"),), "weather"),)),
        ),
        (tool,),
        max_tokens=7700,
        output_format=n.OutputFormat("json_schema", "place", SCHEMA, True),
        reasoning=n.Reasoning(True, "high"),
    )
    seen = theirs.understand(json.loads(ours.write_request(conversation)))
    assert seen.system == "Be brief."
    assert seen.texts == ["look"]
    assert seen.images == ["AAAA"]
    assert seen.tools == ["weather"]
    assert seen.results == ["sunny"]
    assert seen.schema is not None
    assert seen.schema["properties"] == SCHEMA["properties"]
    assert seen.max_tokens == 7700
    assert seen.thinks
