"""The native reader of usage objects against a decoder of the same fields."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway._native.jsonscan import usual_usage

USUAL = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0, "cache_write_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3, "accepted_prediction_tokens": 0},
    "cost": 1.5e-3,
    "service": "default",
    "flags": [True, False, None, [], {}, [{"deep": -0.5}]],
}


def expected(data: dict[str, Any]) -> tuple[int, int | None, int, int, int]:
    inner = data.get("prompt_tokens_details") or {}
    outer = data.get("completion_tokens_details") or {}
    cached = inner.get("cached_tokens")
    if cached is None:
        cached = data.get("prompt_cache_hit_tokens") or 0
    return (
        data["prompt_tokens"],
        data.get("completion_tokens"),
        cached,
        inner.get("cache_write_tokens") or 0,
        outer.get("reasoning_tokens") or 0,
    )


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"completion_tokens_details": None},
        {"prompt_tokens_details": None, "prompt_cache_hit_tokens": 7},
        {"prompt_tokens_details": {"cached_tokens": None}, "prompt_cache_hit_tokens": 7},
        {"prompt_tokens_details": {"cached_tokens": 0}, "prompt_cache_hit_tokens": 7},
        {"prompt_tokens": 0, "completion_tokens": 999_999_999_999_999},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_usual_report_is_read(change: dict[str, Any], indent: int | None) -> None:
    data = {**USUAL, **change}
    assert usual_usage(json.dumps(data, indent=indent).encode()) == expected(data)


def test_a_count_that_did_not_come_is_not_zero() -> None:
    assert usual_usage(b'{"prompt_tokens": 5}') == (5, None, 0, 0, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"completion_tokens": 1}',
        b'{"prompt_tokens": null}',
        b'{"prompt_tokens": -1}',
        b'{"prompt_tokens": 1.0}',
        b'{"prompt_tokens": 1e2}',
        b'{"prompt_tokens": 01}',
        b'{"prompt_tokens": "1"}',
        b'{"prompt_tokens": true}',
        b'{"prompt_tokens": 1000000000000000}',
        b'{"prompt_tokens": 1, "completion_tokens": null}',
        b'{"prompt_tokens": 1, "prompt_tokens": 2}',
        b'{"prompt_tokens": 1, "prompt_tokens_details": []}',
        b'{"prompt_tokens": 1, "prompt_tokens_details": {}, "prompt_tokens_details": {}}',
        b'{"prompt_tokens": 1, "a\\u0062": 2}',
        b'{"prompt_tokens": 1, "\xc3\xa9": 2}',
        b'{"prompt_tokens": 1, "x": 00}',
        b'{"prompt_tokens": 1, "x": nul}',
        b'{"prompt_tokens": 1,}',
        b'{"prompt_tokens": 1} 2',
        b'{"prompt_tokens": 1, "x": ' + b"[" * 20 + b"]" * 20 + b"}",
    ],
)
def test_anything_else_is_left_to_the_slower_reader(raw: bytes) -> None:
    assert usual_usage(raw) is None


@settings(max_examples=2000)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_what_is_read_is_json_and_says_the_same(seed: int, changes: int) -> None:
    chance = random.Random(seed)
    raw = bytearray(json.dumps(USUAL).encode())
    for _ in range(changes):
        at = chance.randrange(len(raw))
        kind = chance.randrange(3)
        if kind == 0:
            raw[at] = chance.choice(b'0123456789,:{}[]" ent.-')
        elif kind == 1:
            del raw[at]
        else:
            raw[at:at] = chance.choice([b"0", b"null", b"{}", b",", b" ", b'"', b"-", b"1e5"])
    found = usual_usage(bytes(raw))
    if found is not None:
        assert found == expected(json.loads(raw))


@pytest.mark.parametrize("end", range(len(json.dumps(USUAL))))
def test_a_report_that_is_cut_is_not_read(end: int) -> None:
    assert usual_usage(json.dumps(USUAL).encode()[:end]) is None
