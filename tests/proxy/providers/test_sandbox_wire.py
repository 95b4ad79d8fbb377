"""The sandbox's wire: what it sends is what it says, at the pace asked for, and it can be left."""

import asyncio
import base64
import json
import struct
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._native.jsonscan import BodyMeter
from gateway._native.sse import StreamMeter
from gateway._native.tokens import Counter
from gateway.base.errors import GatewayError, UpstreamUnreachable
from gateway.platform.metering.usage import parse_report
from gateway.proxy.providers.sandbox.wire import Envelope, SandboxWire

PROMPT_TOKENS = 11
HELLO = [{"role": "user", "content": "Hello there, wörld 你好 \n\n and so on — ok!"}]
TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "parameters": {"properties": {"city": {"type": "string"}}}},
    }
    for name in ("get_weather", "get_time")
]
FLAT_TOOLS = [{"type": "function", **tool["function"]} for tool in TOOLS]  # type: ignore[dict-item]


class Listener:
    """A receiver that keeps everything, and meters it like an attempt does."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.reads: list[bytes] = []
        self.error: GatewayError | None = None
        self.over = asyncio.get_running_loop().create_future()

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        self.status, self.headers = status, headers

    def data(self, data: bytes) -> None:
        assert data
        self.reads.append(data)

    def ended(self) -> None:
        self.over.set_result(None)

    def failed(self, error: GatewayError) -> None:
        self.error = error
        self.over.set_result(None)

    @property
    def body(self) -> bytes:
        return b"".join(self.reads)

    @property
    def events(self) -> list[Any]:
        lines = self.body.split(b"\n")
        found = [line[6:] for line in lines if line.startswith(b"data: ")]
        return [json.loads(data) for data in found if data != b"[DONE]"]


def ask(
    body: dict[str, Any], options: str = "", *, model: str = "lorem", endpoint: str = "chat"
) -> tuple[SandboxWire, Listener]:
    envelope = Envelope(
        id="req_1",
        endpoint=endpoint,
        base=f"sandbox/{model}",
        model=f"sandbox/{model}:{options}",
        options=("", options),
        stream=bool(body.get("stream")),
        encoding="o200k_base",
        prompt_tokens=PROMPT_TOKENS,
        max_output_tokens=16_384,
        created_s=1,
    )
    wire, listener = SandboxWire(asyncio.get_running_loop()), Listener()
    wire.request(msgspec.json.encode(envelope) + b"\n" + json.dumps(body).encode(), listener)
    assert not listener.reads and not listener.over.done()
    return wire, listener


async def answer(body: dict[str, Any], options: str = "", **more: Any) -> Listener:
    _, listener = ask(body, options, **more)
    async with asyncio.timeout(20):
        await listener.over
    return listener


def metered(listener: Listener, endpoint: str, *, stream: bool) -> StreamMeter | BodyMeter:
    counter = partial(Counter, "o200k_base")
    meter: StreamMeter | BodyMeter
    meter = (
        StreamMeter(endpoint, counter, remove_usage=False)
        if stream
        else BodyMeter(endpoint, counter)
    )
    for read in listener.reads:
        meter.feed(read)
    meter.finish()
    return meter


REQUESTS = {
    "chat": {"messages": HELLO, "tools": TOOLS, "stream_options": {"include_usage": True}},
    "completions": {"prompt": "Hello", "stream_options": {"include_usage": True}},
    "responses": {"input": HELLO, "tools": FLAT_TOOLS},
}
LIMIT = {"chat": "max_tokens", "completions": "max_tokens", "responses": "max_output_tokens"}


@given(
    endpoint=st.sampled_from(sorted(REQUESTS)),
    stream=st.booleans(),
    model=st.sampled_from(["echo", "lorem"]),
    tokens=st.integers(0, 300),
    think=st.sampled_from([0, 0, 1, 20]),
    tool=st.integers(0, 2),
    seed=st.integers(0, 999),
    limit=st.none() | st.integers(1, 40),
    choices=st.sampled_from([1, 1, 2, 5]),
)
async def test_reported_usage_is_our_own_count(
    endpoint: str,
    stream: bool,
    model: str,
    tokens: int,
    think: int,
    tool: int,
    seed: int,
    limit: int | None,
    choices: int,
) -> None:
    body: dict[str, Any] = {**REQUESTS[endpoint], "stream": stream}
    if limit is not None:
        body[LIMIT[endpoint]] = limit
    if endpoint != "responses":
        body["n"] = choices
    options = f"tps=0,tokens={tokens},think={think},tool={tool},seed={seed}"
    said = await answer(body, options, model=model, endpoint=endpoint)
    meter = metered(said, endpoint, stream=stream)
    report = parse_report(meter.usage)
    assert said.status == 200 and report is not None and report.sane
    assert report.input_total == PROMPT_TOKENS
    assert report.output_total == meter.tokens
    if stream:  # a body names reasoning differently from dialect to dialect
        assert report.usage.reasoning == meter.reasoning_tokens
    if limit is not None and not (tool and endpoint != "completions"):
        assert meter.tokens <= limit * (choices if endpoint != "responses" else 1)


@pytest.mark.parametrize("endpoint", sorted(REQUESTS))
async def test_a_stream_and_a_whole_answer_say_the_same(endpoint: str) -> None:
    texts = []
    for stream in (False, True):
        said = await answer(
            {**REQUESTS[endpoint], "stream": stream}, "tps=0,tokens=90,seed=4", endpoint=endpoint
        )
        if stream:
            deltas = [
                event.get("delta")
                if endpoint == "responses"
                else "".join(
                    c.get("text") or c.get("delta", {}).get("content", "") for c in event["choices"]
                )
                for event in said.events
            ]
            texts.append("".join(delta for delta in deltas if isinstance(delta, str)))
        else:
            whole = json.loads(said.body)
            texts.append(
                whole["output"][0]["content"][0]["text"]
                if endpoint == "responses"
                else whole["choices"][0].get("text") or whole["choices"][0]["message"]["content"]
            )
    assert texts[0] == texts[1] and len(texts[0]) > 200


async def test_a_stream_of_openai_in_every_detail() -> None:
    body = {"messages": HELLO, "stream": True}
    said = await answer(body, "tps=0,tokens=3")
    assert said.headers[b"content-type"].startswith(b"text/event-stream")
    assert said.body.endswith(b"\n\ndata: [DONE]\n\n")
    assert all("usage" not in event for event in said.events)
    assert said.events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [event["choices"][0]["finish_reason"] for event in said.events[1:]] == [
        *(None, None, None),
        "stop",
    ]
    asked = await answer({**body, "stream_options": {"include_usage": True}}, "tps=0,tokens=3")
    assert all(event["usage"] is None for event in asked.events[:-1])
    assert asked.events[-1]["choices"] == []
    assert asked.events[-1]["usage"]["completion_tokens"] == 3
    assert asked.events[-1]["usage"]["total_tokens"] == 3 + PROMPT_TOKENS


async def test_named_events_are_numbered_and_end_with_usage() -> None:
    said = await answer(
        {"input": "hi", "stream": True, "max_output_tokens": 6},
        "tps=0,think=3",
        endpoint="responses",
    )
    assert [event["sequence_number"] for event in said.events] == list(range(len(said.events)))
    names = [line[7:].decode() for line in said.body.split(b"\n") if line.startswith(b"event: ")]
    assert names == [event["type"] for event in said.events]
    assert names[:2] == ["response.created", "response.in_progress"]
    assert names[-1] == "response.incomplete"
    response = said.events[-1]["response"]
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["usage"]["output_tokens"] == 6
    assert response["usage"]["output_tokens_details"]["reasoning_tokens"] == 3
    assert [item["type"] for item in response["output"]] == ["reasoning", "message"]


async def test_choices_differ_and_repeat() -> None:
    body = {"messages": HELLO, "n": 3}
    first, second = [json.loads((await answer(body)).body)["choices"] for _ in range(2)]
    assert first == second
    assert len({choice["message"]["content"] for choice in first}) == 3


async def test_stop_and_length() -> None:
    stopped = json.loads((await answer({"messages": HELLO, "stop": " amet"})).body)["choices"][0]
    assert stopped["message"]["content"] == "Lorem ipsum dolor sit"
    assert stopped["finish_reason"] == "stop"
    cut = json.loads((await answer({"messages": HELLO, "max_completion_tokens": 2})).body)
    assert cut["choices"][0]["message"]["content"] == "Lorem ipsum"
    assert cut["choices"][0]["finish_reason"] == "length"
    echoed = await answer({"messages": HELLO, "max_tokens": 2}, model="echo")
    assert json.loads(echoed.body)["choices"][0]["finish_reason"] == "length"


async def test_echo_returns_the_last_user_text() -> None:
    parts = [{"type": "text", "text": "a b"}, {"type": "image_url", "image_url": {"url": "x"}}]
    messages = [*HELLO, {"role": "user", "content": parts}, {"role": "assistant", "content": "no"}]
    said = await answer({"messages": messages}, model="echo")
    choice = json.loads(said.body)["choices"][0]
    assert choice["message"]["content"] == "a b" and choice["finish_reason"] == "stop"


async def test_tools_are_called_once_and_then_answered() -> None:
    body = {"messages": HELLO, "tools": TOOLS}
    called = json.loads((await answer(body, "tool=2")).body)["choices"][0]
    calls = called["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["get_weather", "get_time"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [
        {"city": "lorem ipsum"}
    ] * 2
    assert called["finish_reason"] == "tool_calls" and called["message"]["content"] is None
    assert len({call["id"] for call in calls}) == 2
    done = [*HELLO, {"role": "tool", "tool_call_id": "x", "content": "sunny"}]
    after = json.loads((await answer({**body, "messages": done}, "tool=2")).body)["choices"][0]
    assert after["message"]["content"] and "tool_calls" not in after["message"]
    named = {**body, "tool_choice": {"type": "function", "function": {"name": "get_time"}}}
    only = json.loads((await answer(named)).body)["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["name"] for call in only] == ["get_time"]


# --- errors and faults ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_an_error_on_request(status: int) -> None:
    said = await answer({"messages": HELLO, "stream": True}, f"error={status},retry_after=7")
    assert said.status == status
    assert set(json.loads(said.body)["error"]) == {"message", "type", "param", "code"}
    assert said.headers.get(b"retry-after") == (b"7" if status in (429, 503) else None)


@pytest.mark.parametrize(
    ("body", "more", "words"),
    [
        ({"messages": HELLO}, {"options": "foo=1"}, "Unknown sandbox option 'foo'"),
        ({"messages": HELLO}, {"model": "other"}, "has only sandbox/echo and sandbox/lorem"),
        ({"messages": []}, {}, "`messages` must not be empty"),
        ({"messages": "secret"}, {}, "Expected `array`, got `str`"),
        ({"messages": HELLO, "stop": list("abcde")}, {}, "At most 4 stop sequences"),
        (
            {"messages": HELLO, "tools": TOOLS, "tool_choice": {"function": {"name": "x"}}},
            {},
            "no t",
        ),
        ({"messages": HELLO, "response_format": {"type": "json_schema"}}, {}, "has no schema"),
        ({"prompt": ["a", "b"]}, {"endpoint": "completions"}, "one text as `prompt`"),
        ({}, {"endpoint": "responses"}, "`input` is missing"),
        ({"input": []}, {"endpoint": "embeddings"}, "takes 1 to 2048"),
        ({"input": ["a", ""]}, {"endpoint": "embeddings"}, "none of them empty"),
        ({"input": "a", "dimensions": 0}, {"endpoint": "embeddings"}, "Expected `int` >= 1"),
    ],
)
async def test_a_wrong_request_is_explained(
    body: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    said = await answer(body, **more)
    assert said.status == 400
    assert words in json.loads(said.body)["error"]["message"]
    assert b"secret" not in said.body


async def test_faults_inside_a_stream() -> None:
    body = {"messages": HELLO, "stream": True}
    reset = await answer(body, "tps=0,fault=reset,at=3")
    assert isinstance(reset.error, UpstreamUnreachable) and len(reset.events) == 4
    early = await answer(body, "fault=reset")
    assert isinstance(early.error, UpstreamUnreachable) and early.status == 0
    cut = await answer(body, "tps=0,fault=cut,at=3")
    assert cut.error is None and not cut.body.endswith(b"\n\n") and b"[DONE]" not in cut.body
    broken = await answer(body, "tps=0,fault=error,at=3")
    assert broken.events[-1]["error"]["type"] == "server_error" and b"[DONE]" not in broken.body
    whole = await answer({"messages": HELLO}, "fault=error,at=3")
    assert whole.status == 200 and "error" in json.loads(whole.body)
    flat = await answer(
        {"input": "a", "stream": True}, "tps=0,fault=error,at=1", endpoint="responses"
    )
    assert flat.events[-1]["type"] == "error"


async def test_a_hanging_answer_waits_until_it_is_abandoned() -> None:
    wire, listener = ask({"messages": HELLO, "stream": True}, "tps=0,fault=hang,at=2")
    async with asyncio.timeout(5):
        while not listener.reads:
            await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(listener.events) == 3 and not listener.over.done() and not wire.closed
    wire.abandon()
    assert wire.closed


@pytest.mark.parametrize("usage", ["none", "zero", "absurd"])
async def test_usage_can_be_wrong_on_purpose(usage: str) -> None:
    said = json.loads((await answer({"messages": HELLO}, f"usage={usage}")).body)
    numbers = said.get("usage")
    assert {"none": numbers is None, "zero": numbers and numbers["total_tokens"] == 0}.get(
        usage, numbers and numbers["prompt_tokens"] < 0
    )


# --- pace ----------------------------------------------------------------------------------------


async def test_a_paused_wire_makes_nothing_and_goes_on_after() -> None:
    body = {"messages": HELLO, "stream": True}
    wire, listener = ask(body, "tps=0,tokens=5000")
    while not listener.reads:
        await asyncio.sleep(0)
    wire.pause()
    wire.pause()
    held = len(listener.reads)
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(listener.reads) == held
    wire.resume()
    wire.resume()
    async with asyncio.timeout(20):
        await listener.over
    assert len(listener.events) == 5002


async def test_pausing_before_the_answer_begins_holds_it_back() -> None:
    wire, listener = ask({"messages": HELLO, "stream": True}, "tps=0")
    wire.pause()
    for _ in range(50):
        await asyncio.sleep(0)
    assert not listener.reads
    wire.resume()
    async with asyncio.timeout(20):
        await listener.over
    assert listener.body.endswith(b"data: [DONE]\n\n")


async def test_an_abandoned_wire_never_calls_again() -> None:
    for turns in range(8):
        wire, listener = ask({"messages": HELLO, "stream": True}, "tps=0,tokens=5000")
        for _ in range(turns):
            await asyncio.sleep(0)
        wire.abandon()
        heard = len(listener.reads)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(listener.reads) == heard and not listener.over.done() and wire.closed


async def test_a_pace_is_kept_and_every_token_is_its_own_event() -> None:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    said = await answer({"messages": HELLO, "stream": True}, "tps=100,tokens=20,delay_ms=50")
    # Never faster than asked; how much slower depends on the machine.
    assert loop.time() - started_s >= 0.05 + 19 / 100 - 0.01
    assert len(said.events) == 22


# --- embeddings ----------------------------------------------------------------------------------


async def test_embeddings_as_numbers_and_packed() -> None:
    body = {"input": ["a", "b", "a"], "dimensions": 16}
    plain = json.loads((await answer(body, endpoint="embeddings")).body)
    packed = json.loads(
        (await answer({**body, "encoding_format": "base64"}, endpoint="embeddings")).body
    )
    vectors = [item["embedding"] for item in plain["data"]]
    assert vectors[0] == vectors[2] != vectors[1]
    assert [item["index"] for item in plain["data"]] == [0, 1, 2]
    assert plain["usage"] == {"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS}
    for numbers, item in zip(vectors, packed["data"], strict=True):
        unpacked = struct.unpack("<16f", base64.b64decode(item["embedding"]))
        assert unpacked == pytest.approx(numbers, rel=1e-6)


async def test_many_embeddings_do_not_hold_the_loop() -> None:
    turns = 0

    async def spin() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    spinning = asyncio.ensure_future(spin())
    said = await answer({"input": ["x"] * 2048, "dimensions": 8}, endpoint="embeddings")
    spinning.cancel()
    assert len(json.loads(said.body)["data"]) == 2048
    assert turns >= 2048 // 32
