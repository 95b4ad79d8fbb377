"""The stream meter's rules one by one: what is forwarded, withheld, removed, bounded, counted."""

import json
import resource

import pytest

from gateway._native.recorder import Recorder
from gateway._native.sse import StreamMeter
from gateway._native.tokens import Counter

HELLO = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"


def counter() -> Counter:
    return Counter("o200k_base")


def stream_meter(dialect: str = "chat", remove_usage: bool = True, **options: int) -> StreamMeter:
    return StreamMeter(dialect, counter, remove_usage=remove_usage, **options)


def test_a_plain_chunk_is_passed_as_the_same_object() -> None:
    meter = stream_meter()
    chunk = HELLO + b": a comment\n\n" + HELLO
    assert meter.feed(chunk) is chunk
    assert meter.events == 2


def test_the_extra_usage_chunk_goes_only_when_it_was_not_asked_for() -> None:
    meter = stream_meter()
    assert meter.feed(HELLO + b": note\n" + USAGE + HELLO) == HELLO + HELLO
    assert meter.usage == b'{"prompt_tokens":3}'
    asked = stream_meter(remove_usage=False)
    assert asked.feed(HELLO + USAGE) == HELLO + USAGE
    assert asked.usage == meter.usage


@pytest.mark.parametrize(
    "chunk",
    [
        b'data: {"choices":[],"prompt_filter_results":[]}\n\n',
        b'data: {"choices":[],"usage":null}\n\n',
        b'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":1}\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":1},"pad":"' + b"x" * 16384 + b'"}\n\n',
    ],
)
def test_what_is_not_a_usage_chunk_is_passed_at_every_split(chunk: bytes) -> None:
    for size in (1, 7, len(chunk)):
        meter = stream_meter()
        pieces = [meter.feed(chunk[i : i + size]) or b"" for i in range(0, len(chunk), size)]
        assert b"".join(pieces) == chunk
        assert meter.held == b""


@pytest.mark.parametrize(
    ("dialect", "last"),
    [
        ("chat", DONE),
        ("completions", b"data:[DONE]\r\n\r\n"),
        (
            "responses",
            b'event: response.completed\ndata: {"type":"response.completed",'
            b'"response":{"usage":{"input_tokens":1}}}\n\n',
        ),
        ("anthropic", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    ],
)
def test_the_end_is_withheld_from_its_first_byte(dialect: str, last: bytes) -> None:
    first = b'data: {"type":"ping","choices":[{}]}\n\n'
    for size in (1, 5, 1000):
        meter = stream_meter(dialect)
        stream = first + last
        pieces = [meter.feed(stream[i : i + size]) or b"" for i in range(0, len(stream), size)]
        assert b"".join(pieces) == first
        assert meter.done
        assert meter.held == last
        assert meter.feed(b"more") is None
        assert meter.take_tail() == last + b"more"
        assert meter.held == b""


def test_the_terminal_event_is_done_only_when_its_usage_is_known() -> None:
    meter = stream_meter("responses")
    event = b'data: {"type":"response.incomplete","response":{"usage":{"output_tokens":7}}}\n\n'
    assert meter.feed(event[:-20]) is None
    assert meter.ending and not meter.done and meter.usage is None
    assert meter.feed(event[-20:]) is None
    assert meter.done and meter.usage == b'{"output_tokens":7}'
    assert meter.finish_seen


def test_what_follows_the_end_is_bounded() -> None:
    meter = stream_meter()
    meter.feed(DONE)
    for _ in range(100):
        meter.feed(b"x" * 10_000)
    assert len(meter.take_tail()) == len(DONE) + 65536


def test_a_large_terminal_event_is_withheld_whole() -> None:
    meter = stream_meter("responses")
    event = (
        b'data: {"type":"response.completed","response":{"output":"'
        + b"x" * 1_000_000
        + b'","usage":{"input_tokens":1}}}\n\n'
    )
    assert all(meter.feed(event[i : i + 4096]) is None for i in range(0, len(event), 4096))
    assert meter.done and meter.take_tail() == event


def test_an_unfinished_harmless_event_is_not_held() -> None:
    meter = stream_meter(remove_usage=False)
    assert meter.feed(b'data: {"id":') == b'data: {"id":'
    removing = stream_meter()
    assert removing.feed(b'data: {"id":"c","choices":[') is None
    start = b'data: {"id":"c","choices":[{'
    assert removing.feed(b"{") == start
    named = stream_meter("responses")
    delta = b'data: {"type":"response.output_text.delta","del'
    assert named.feed(delta) == delta


def test_a_stream_may_end_without_its_blank_line() -> None:
    meter = stream_meter()
    assert meter.feed(HELLO + b"data: [DONE]") == HELLO
    assert meter.ending and not meter.done
    meter.finish()
    assert meter.done and meter.truncated and meter.take_tail() == b"data: [DONE]"
    cut = stream_meter()
    cut.feed(HELLO + USAGE[:-1])
    cut.finish()
    assert cut.truncated and not cut.done
    assert cut.usage == b'{"prompt_tokens":3}'
    assert cut.take_tail() == USAGE[:-1]


def test_an_error_event_passes_and_is_kept() -> None:
    meter = stream_meter()
    event = b'data: {"error":{"code":502,"message":"gone"},"choices":[]}\n\n'
    assert meter.feed(event) is event
    assert json.loads(meter.error or b"") == {"code": 502, "message": "gone"}
    flat = stream_meter("responses")
    flat.feed(b'data: {"type":"error","code":"c","message":"m","param":null}\n\n')
    assert json.loads(flat.error or b"") == {"type": "error", "code": "c", "message": "m"}
    null = stream_meter()
    null.feed(b'data: {"error":null,"choices":[]}\n\n')
    assert null.error is None


def test_anthropic_usage_comes_in_two_parts() -> None:
    meter = stream_meter("anthropic")
    meter.feed(
        b'data: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":9,'
        b'"service_tier":"priority"}}}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
        b'"usage":{"output_tokens":2}}\n\n'
    )
    assert json.loads(meter.usage_start or b"")["input_tokens"] == 9
    assert meter.usage == b'{"output_tokens":2}'
    assert (meter.model, meter.service_tier, meter.finish_seen) == ("m", "priority", True)


def gemini(*parts: dict[str, object], **candidate: object) -> bytes:
    one = {"content": {"parts": list(parts), "role": "model"}, **candidate}
    answer = {"candidates": [one], "usageMetadata": {"promptTokenCount": 3}}
    return b"data: " + json.dumps(answer).encode() + b"\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_gemini_stream_has_no_end_and_tells_thoughts_after_their_text(size: int) -> None:
    made: list[Recorder] = []

    def factory() -> Recorder:
        made.append(Recorder("o200k_base"))
        return made[-1]

    stream = gemini({"text": "one", "thought": True}, {"text": "two"}, index=0)
    stream += gemini({"thought": True, "text": "three"})
    stream += gemini({"functionCall": {"name": "f", "args": {"a": [1, "x"]}}}, finishReason="STOP")
    meter = StreamMeter("gemini", factory, remove_usage=True)
    pieces = [meter.feed(stream[at : at + size]) or b"" for at in range(0, len(stream), size)]
    assert b"".join(pieces) == stream and meter.held == b""
    assert meter.finish_seen and not meter.done
    meter.finish()
    assert not meter.truncated and meter.usage == b'{"promptTokenCount": 3}'
    assert [one.pieces for one in made] == [[b"one", b"two", b"three", b"f", b'{"a": [1, "x"]}']]
    assert 0 < meter.reasoning_tokens < meter.tokens


def test_a_thought_too_long_to_wait_is_counted_all_the_same() -> None:
    meter = stream_meter("gemini")
    meter.feed(gemini({"text": "word " * 4000, "thought": True}))
    alone = counter()
    alone.feed("word " * 4000)
    assert meter.finish() == alone.finish()


def test_reasoning_and_output_are_told_apart() -> None:
    meter = stream_meter()
    chunk = 'data: {"choices":[{"index":0,"delta":{%s}}]}\n\n'
    meter.feed((chunk % '"reasoning_content":"one two three four"').encode())
    meter.feed((chunk % '"content":"five six"').encode())
    total = meter.finish()
    alone = counter()
    alone.feed("one two three four")
    assert meter.reasoning_tokens == alone.finish() > 0
    assert total == meter.tokens > meter.reasoning_tokens
    silent = stream_meter()
    silent.feed(HELLO.replace(b"hello", b""))
    assert not silent.output_seen and silent.finish() == 0
    silent.feed(b'data: {"choices":[{"delta":{"tool_calls":[{"id":"t"}]}}]}\n\n')
    assert silent.output_seen


def test_choices_beyond_the_limit_share_the_last_counter() -> None:
    made: list[Recorder] = []

    def factory() -> Recorder:
        made.append(Recorder("o200k_base"))
        return made[-1]

    meter = StreamMeter("chat", factory, remove_usage=False, max_choices=2)
    for index in (0, 1, 2, 10**30, -1):
        meter.feed(b'data: {"choices":[{"index":%d,"delta":{"content":"x"}}]}\n\n' % index)
    assert [r.text for r in made] == [b"xx", b"xxx"]


def test_a_failing_factory_is_raised_from_feed() -> None:
    def fails() -> Counter:
        raise LookupError("no such vocabulary")

    meter = StreamMeter("chat", fails, remove_usage=True)
    with pytest.raises(LookupError):
        meter.feed(HELLO)
    with pytest.raises(ValueError, match="dialect"):
        stream_meter("gopher")


def test_an_event_that_grows_too_large_is_cut_at_the_limit() -> None:
    for size in (1, 100, 5000):
        meter = stream_meter(remove_usage=False, max_event_bytes=1000)
        stream = HELLO + b"data: {" + b"x" * 3000
        pieces = [meter.feed(stream[i : i + size]) or b"" for i in range(0, len(stream), size)]
        assert meter.too_large
        assert b"".join(pieces) == stream[: len(HELLO) + 1000]


def test_a_hundred_megabytes_in_one_line_take_no_memory() -> None:
    meter = stream_meter(remove_usage=False, max_event_bytes=1 << 30)
    piece = b"y" * (1 << 20)
    meter.feed(b'data: {"choices":[{"index":0,"other":"')
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        assert meter.feed(piece) is piece
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096
    meter.feed(b'"}],"usage":{"completion_tokens":1}}\n\n')
    assert meter.usage == b'{"completion_tokens":1}'


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"a":' * 200_000,
        b'{"choices":[{"index":' + b"9" * 100_000 + b',"delta":{"content":"x"}}]}',
        b"{" + b",".join(b'"k%d":0' % i for i in range(1_000_000)) + b"}",
        b'{"model":"' + b"m" * 10_000 + b'"}',
        b'{"usage":{"x":"' + b"u" * 10_000 + b'"},"choices":[]}',
        bytes(range(256)) * 10,
    ],
)
def test_hostile_data_does_no_harm(hostile: bytes) -> None:
    meter = stream_meter()
    out = meter.feed(b"data: " + hostile + b"\n\n" + HELLO) or b""
    assert out.endswith(HELLO)
    assert meter.finish() > 0
    assert meter.usage is None and meter.model is None


def test_an_idle_meter_is_small() -> None:
    meter = stream_meter()
    meter.feed(HELLO)
    assert meter.__sizeof__() <= 2048
