"""The stream meter against the plain oracle: any events, any line ends, any split."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway._native.recorder import Recorder
from gateway._native.sse import StreamMeter
from tests.native.stream_oracle import expect, pieces_by_choice

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["\ud83d", "\ude00", "a\ud83d", "\ude00b", "\ud83d\ud83d", "", '"\\/\b\f\n\r\t']
    ),
    st.text(alphabet=st.characters(categories=["Cs", "Lo"]), max_size=6),
)
clean = st.text(max_size=10)
scraps = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | clean,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(clean, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
usages = st.dictionaries(st.sampled_from(["prompt_tokens", "x", "y"]), scraps, max_size=3)
functions = st.fixed_dictionaries({}, optional={"name": texts, "arguments": texts})


def shuffled(pairs: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return pairs.flatmap(lambda d: st.permutations(list(d.items())).map(dict))


deltas = shuffled(
    st.fixed_dictionaries(
        {},
        optional={
            "role": clean,
            "content": texts | st.none() | st.lists(st.fixed_dictionaries({"text": texts})),
            "reasoning": texts,
            "reasoning_content": texts,
            "refusal": st.none() | texts,
            "tool_calls": st.lists(st.fixed_dictionaries({"function": functions}), max_size=2),
            "function_call": st.none() | functions,
            "audio": st.none() | st.fixed_dictionaries({"transcript": texts}),
            "elsewhere": scraps,
        },
    )
)
choices = shuffled(
    st.fixed_dictionaries(
        {},
        optional={
            "index": st.integers(0, 3),
            "delta": deltas,
            "text": texts,
            "logprobs": scraps,
            "finish_reason": st.none() | st.just("stop"),
        },
    )
)
chunks = shuffled(
    st.fixed_dictionaries(
        {},
        optional={
            "id": clean,
            "model": st.none() | clean,
            "choices": st.lists(choices, max_size=3),
            "usage": st.none() | usages,
            "error": st.none() | st.dictionaries(clean, scraps, max_size=2),
        },
    )
)
# What most chunks look like; equal beginnings are what the scanner's memo is about.
usual = texts.map(lambda t: {"id": "c", "choices": [{"index": 0, "delta": {"content": t}}]})
types = st.sampled_from(
    [
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
        "response.output_item.added",
        "response.output_text.done",
        "response.created",
    ]
)
responses = shuffled(
    st.fixed_dictionaries(
        {"type": types},
        optional={
            "output_index": st.integers(0, 3),
            "delta": texts,
            "item": st.fixed_dictionaries({"type": clean, "name": texts}),
            "sequence_number": st.integers(),
            "response": st.fixed_dictionaries(
                {}, optional={"usage": st.none() | usages, "model": clean, "output": scraps}
            ),
        },
    )
)
anthropic = shuffled(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["message_start", "content_block_delta", "ping"])},
        optional={
            "delta": st.dictionaries(
                st.sampled_from(["text", "thinking", "partial_json", "signature"]), texts
            ),
            "content_block": st.fixed_dictionaries({"name": texts, "text": texts, "input": scraps}),
            "message": st.fixed_dictionaries({"usage": usages, "model": clean}),
            "usage": usages,
            "index": st.integers(0, 9),
        },
    )
)
parts = shuffled(
    st.fixed_dictionaries(
        {},
        optional={
            "text": texts,
            "thought": st.booleans(),
            "thoughtSignature": clean,
            "functionCall": st.fixed_dictionaries({}, optional={"name": texts, "id": clean}),
        },
    )
)
candidates = shuffled(
    st.fixed_dictionaries(
        {},
        optional={
            "content": st.fixed_dictionaries({"parts": st.lists(parts, max_size=3)}),
            "index": st.integers(0, 3),
            "finishReason": st.just("STOP"),
            "safetyRatings": scraps,
        },
    )
)
gemini = shuffled(
    st.fixed_dictionaries(
        {},
        optional={
            "candidates": st.lists(candidates, max_size=3),
            "usageMetadata": usages,
            "modelVersion": clean,
            "error": st.dictionaries(clean, scraps, max_size=2),
        },
    )
)
OBJECTS = {
    "gemini": gemini,
    "chat": chunks | usual,
    "completions": chunks | usual,
    "responses": responses,
    "anthropic": anthropic,
}
# Streams whose chunks differ in their text alone: what stands before it and after it.
CHAT = ('{"id":"c","choices":[{"index":0,"delta":{"content":', '{"choices":[{"delta":{"reasoning":')
RESPONSE = '{"type":"response.output_text.delta","output_index":1,"delta":'
BLOCK = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
CANDIDATE = '{"candidates":[{"content":{"parts":[{"text":'
ALIKE = {
    "chat": [
        (before, after)
        for before in CHAT
        for after in (
            '},"logprobs":null,"finish_reason":null}],"usage":null}',
            '},"finish_reason":"stop"}]}',
            '},"index":2}]}',
            '}}],"usage":{"x":1}}',
            '}}],"usage":{"x":1},"usage":null}',
            ',"refusal":"no"}}]}',
            '}},{"index":3,"delta":{"content":"z"}}]}',
            '}}],"model":"m","service_tier":"flex"}',
            '}}],"error":null}',
            '}}],"error":{"message":"m"}}',
            '}}],"choices":[]}',
        )
    ],
    "completions": [('{"choices":[{"text":', ',"index":1,"finish_reason":null}]}')],
    "responses": [
        (RESPONSE, ',"logprobs":[]}'),
        (RESPONSE, ',"obfuscation":"ab"}'),
        (RESPONSE, ',"output_index":0}'),
        (RESPONSE, ',"response":{"usage":{"x":1}}}'),
    ],
    "anthropic": [
        (BLOCK, "}}"),
        (BLOCK, '},"usage":{"x":1}}'),
        (BLOCK, ',"thinking":"hm"},"index":1}'),
    ],
    "gemini": [
        (CANDIDATE, "}]}}]}"),
        (CANDIDATE, ',"thought":true}]},"index":1}],"usageMetadata":{"x":1}}'),
    ],
}
ENDINGS = {
    "gemini": [(None, '{"candidates":[{"finishReason":"STOP"}]}')],
    "chat": [(None, "[DONE]"), (None, "[DONE] and more")],
    "completions": [(None, "[DONE]")],
    "responses": [
        ("response.completed", '{"type":"response.completed","response":{"usage":{"a":1}}}'),
        (None, '{"type":"response.incomplete","response":{"error":{"a":1}}}'),
        (None, '{"response":{"usage":{"late":2}},"type":"response.failed"}'),
    ],
    "anthropic": [("message_stop", '{"type":"message_stop"}'), (None, '{"type":"message_stop"}')],
}


@st.composite
def streams(draw: st.DrawFn, dialect: str) -> bytes:
    out = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    eols = st.sampled_from([b"\n", b"\r\n", b"\r"])
    eol = draw(eols)
    alike = draw(st.none() | st.sampled_from(ALIKE[dialect]))
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.integers(0, 9)) == 0:
            eol = draw(eols)
        if draw(st.integers(0, 4)) == 0:
            out += b": a comment" + eol + draw(st.sampled_from([b"", eol]))
        if alike is not None and draw(st.integers(0, 3)):
            value = json.loads(alike[0] + json.dumps(draw(texts)) + alike[1])
        else:
            value = draw(OBJECTS[dialect])
        spaced = draw(st.integers(0, 4)) == 0
        text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=1 if spaced else None)
        # A lone surrogate can only be written as an escape.
        if any("\ud800" <= c <= "\udfff" for c in text):
            text = json.dumps(value, indent=1 if spaced else None)
        if draw(st.integers(0, 14)) == 0:
            text = draw(
                st.sampled_from(["", "{", "[1,]", '{"a" 1}', "01", "nul", "[[DONE]", '"\t"'])
            )
        out += lines(text, eol, draw(st.sampled_from([b"", b" "])))
    if draw(st.booleans()):
        name, text = draw(st.sampled_from(ENDINGS[dialect]))
        out += b"event: " + name.encode() + eol if name else b""
        out += lines(text, eol, b" ") + draw(st.sampled_from([b"", b": bye" + eol, b"data: {}"]))
    return out


def lines(text: str, eol: bytes, space: bytes) -> bytes:
    return b"".join(b"data:" + space + line.encode() + eol for line in text.split("\n")) + eol


def play(
    dialect: str, stream: bytes, remove_usage: bool, sizes: list[int]
) -> tuple[bytes, StreamMeter, list[Recorder]]:
    recorders: list[Recorder] = []

    def factory() -> Recorder:
        recorders.append(Recorder("o200k_base"))
        return recorders[-1]

    meter = StreamMeter(dialect, factory, remove_usage=remove_usage)
    forwarded, at, i = b"", 0, 0
    while at < len(stream):
        size = sizes[i % len(sizes)]
        forwarded += meter.feed(stream[at : at + size]) or b""
        at, i = at + size, i + 1
    meter.finish()
    return forwarded, meter, recorders


def check(dialect: str, stream: bytes, remove_usage: bool, sizes: list[int]) -> None:
    want = expect(dialect, stream, remove_usage)
    forwarded, meter, recorders = play(dialect, stream, remove_usage, sizes)
    assert forwarded + meter.held == want.forwarded + want.held
    if meter.ending:
        assert (forwarded, meter.held) == (want.forwarded, want.held)
    assert (meter.usage and json.loads(meter.usage)) == want.usage
    assert (meter.usage_start and json.loads(meter.usage_start)) == want.usage_start
    assert (meter.error and json.loads(meter.error)) == want.error
    assert meter.model == want.model
    assert meter.usage_events == want.usage_events
    assert meter.malformed_events == want.malformed
    # A choice whose first text is half a surrogate pair speaks later than it was spoken to.
    assert sorted(r.pieces for r in recorders) == sorted(pieces_by_choice(want.texts))
    assert meter.output_seen or not recorders


sizes = st.one_of(
    st.just([1]), st.just([1 << 20]), st.lists(st.integers(1, 40), min_size=1, max_size=8)
)


@pytest.mark.parametrize("dialect", OBJECTS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_split_equals_the_oracle(dialect: str, data: st.DataObject) -> None:
    stream = data.draw(streams(dialect))
    remove_usage = data.draw(st.booleans())
    check(dialect, stream, remove_usage, data.draw(sizes))
    # Byte by byte nothing is remembered of one event for the next.
    _, whole, _ = play(dialect, stream, remove_usage, [1 << 20])
    _, single, _ = play(dialect, stream, remove_usage, [1])
    for name in ("finish_seen", "output_seen", "service_tier", "model", "usage", "error"):
        assert getattr(whole, name) == getattr(single, name), name


@settings(max_examples=15, deadline=None)
@given(stream=streams("chat"), remove_usage=st.booleans())
def test_every_single_cut_gives_the_same(stream: bytes, remove_usage: bool) -> None:
    for cut in range(1, len(stream)):
        check("chat", stream, remove_usage, [cut, len(stream)])
