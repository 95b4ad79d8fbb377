"""The event splitter against a plain reading of the specification, at every split."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.dialects.sse_reader import SseReader

LINES = st.one_of(
    st.sampled_from(
        [
            b"data: a",
            b"data:b",
            b"data",
            b"data: ",
            b"data:  two",
            b"event: x",
            b"event:y",
            b"event",
        ]
    ),
    st.sampled_from([b": comment", b":", b"id: 1", b"retry: 5", b"other: z", b"dat: q", b"", b""]),
    st.sampled_from(["data: é☃".encode(), b'data: {"a": 1}', b" data: no"]),
)
ENDINGS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def oracle(stream: bytes) -> list[tuple[bytes, bytes]]:
    text = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events, name, data = [], b"", []
    for line in text.split(b"\n")[:-1]:
        if not line:
            if data:
                events.append((name, b"\n".join(data)))
            name, data = b"", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return events


def read(stream: bytes, cuts: list[int]) -> list[tuple[bytes, bytes]]:
    reader = SseReader()
    events = []
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(bounds):
        events += reader.feed(stream[start:end])
    return events


@given(
    st.lists(st.tuples(LINES, ENDINGS), max_size=30),
    st.lists(st.integers(0, 1000), max_size=20),
    st.booleans(),
)
def test_any_stream_at_any_split(
    lines: list[tuple[bytes, bytes]], cuts: list[int], marked: bool
) -> None:
    stream = b"".join(line + ending for line, ending in lines) + b"\n"
    assert read((b"\xef\xbb\xbf" if marked else b"") + stream, cuts) == oracle(stream)


@given(st.lists(st.tuples(LINES, ENDINGS), max_size=12))
def test_byte_by_byte(lines: list[tuple[bytes, bytes]]) -> None:
    stream = b"".join(line + ending for line, ending in lines)
    assert read(stream, list(range(len(stream)))) == oracle(stream)


def test_an_open_event_waits_for_its_blank_line() -> None:
    reader = SseReader()
    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\n\n") == [(b"", b"a")]
    assert reader.feed(b"\n\n") == []


def test_an_event_over_the_limit_ends_the_reading_at_any_split() -> None:
    whole = b"data: ok\n\ndata: 45678901\n\ndata: no\n\n"
    for size in (1, 3, len(whole)):
        reader = SseReader(max_event_bytes=13)
        found = []
        for start in range(0, len(whole), size):
            found += reader.feed(whole[start : start + size])
        assert found == [(b"", b"ok")]
        assert reader.too_large


def test_an_event_at_the_limit_is_read_at_any_split() -> None:
    whole = b"data: 4567890\n\n"
    for size in (1, 3, len(whole)):
        reader = SseReader(max_event_bytes=13)
        found = []
        for start in range(0, len(whole), size):
            found += reader.feed(whole[start : start + size])
        assert found == [(b"", b"4567890")]
        assert not reader.too_large
