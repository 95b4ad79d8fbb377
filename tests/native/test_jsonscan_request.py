"""The request scan: strict validity, exact spans, and the prompt's text in one pass."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway._native.jsonscan import scan_request
from gateway._native.recorder import Recorder
from tests.native.stream_oracle import join_surrogates

NAMES = [
    "model", "stream", "stream_options", "max_tokens",
    "max_completion_tokens", "max_output_tokens", "n", "user",
]  # fmt: skip
ROOTS = ["messages", "input", "tools", "functions", "prompt", "instructions", "system"]
MEDIA = {"url", "data", "image_url", "file_data", "b64_json"}

texts = st.text(max_size=12) | st.sampled_from(["\ud83d", "\ud83d\ude00", '"\\/\n', "é" * 40])
keys = st.sampled_from(["content", "text", "role", "model", *sorted(MEDIA)]) | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
bodies = st.dictionaries(st.sampled_from([*NAMES, *ROOTS]) | texts, values, max_size=8)


def prompt_texts(value: Any, key: str | None = None) -> list[str]:
    if isinstance(value, str):
        return [] if key in MEDIA else [value]
    if isinstance(value, list):
        return [text for item in value for text in prompt_texts(item)]
    if isinstance(value, dict):
        return [text for k, item in value.items() for text in prompt_texts(item, k)]
    return []


@settings(max_examples=400, deadline=None)
@given(body=bodies, ascii_only=st.booleans(), indent=st.none() | st.integers(0, 2))
def test_spans_and_text_are_those_of_json_loads(
    body: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(body, ensure_ascii=ascii_only, indent=indent)
    if any("\ud800" <= c <= "\udfff" for c in text):
        text = json.dumps(body, indent=indent)
    raw = b" " + text.encode() + b"\n"
    recorder = Recorder("o200k_base")
    found = scan_request(raw, recorder)
    assert found.error is None and found.duplicate is None and found.brace == 1
    for name in NAMES:
        span = getattr(found, name)
        assert (span is not None) == (name in body)
        if span is not None:
            assert json.dumps(json.loads(raw[slice(*span)])) == json.dumps(body[name])
            assert raw[span[0] : span[1]].strip() == raw[span[0] : span[1]]
    expected = [t for root in body if root in ROOTS for t in prompt_texts(body[root])]
    assert recorder.pieces == [join_surrogates(t).encode() for t in expected if t]
    assert found.text_bytes == len(recorder.text)
    counted = [len(body[k]) for k in ("messages", "input") if isinstance(body.get(k), list)]
    assert found.message_count == sum(counted)


@settings(max_examples=300, deadline=None)
@given(body=bodies, data=st.data())
def test_one_changed_byte_is_judged_as_json_loads_does(
    body: dict[str, Any], data: st.DataObject
) -> None:
    raw = bytearray(json.dumps(body).encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    found = scan_request(bytes(raw))
    assert (found.error is None) == is_strict_object(bytes(raw))


def is_strict_object(raw: bytes) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return isinstance(json.loads(raw.decode("utf-8"), parse_constant=refuse), dict)
    except ValueError:
        return False


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"[]", b"null", b'"x"', b"{", b"}", b'{"a"}', b'{"a":}', b'{"a":1,}', b"{,}",
        b'{"a":1}}', b'{"a":1} x', b'{"a":01}', b'{"a":+1}', b'{"a":1.}', b'{"a":.5}', b'{"a":1e}',
        b'{"a":-}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":tru}', b"{'a':1}", b'{a:1}',
        b'{"a":"\n"}', b'{"a":"\x00"}', b'{"a":"\\x"}', b'{"a":"\\u12"}', b'{"a":"\\u12g4"}',
        b'{"a":"', b'{"a":"\\', b'{"a":"\\u', b'{"a":[1 2]}', b'{"a":[1}', b'{"a":{]}',
        b'\xef\xbb\xbf{"a":1}', '{"a":1}'.encode("utf-16-le"), '{"a":1}'.encode("utf-16"),
        b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}',
        b'{"a":"\xe2\x82"}', b'{"a":"\xe2\x82', b"\x00{}", b"{}\x00", b'{"a":/**/1}',
    ],
)  # fmt: skip
def test_what_is_not_valid_is_refused(body: bytes) -> None:
    found = scan_request(body)
    assert found.error is not None
    assert found.model is None


def test_an_error_never_quotes_the_body() -> None:
    error = scan_request(b'{"messages":"secret words" oops}').error
    assert error == "a comma or a closing bracket was expected at byte 27"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"model":"a","model":"b"}', "model"),
        (rb'{"model":"a","mod\u0065l":"b"}', "model"),
        (b'{"n":1,"user":"u","user":null,"n":2}', "user"),
        (b'{"other":1,"other":2,"x":{"model":1,"model":2}}', None),
    ],
)
def test_duplicates_are_reported(body: bytes, name: str | None) -> None:
    found = scan_request(body)
    assert found.error is None and found.duplicate == name


def test_depth_is_bounded() -> None:
    assert scan_request(b'{"a":' + b"[" * 127 + b"]" * 127 + b"}").error is None
    for depth in (128, 200_000):
        error = scan_request(b'{"a":' + b"[" * depth + b"]" * depth + b"}").error
        assert error is not None and error.startswith("nested too deeply")


def test_large_bodies_are_no_trouble() -> None:
    keys = b"{" + b",".join(b'"k%d":0' % i for i in range(1_000_000)) + b"}"
    assert scan_request(keys).error is None
    assert scan_request(b'{"n":' + b"9" * 100_000 + b"}").n == (5, 100_005)
    assert scan_request(b'{"max_tokens":1e999}').max_tokens == (14, 19)


def test_files_are_not_text() -> None:
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1000}},
        {"type": "input_audio", "input_audio": {"data": "B" * 500, "format": "wav"}},
    ]
    recorder = Recorder("o200k_base")
    body = {"messages": [{"role": "user", "content": parts}], "tools": [{}, {}]}
    found = scan_request(json.dumps(body).encode(), recorder)
    assert (found.media_parts, found.message_count, found.tool_count) == (2, 1, 2)
    assert found.media_bytes == 22 + 1000 + 500
    assert b"AAA" not in recorder.text and b"look" in recorder.text
