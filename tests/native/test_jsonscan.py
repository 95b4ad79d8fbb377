"""The body meter: a whole JSON answer in pieces equals what json.loads says of it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway._native.jsonscan import BodyMeter
from gateway._native.recorder import Recorder
from gateway._native.tokens import Counter
from tests.native.stream_oracle import join_surrogates

texts = st.text(max_size=20) | st.sampled_from(["\ud83d", "\ude00", '"\n\\', "", "x" * 9000])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def play(dialect: str, body: bytes, size: int) -> tuple[BodyMeter, list[Recorder]]:
    made: list[Recorder] = []

    def factory() -> Recorder:
        made.append(Recorder("o200k_base"))
        return made[-1]

    meter = BodyMeter(dialect, factory)
    for at in range(0, len(body), size):
        meter.feed(body[at : at + size])
    meter.finish()
    return meter, made


ANSWERS: dict[str, tuple[dict[str, Any], list[list[bytes]]]] = {
    "chat": (
        {
            "model": "m",
            "service_tier": "flex",
            "choices": [
                {
                    "message": {
                        "content": "one 😀",
                        "reasoning": "why",
                        "tool_calls": [
                            {"function": {"name": "f", "arguments": '{"a":1}'}},
                            {"function": {"name": "g", "arguments": "{}"}},
                        ],
                    },
                    "finish_reason": "stop",
                    "index": 1,
                },
                {"index": 0, "message": {"content": "two"}},
            ],
            "usage": {"prompt_tokens": 1},
        },
        [["one 😀".encode(), b"why", b"f", b'{"a":1}', b"g", b"{}"], [b"two"]],
    ),
    "completions": (
        {"model": "m", "service_tier": "flex", "choices": [{"text": "x", "finish_reason": "stop"}],
         "usage": {"prompt_tokens": 1}},
        [[b"x"]],
    ),
    "responses": (
        {
            "model": "m",
            "service_tier": "flex",
            "output": [
                {"type": "reasoning", "summary": [{"text": "s"}]},
                {"type": "message", "content": [{"text": "a"}, {"text": "b"}]},
                {"type": "function_call", "name": "f", "arguments": "{}"},
            ],
            "usage": {"prompt_tokens": 1},
        },
        [[b"s", b"a", b"b", b"f", b"{}"]],
    ),
    "anthropic": (
        {
            "model": "m",
            "content": [
                {"type": "thinking", "thinking": "t"},
                {"type": "text", "text": "a"},
                {"type": "tool_use", "name": "f", "input": {"text": [1, {"k": None}]}},
            ],
            "stop_reason": "tool_use",
            "usage": {"prompt_tokens": 1, "service_tier": "flex"},
        },
        [[b"t", b"a", b"f", b'{"text": [1, {"k": null}]}']],
    ),
    "gemini": (
        {
            "modelVersion": "m",
            "candidates": [
                {
                    "content": {
                        "parts": [
                            {"text": "why", "thought": True},
                            {"text": "a"},
                            {"text": "b"},
                            {"functionCall": {"args": {"k": [1]}, "name": "f"}},
                        ]
                    },
                    "finishReason": "STOP",
                },
                {"index": 1, "content": {"parts": [{"text": "two"}]}},
            ],
            "usageMetadata": {"promptTokenCount": 1},
        },
        [[b"why", b"a", b"b", b'{"k": [1]}', b"f"], [b"two"]],
    ),
    "embeddings": (
        {"model": "m", "service_tier": "flex", "data": [{"embedding": [0.5, -1e-9]}],
         "usage": {"prompt_tokens": 1}},
        [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", ANSWERS)
@pytest.mark.parametrize("size", [1, 3, 64, 1 << 20])
def test_an_answer_is_metered(dialect: str, size: int) -> None:
    answer, pieces = ANSWERS[dialect]
    meter, made = play(dialect, json.dumps(answer).encode(), size)
    assert [r.pieces for r in made] == pieces
    usage = answer["usageMetadata" if dialect == "gemini" else "usage"]
    assert meter.usage is not None and json.loads(meter.usage) == usage
    assert (meter.model, meter.service_tier) == ("m", None if dialect == "gemini" else "flex")
    assert meter.output_seen == bool(pieces) or dialect == "embeddings"
    assert not meter.malformed and meter.error is None
    assert meter.tokens == meter.finish() == sum(r.count for r in made)


@settings(max_examples=300, deadline=None)
@given(value=values, ascii_only=st.booleans(), size=st.integers(1, 50))
def test_any_value_is_valid_and_any_text_is_exact(value: Any, ascii_only: bool, size: int) -> None:
    text = json.dumps(
        {"x": value, "choices": [{"message": {"content": value if isinstance(value, str) else ""}}]}
        if ascii_only
        else value
    )
    invalid = any(word in text for word in ("NaN", "Infinity")) and not json_is_strict(text)
    meter, made = play("chat", text.encode(), size)
    assert meter.malformed == invalid
    if ascii_only and isinstance(value, str) and value:
        assert made[0].text == join_surrogates(value).encode()


def json_is_strict(text: str) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


@settings(max_examples=500, deadline=None)
@given(
    text=st.text(alphabet='{}[]",:\\ntruefalsn0123456789.eE+- \n\tu\x01\x7f', max_size=24),
    size=st.integers(1, 5),
)
def test_validity_is_that_of_json_loads(text: str, size: int) -> None:
    assert play("chat", text.encode(), size)[0].malformed == (not json_is_strict(text))


def test_a_malformed_body_gives_no_usage() -> None:
    meter, made = play("chat", b'{"usage":{"prompt_tokens":1},"error":{"a":1}', 4)
    assert meter.malformed and meter.usage is None and meter.error is None
    assert not made


def test_a_long_usage_is_flagged_and_a_long_error_cut() -> None:
    long = json.dumps({"usage": {"x": "y" * 5000}, "error": {"message": "z" * 5000}}).encode()
    meter, _ = play("chat", long, 100)
    assert meter.usage is None and meter.usage_overflow
    assert meter.error is not None and len(meter.error) == 4096


def test_of_duplicate_members_the_last_counts() -> None:
    meter, _ = play("chat", b'{"usage":{"a":1},"usage":{"a":2}}', 5)
    assert meter.usage == b'{"a":2}'
    meter, _ = play("chat", b'{"usage":{"a":1},"usage":null}', 5)
    assert meter.usage is None


def test_keys_are_compared_decoded() -> None:
    meter, _ = play("chat", rb'{"us\u0061ge":{"a":1},"m\u006fdel":"\u006d"}', 3)
    assert meter.usage == b'{"a":1}' and meter.model == "m"


def test_a_text_longer_than_what_may_wait_for_its_index_is_counted_by_position() -> None:
    body = b'{"choices":[{"message":{"content":"%s"},"index":7},{"message":{"content":"b"}}]}'
    for size in (1, 1000, 1 << 20):
        _, made = play("chat", body % (b"a" * 20_000), size)
        assert [len(r.text) for r in made] == [20_000, 1]


def test_wrong_uses_are_refused() -> None:
    meter = BodyMeter("chat", lambda: Counter("o200k_base"))
    meter.finish()
    with pytest.raises(RuntimeError):
        meter.feed(b"{}")
    with pytest.raises(ValueError, match="dialect"):
        BodyMeter("gopher", lambda: Counter("o200k_base"))
