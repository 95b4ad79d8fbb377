"""Bedrock's Converse: every request is of botocore's shapes, every official event is understood."""

import json
from typing import Any

import botocore.parsers
import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import GatewayError, Untranslatable, UpstreamBadResponse, UpstreamFailed
from gateway.platform.metering.reports import CACHE_WRITE_1H, read_report
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.converse import CONVERSE
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.upstream.decode import EventStream
from tests.fakes.providers import converse
from tests.fakes.providers.bedrock import frame, header
from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT, Plan
from tests.proxy.dialects.neutral_values import WORDS, conversations, merged
from tests.proxy.dialects.turns import FACTS

MODELS = (
    "us.amazon.nova-2-lite-v1:0",
    "amazon.nova-pro-v1:0",
    "anthropic.claude-sonnet-4-5-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "mistral.mistral-large-2407-v1:0",
    "openai.gpt-oss-120b-1:0",
    "amazon.titan-text-premier-v1:0",
)
PLAN = Plan("Let me see.", "It is \N{WAVING HAND SIGN}.", [("a", "f", {"x": "é"}), ("b", "g", {})])


def asked(*parts: n.Part, model: str = MODELS[0], **more: Any) -> dict[str, Any]:
    """What is written for one turn of a user's."""
    fields = {"messages": (n.Message("user", parts or (n.Text("hi"),)),), **more}
    body: dict[str, Any] = json.loads(CONVERSE.write_request(n.Conversation(model, **fields)))
    converse.validate({**body, "modelId": "m"}, shape("input_shape"))
    return body


def shape(which: str, name: str = "Converse") -> Any:
    operation: Any = converse.service().operation_model(name)
    return getattr(operation, which)


@given(
    conversations(
        "bedrock",
        media=st.builds(
            n.Media,
            st.sampled_from(["image", "document", "audio"]),
            st.sampled_from(["image/png", "application/pdf", "text/plain", "audio/wav", "x/y"]),
            st.just("aGk="),
            name=st.one_of(st.none(), WORDS),
            cache_ttl_s=st.sampled_from([None, 300, 3600]),
        ),
        model=st.sampled_from(MODELS),
        max_tokens=st.one_of(st.none(), st.integers(1, 9000)),
        temperature=st.one_of(st.none(), st.floats(0, 2)),
        top_k=st.one_of(st.none(), st.integers(1, 9)),
        stop=st.lists(WORDS, max_size=2).map(tuple),
        tool_choice=st.one_of(
            st.none(), st.builds(n.ToolChoice, st.sampled_from(["auto", "none", "required"]))
        ),
        reasoning=st.one_of(
            st.none(),
            st.builds(
                n.Reasoning,
                st.one_of(st.none(), st.booleans()),
                st.sampled_from([None, "none", "minimal", "low", "xhigh", "max"]),
                st.one_of(st.none(), st.integers(0, 50_000)),
            ),
        ),
    )
)
def test_any_request_is_of_botocores_shape_or_refused(conversation: n.Conversation) -> None:
    try:
        body = json.loads(CONVERSE.write_request(conversation))
    except Untranslatable as error:
        assert error.param
        return
    converse.validate({**body, "modelId": "m"}, shape("input_shape"))
    turns = body["messages"]
    assert [turn["role"] for turn in turns] == [
        ("user", "assistant")[(at + (turns[0]["role"] == "assistant")) % 2]
        for at in range(len(turns))
    ]
    said = [b["text"] for turn in turns for b in turn["content"] if "text" in b]
    said += [block["text"] for block in body.get("system", ()) if "text" in block]
    parts = [part for message in conversation.messages for part in message.parts]
    assert sorted(said) == sorted(
        part.text for part in parts if isinstance(part, n.Text) and part.text.strip()
    )


def test_the_fakes_own_events_and_answers_are_amazons() -> None:
    converse.validate(converse.whole(PLAN), shape("output_shape"))
    output: Any = shape("output_shape", "ConverseStream").members["stream"]
    buffer: Any = EventStreamBuffer()  # type: ignore[no-untyped-call]
    for data in converse.stream(PLAN):
        buffer.add_data(data)
    parser: Any = botocore.parsers.EventStreamJSONParser()  # type: ignore[no-untyped-call]
    parsed = [parser.parse(message.to_response_dict(), output) for message in buffer]
    assert [next(iter(event)) for event in parsed] == [name for name, _ in converse.events(PLAN)]
    for event in parsed:
        [(name, value)] = event.items()
        converse.validate(value, output.members[name])


def understood(data: list[bytes], size: int = 0) -> list[n.Event]:
    """The events of a stream of frames, in pieces of so many bytes."""
    whole = b"".join(data)
    size = size or len(whole)
    decoder, reader = EventStream(), CONVERSE.stream_reader()
    found: list[n.Event] = []
    for at in range(0, len(whole), size):
        for piece in decoder.feed(whole[at : at + size]):
            found += reader.feed(piece)
    return found


@pytest.mark.parametrize("size", [1, 7, 0])
def test_a_stream_says_what_the_whole_answer_says(size: int) -> None:
    usage = n.Tokens(INPUT - CACHED, CACHED, 0, OUTPUT)
    assert merged(understood(converse.stream(PLAN), size)) == [
        n.ThinkingDelta("Let me see."),
        n.SignatureDelta("c2lnbmF0dXJl", "bedrock"),
        n.TextDelta(PLAN.text),
        n.ToolStart(0, "a", "f"),
        n.ToolDelta(0, json.dumps({"x": "é"})),
        n.ToolStart(1, "b", "g"),
        n.ToolDelta(1, "{}"),
        n.Finish("tool_calls"),
        n.UsageNews(usage),
        n.End(),
    ]
    answer = CONVERSE.read_answer(json.dumps(converse.whole(PLAN)).encode())
    calls = [part for part in answer.parts if isinstance(part, n.ToolCall)]
    assert [(call.id, call.name, json.loads(call.arguments)) for call in calls] == PLAN.calls
    assert answer.parts[:2] == (
        n.Thinking("Let me see.", "c2lnbmF0dXJl", "bedrock"),
        n.Text(PLAN.text),
    )
    assert (answer.stop, answer.usage) == ("tool_calls", usage)


def event(name: str, **payload: Any) -> bytes:
    return frame(json.dumps(payload).encode(), name)


def test_calls_that_interleave_keep_their_arguments_apart() -> None:
    def start(index: int, id_: str) -> bytes:
        use = {"toolUse": {"toolUseId": id_, "name": "f"}}
        return event("contentBlockStart", start=use, contentBlockIndex=index)

    def more(index: int, text: str) -> bytes:
        delta = {"toolUse": {"input": text}}
        return event("contentBlockDelta", delta=delta, contentBlockIndex=index)

    frames = [start(1, "a"), start(4, "b"), more(4, '{"n'), more(1, '{"m":'), more(4, '":2}')]
    frames += [more(1, ""), more(1, "1}"), event("messageStop", stopReason="end_turn")]
    events = understood(frames)
    arguments = {
        number: "".join(
            e.arguments for e in events if isinstance(e, n.ToolDelta) and e.index == number
        )
        for number in (0, 1)
    }
    assert arguments == {0: '{"m":1}', 1: '{"n":2}'}
    assert events[-1] == n.Finish("tool_calls")  # though the model called it an end of its turn


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("validationException", "invalid_request_error"),
        ("internalServerException", "api_error"),
        ("modelStreamErrorException", "api_error"),
        ("serviceUnavailableException", "overloaded_error"),
    ],
)
def test_an_exception_ends_the_stream_without_amazons_words(exception: str, kind: str) -> None:
    headers = header(":exception-type", exception) + header(":message-type", "exception")
    body = b'{"message":"secret words"}'
    made = framed(headers, body)
    [piece] = EventStream().feed(made)
    assert kind.encode() in piece and b"secret" not in piece
    assert understood([*converse.stream(PLAN)[:3], made])[-1] == n.Failure()


def framed(headers: bytes, payload: bytes) -> bytes:
    """A frame with headers of one's own: botocore checks both its sums."""
    import binascii
    import struct

    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    head = prelude + struct.pack("!I", binascii.crc32(prelude))
    rest = head + headers + payload
    return rest + struct.pack("!I", binascii.crc32(rest))


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_a_broken_answer_is_none(reason: str) -> None:
    broken = {**converse.whole(PLAN), "stopReason": reason}
    with pytest.raises(UpstreamFailed):
        CONVERSE.read_answer(json.dumps(broken).encode())
    assert understood([event("messageStop", stopReason=reason)]) == [n.Failure()]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.dictionaries(
                st.sampled_from(
                    ["output", "message", "content", "usage", "stopReason", "text", "toolUse"]
                ),
                inner,
            )
            | st.lists(inner)
        ),
    )
)
def test_no_answer_of_another_shape_is_taken(value: Any) -> None:
    try:
        CONVERSE.read_answer(json.dumps(value).encode())
    except GatewayError as error:
        assert isinstance(error, UpstreamBadResponse | UpstreamFailed)


def test_breakpoints_go_where_the_maker_takes_them() -> None:
    tool = n.Tool("f", None, {"type": "object"}, cache_ttl_s=300)
    result = n.ToolResult("c", (n.Text("r", cache_ttl_s=300),))
    said = (n.Text("long", cache_ttl_s=3600), result)
    points = {}
    for model in MODELS:
        body = asked(*said, model=model, tools=(tool,))
        content = body["messages"][0]["content"]
        points[model.split(".")[-2] if "." in model else model] = (
            [block["cachePoint"] for block in content if "cachePoint" in block],
            len([one for one in body["toolConfig"]["tools"] if "cachePoint" in one]),
        )
    short, hour = {"type": "default"}, {"type": "default", "ttl": "1h"}
    assert points["anthropic"] == ([hour, short], 1)
    assert points["amazon"] == ([], 0)  # Titan, the last of Amazon's in the list
    assert points["meta"] == points["mistral"] == ([], 0)
    nova = asked(*said, model="amazon.nova-pro-v1:0", tools=(tool,))["messages"][0]["content"]
    assert [block["cachePoint"] for block in nova if "cachePoint" in block] == [short, short]


def test_files_have_names_of_their_own_and_formats_that_are_known() -> None:
    pdf = n.Media("document", "application/pdf", "aGk=", name="Q3 (näch)  report.v2.pdf")
    text = n.Media("document", "text/plain", "aGk=")
    content = asked(pdf, pdf, text)["messages"][0]["content"]
    names = [block["document"]["name"] for block in content]
    assert names == ["Q3 (n ch) report v2", "Q3 (n ch) report v2 2", "document"]
    for refused in (
        n.Media("image", "image/tiff", "aGk="),
        n.Media("image", "image/png", url="https://example.org/a.png"),
        n.Media("document", "application/zip", "aGk="),
    ):
        with pytest.raises(Untranslatable) as caught:
            asked(refused)
        assert caught.value.param == "messages[0]"


@pytest.mark.parametrize(
    ("model", "reasoning", "fields"),
    [
        (MODELS[0], n.Reasoning(True, "max"), ("reasoningConfig", "enabled", "high")),
        (MODELS[0], n.Reasoning(True, None, 5_000), ("reasoningConfig", "enabled", "medium")),
        (MODELS[0], n.Reasoning(False), ("reasoningConfig", "disabled", None)),
        (MODELS[5], n.Reasoning(None, "low"), ("reasoning_effort", "low", None)),
        (MODELS[2], n.Reasoning(True, None, 2_000), ("thinking", "enabled", None)),
        (MODELS[3], n.Reasoning(False), None),
        (MODELS[3], n.Reasoning(None, "low"), Untranslatable),
    ],
)
def test_reasoning_is_asked_for_in_the_makers_words(
    model: str, reasoning: n.Reasoning, fields: Any
) -> None:
    if fields is Untranslatable:
        with pytest.raises(Untranslatable):
            asked(model=model, reasoning=reasoning)
        return
    found = asked(model=model, reasoning=reasoning).get("additionalModelRequestFields")
    if fields is None:
        assert found is None
        return
    name, value, effort = fields
    got = found[name]
    assert value in (got, got["type"] if isinstance(got, dict) else None)
    if effort is not None:
        assert got["maxReasoningEffort"] == effort


@pytest.mark.parametrize("client", [CHAT, MESSAGES], ids=lambda dialect: dialect.name)
def test_signed_and_withheld_reasoning_comes_back_to_bedrock(client: n.Dialect) -> None:
    blocks = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "aGlkZGVu"}},
        {"toolUse": {"toolUseId": "t:1", "name": "f", "input": {"a": 1}}},
    ]
    whole = {**converse.whole(PLAN), "stopReason": "tool_use"}
    whole["output"] = {"message": {"role": "assistant", "content": blocks}}
    told = json.loads(client.write_answer(CONVERSE.read_answer(json.dumps(whole).encode()), FACTS))
    user = {"role": "user", "content": "hi"}
    if client is CHAT:
        turn = told["choices"][0]["message"]
        result: dict[str, Any] = {"role": "tool", "tool_call_id": "t:1", "content": "r"}
    else:
        turn = {"role": "assistant", "content": told["content"]}
        inner = {"type": "tool_result", "tool_use_id": "t:1", "content": "r"}
        result = {"role": "user", "content": [inner]}
    request = {"model": "m", "max_tokens": 9, "messages": [user, turn, result]}
    conversation = client.read_request(json.dumps(request).encode())
    sent = json.loads(CONVERSE.write_request(conversation))
    assert sent["messages"][1]["content"] == blocks
    assert sent["messages"][2]["content"][0]["toolResult"]["toolUseId"] == "t:1"


def test_tools_that_may_not_be_called_stay_away_unless_they_were_used() -> None:
    tool = n.Tool("f", None, {"type": "object"})
    never = n.ToolChoice("none")
    assert "toolConfig" not in asked(tools=(tool,), tool_choice=never)
    with pytest.raises(Untranslatable):
        asked(n.ToolResult("c", (n.Text("r"),)), tools=(tool,), tool_choice=never)


def test_writes_of_an_hour_are_told_apart_on_the_bill() -> None:
    usage = {"inputTokens": 10, "outputTokens": 4, "totalTokens": 44}
    usage |= {"cacheReadInputTokens": 20, "cacheWriteInputTokens": 10}
    details = [{"ttl": "1h", "inputTokens": 7}, {"ttl": "5m", "inputTokens": 3}]
    report = read_report("converse", json.dumps({**usage, "cacheDetails": details}).encode())
    assert report is not None and report.sane
    counted = report.usage
    assert (counted.input, counted.cache_read, counted.cache_write) == (10, 20, 3)
    assert (counted.output, dict(counted.units)) == (4, {CACHE_WRITE_1H: 7})
    bad = read_report("converse", b'{"inputTokens": -5, "outputTokens": 1e400}')
    assert bad is None or not bad.sane
