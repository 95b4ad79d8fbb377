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
    "max_completion_tokens", "max_output_tokens", "n", "user", "safety_identifier",
    "models", "tools", "service_tier", "previous_response_id", "messages",
]  # fmt: skip
ROOTS = [
    "messages", "input", "contents", "tools", "functions", "prompt", "instructions", "system",
    "systemInstruction", "system_instruction",
]  # fmt: skip
MEDIA = {
    "url", "data", "image_url", "file_data", "b64_json", "fileUri", "file_uri", "signature",
    "thoughtSignature", "thought_signature", "encrypted_content",
}  # fmt: skip
LABELS = {
    "type", "id", "tool_use_id", "tool_call_id", "call_id", "media_type", "mimeType", "mime_type",
    "ttl",
}  # fmt: skip

texts = st.text(max_size=12) | st.sampled_from(["\ud83d", "\ud83d\ude00", '"\\/\n', "é" * 40])
keys = st.sampled_from(["content", "text", "role", "model", *sorted(MEDIA | LABELS)]) | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
bodies = st.dictionaries(st.sampled_from([*NAMES, *ROOTS]) | texts, values, max_size=8)


def prompt_texts(
    value: Any, key: str | None = None, *, ascii_only: bool = True, labels: bool = True
) -> list[str]:
    if isinstance(value, str):
        written = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        short = len(written.encode("utf-8", "surrogatepass")) < 64 and "\\" not in written
        return [] if key in MEDIA or (labels and key in LABELS and short) else [value]
    inner: list[tuple[str | None, Any]] = []
    if isinstance(value, list):
        inner = [(None, item) for item in value]
    if isinstance(value, dict):
        inner = list(value.items())
    return [
        text
        for name, item in inner
        for text in prompt_texts(item, name, ascii_only=ascii_only, labels=labels)
    ]


@settings(max_examples=400, deadline=None)
@given(body=bodies, ascii_only=st.booleans(), indent=st.none() | st.integers(0, 2))
def test_spans_and_text_are_those_of_json_loads(
    body: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(body, ensure_ascii=ascii_only, indent=indent)
    if any("\ud800" <= c <= "\udfff" for c in text):
        ascii_only = True
        text = json.dumps(body, indent=indent)
    raw = b" " + text.encode() + b"\n"
    recorder = Recorder("o200k_base")
    found = scan_request(raw, recorder)
    assert found.error is None and found.duplicate is None and found.brace == 1
    for name in NAMES:
        span = found.member(name)
        assert (span is not None) == (name in body)
        if span is not None:
            assert json.dumps(json.loads(raw[slice(*span)])) == json.dumps(body[name])
            assert raw[span[0] : span[1]].strip() == raw[span[0] : span[1]]
    expected = [
        text
        for root in body
        if root in ROOTS
        for text in prompt_texts(
            body[root], ascii_only=ascii_only, labels=root not in ("tools", "functions")
        )
    ]
    assert recorder.pieces == [join_surrogates(t).encode() for t in expected if t]
    kept, later = scan_request(raw, None, True), Recorder("o200k_base")
    assert kept.count(later) and later.pieces == recorder.pieces  # the same, counted afterwards
    assert not kept.count(later) and not found.count(later)
    assert found.text_bytes == len(recorder.text)
    counted = [
        len(body[k]) for k in ("messages", "input", "contents") if isinstance(body.get(k), list)
    ]
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


@pytest.mark.parametrize("size", [10, 63, 64, 5000])
def test_only_a_short_label_goes_uncounted(size: int) -> None:
    recorder = Recorder("o200k_base")
    body = {"messages": [{"content": [{"type": "x" * size}]}], "tools": [{"type": "function"}]}
    scan_request(json.dumps(body).encode(), recorder)
    assert recorder.pieces == [b"x" * size][: size >= 64] + [b"function"]


def test_members_inside_members_are_found() -> None:
    body = (
        b'{"contents":[{"generationConfig":{"maxOutputTokens":1}}],"metadata":{"user_id":"u"},'
        b'"generationConfig":{"x":{"maxOutputTokens":2},"maxOutputTokens":30,"candidateCount":4}}'
    )
    found = scan_request(body)
    assert found.error is None and found.duplicate is None
    for name, text in (("user_id", b'"u"'), ("maxOutputTokens", b"30"), ("candidateCount", b"4")):
        span = found.inside(name)
        assert span is not None and body[slice(*span)] == text
    assert found.inside("max_output_tokens") is None and found.inside("nothing") is None
    assert found.max_output_tokens is None and found.user is None
    config = found.member("generationConfig")
    assert config is not None and body[slice(*config)].startswith(b'{"x"')
    twice = b'{"generationConfig":{"maxOutputTokens":1,"maxOutputTokens":2}}'
    assert scan_request(twice).duplicate == "maxOutputTokens"
