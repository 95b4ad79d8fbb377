"""The native reader of HTTP/1.1 against llhttp: any split, any mutation, the rules of RFC 9112."""

import random
from collections.abc import Iterator

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway._native.http1 import Names, ResponseReader, usual_request

KEPT = frozenset((b"host", b"authorization", b"content-type", b"content-length"))
KEPT_NAMES = Names(KEPT)


class Oracle:
    """What llhttp reads of one answer; `excess` when bytes stand after its end."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.status = 0
        self.body = b""
        self.ended = False
        self.error = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.error = not self.ended

    def on_message_begin(self) -> None:
        if self.ended:
            raise httptools.HttpParserError("excess")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = {}
        else:
            self.status = status

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.ended = bool(self.status)


def read(pieces: list[bytes]) -> tuple[int, dict[bytes, bytes] | None, bytes, bool, bool]:
    """Status, headers, body, ended, error as the native reader sees the pieces."""
    reader = ResponseReader()
    body = b""
    for piece in pieces:
        body += reader.feed(piece) or b""
        if reader.error is not None or reader.ended:
            break
    return reader.status, reader.headers, body, reader.ended, reader.error is not None


def cut(data: bytes, steps: list[int]) -> Iterator[bytes]:
    at = 0
    for step in steps:
        if at >= len(data):
            return
        yield data[at : at + step]
        at += step
    if at < len(data):
        yield data[at:]


TEXT = st.binary(max_size=40)
NAMES = st.sampled_from([b"X-Id", b"content-type", b"Server", b"ETag", b"x-ratelimit-remaining"])
VALUES = st.text("abc 019;=/,.-\t", max_size=20).map(lambda text: text.strip().encode())


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    head = b"HTTP/1.1 %d %b\r\n" % (draw(st.sampled_from([200, 201, 404, 500])), b"Why Not")
    for name in draw(st.lists(NAMES, unique=True, max_size=4)):
        head += b"%b:%b%b\r\n" % (name, draw(st.sampled_from([b"", b" ", b"\t "])), draw(VALUES))
    informational = draw(st.sampled_from([b"", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"]))
    if draw(st.booleans()):
        body = draw(TEXT)
        return informational + head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    chunks = b""
    for body in draw(st.lists(TEXT.filter(bool), max_size=4)):
        extension = draw(st.sampled_from([b"", b";a=b"]))
        chunks += b"%x%b\r\n%b\r\n" % (len(body), extension, body)
    trailer = draw(st.sampled_from([b"", b"X-Sum: 1\r\n"]))
    return (
        informational
        + head
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + chunks
        + b"0\r\n"
        + trailer
        + b"\r\n"
    )


@given(answers(), st.lists(st.integers(1, 30), max_size=40))
def test_valid_answers_read_as_llhttp_reads_them_at_any_split(
    data: bytes, steps: list[int]
) -> None:
    oracle = Oracle()
    oracle.feed(data)
    assert oracle.ended and not oracle.error
    status, headers, body, ended, error = read(list(cut(data, steps)))
    assert (status, headers, body, ended, error) == (
        oracle.status,
        oracle.headers,
        oracle.body,
        True,
        False,
    )


@settings(max_examples=300)
@given(answers(), st.integers(0, 2**32), st.lists(st.integers(1, 20), max_size=60))
def test_mutated_answers_never_read_as_something_else(
    data: bytes, seed: int, steps: list[int]
) -> None:
    chance = random.Random(seed)
    mutated = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        mutated[chance.randrange(len(mutated))] = chance.choice(b"\r\n :;0a\x00\x80,\tTC")
    whole, split = read([bytes(mutated)]), read(list(cut(bytes(mutated), steps)))
    assert whole[3:] == split[3:]
    assert whole[:3] == split[:3] or whole[4]
    oracle = Oracle()
    oracle.feed(bytes(mutated))
    if whole[3] and not oracle.error:  # llhttp refuses the white space that 7.1.1 allows
        assert oracle.ended and (oracle.status, oracle.body) == (whole[0], whole[2])


@pytest.mark.parametrize(
    ("head", "wrong"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", "length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "beside"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "coding"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "coding"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "name"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "name"),
        (b"HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n", "value"),
        (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "value"),
        (b"HTTP/1.1 20x OK\r\n\r\n", "status"),
        (b"HTTP/2 200 OK\r\n\r\n", "HTTP/1"),
        (b"SSH-2.0-x", "HTTP/1"),
        (b"HTTP/1.1 101 Go\r\n\r\n", "upgrade"),
        (b"HTTP/1.1 100 C\r\n\r\n" * 17, "informational"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 257 + b"\r\n", "too many"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000, "too large"),
    ],
)
def test_ambiguous_and_malformed_heads_are_errors(head: bytes, wrong: str) -> None:
    for pieces in ([head], [head[i : i + 1] for i in range(len(head))]):
        reader = ResponseReader()
        for piece in pieces:
            reader.feed(piece)
        assert reader.error is not None and wrong in reader.error
        assert not reader.status and not reader.keep_alive


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n",
        b"\r\n",
        b"5\nhello",
        b"1\r\naXX",
        b"1;\x00\r\n",
        b"11111111111111111\r\n",
        b"0\r\n \r\n",
    ],
)
def test_malformed_chunks_are_errors(chunks: bytes) -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    reader.feed(chunks)
    assert reader.error is not None and reader.news


def test_endless_framing_is_cut() -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    for _ in range(200):
        reader.feed(b"a: " + b"b" * 1000 + b"\r\n")
    assert reader.error == "the trailers are too large"


def test_reuse_and_ends() -> None:
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab") == b"ab"
    assert reader.ended and reader.keep_alive
    reader.start()
    assert not reader.ended and reader.status == 0 and reader.headers is None
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc") == b"ab"
    assert reader.ended and not reader.keep_alive  # a byte too many
    reader.start()
    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\nabc") == b"abc"
    assert reader.until_close and not reader.ended and not reader.keep_alive
    reader.start()
    reader.feed(b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n")
    assert reader.ended and not reader.keep_alive
    reader.start()
    reader.feed(b"HTTP/1.0 204 No\r\nConnection: Keep-Alive\r\n\r\n")
    assert reader.ended and reader.keep_alive


class RequestOracle:
    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.whole = 0
        self.parser = httptools.HttpRequestParser(self)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole += 1


REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: h:8080\r\nAuthorization: Bearer k\r\n"
    b"User-Agent: x/1 (y)\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n"
    b"Content-Length: 9\r\n\r\n{'a': 'b'}"
)


@settings(max_examples=1000)
@given(st.integers(0, 2**32), st.integers(0, 3))
def test_a_usual_request_is_what_llhttp_says(seed: int, changes: int) -> None:
    chance = random.Random(seed)
    data = bytearray(REQUEST[:-1])
    for _ in range(changes):
        at = chance.randrange(len(data))
        kind = chance.randrange(3)
        if kind == 0:
            data[at] = chance.choice(b"\r\n :;0a\x00\x80,\tTC/?#")
        elif kind == 1:
            del data[at]
        else:
            line = chance.choice(
                [b"\r\nTransfer-Encoding: chunked", b"\r\nHost: z", b"\r\nX:", b" "]
            )
            data[at:at] = line
    found = usual_request(bytes(data), KEPT_NAMES)
    if found is None:
        assert changes
        return
    method, target, headers, length, head_length = found
    oracle = RequestOracle()
    oracle.parser.feed_data(bytes(data[: head_length + length]).ljust(head_length + length))
    assert oracle.whole == 1 and oracle.url == target and oracle.parser.get_method() == method
    kept = {name: value.strip(b" \t") for name, value in oracle.headers if name in KEPT}
    assert kept == headers  # llhttp leaves the white space after a value
    assert len(oracle.body) == length and oracle.parser.should_keep_alive()


@pytest.mark.parametrize(
    "line",
    [
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
        b"Connection: close",
        b"Content-Length: 9",
        b"Host: other",
        b"Authorization : x",
        b" folded: x",
    ],
)
def test_unusual_requests_are_left_to_the_full_parser(line: bytes) -> None:
    assert usual_request(REQUEST, KEPT_NAMES) is not None
    assert (
        usual_request(REQUEST.replace(b"\r\nUser", b"\r\n" + line + b"\r\nUser"), KEPT_NAMES)
        is None
    )


def test_names_to_keep_are_short_and_lower_case() -> None:
    for names in ((b"X-Title",), (b"",), (b"x" * 64,), ("x",)):
        with pytest.raises(ValueError):
            Names(names)  # type: ignore[arg-type]
    kept = Names((b"x" * 63, b"y"))
    lines = [b"Y: 1", b"X" * 63 + b": 2", b"z: 3", b"x" * 64 + b": 4", b"y" * 127 + b": 5"]
    found = usual_request(b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""]), kept)
    assert found is not None
    assert found[2] == {b"y": b"1", b"x" * 63: b"2"}
