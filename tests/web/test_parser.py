"""The request parser: any split gives the same requests, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.web.hosts import host_is_allowed, parse_allowed
from gateway.web.parser import MAX_HEAD_BYTES, Request, RequestParser

LIMIT = 1000
POST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k\r\n"
    b"Content-Type: application/json\r\nContent-Length: 4\r\n\r\nbody"
)
CHUNKED = (
    b"POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2;x=y\r\nab\r\n3\r\ncde\r\n0\r\nTrailer: t\r\n\r\n"
)
GET = b"GET /v1/models?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"


def parser() -> RequestParser:
    return RequestParser(LIMIT, frozenset(), lambda: None)


def refused(data: bytes) -> str:
    one = parser()
    one.feed(data)
    assert one.error is not None, "not refused"
    return one.error.code


def parts_of(request: Request) -> tuple[object, ...]:
    names = ("method", "target", "headers", "body", "keep_alive", "chunked")
    return tuple(getattr(request, name) for name in names)


@given(
    st.lists(st.sampled_from([POST, CHUNKED, GET]), min_size=1, max_size=5),
    st.lists(st.integers(1, 60), min_size=1),
)
def test_any_split_gives_the_same_requests(parts: list[bytes], steps: list[int]) -> None:
    data = b"".join(parts)
    whole, split = parser(), parser()
    whole.feed(data)
    position = 0
    for step in [*steps, *([7] * len(data))]:
        split.feed(data[position : position + step])
        position += step
    assert [parts_of(one) for one in split.requests] == [parts_of(one) for one in whole.requests]
    assert len(whole.requests) == len(parts)
    assert split.error is None and not split.partial


def test_a_request_is_read() -> None:
    one = parser()
    one.feed(POST)
    request = one.requests[0]
    assert (request.method, request.target, request.body) == (
        b"POST",
        b"/v1/chat/completions",
        b"body",
    )
    assert request.headers[b"authorization"] == b"Bearer k"
    assert request.keep_alive and request.chunked


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST /v1/x HTTP/1.1", *lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (head("Host: a", "Host: b"), "invalid_request"),
        (head("Content-Length: 1"), "invalid_host"),
        (head("Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"), "invalid_request"),
        (head("Host: a", "Content-Length: 1", "Content-Length: 2"), "invalid_request"),
        (head("Host: a", "Content-Length: 1", "Content-Length: 1"), "invalid_request"),
        (head("Host: a", "Content-Length: 1, 1"), "invalid_request"),
        (head("Host: a", "Content-Length: +1"), "invalid_request"),
        (head("Host: a", "Content-Length: -1"), "invalid_request"),
        (head("Host: a", "Content-Length: 0x1"), "invalid_request"),
        (head("Host: a", "Content-Length: 99999999999999999999999"), "invalid_request"),
        (head("Host: a", "Content-Length: 1001"), "body_too_large"),
        (head("Host: a", "Transfer-Encoding: gzip, chunked"), "invalid_request"),
        (head("Host: a", "Transfer-Encoding: chunked, chunked"), "invalid_request"),
        (head("Host: a", "Transfer-Encoding: identity"), "invalid_request"),
        (head("Host: a", "Transfer-Encoding : chunked"), "invalid_request"),
        (head("Host: a", " folded: x"), "invalid_request"),
        (head("Host: a", "X: 1", "\tfolded"), "invalid_request"),
        (head("Host: a", "Bad Name: x"), "invalid_request"),
        (head("Host: a", "Null: \x00"), "invalid_request"),
        (head("Host: a", "Expect: 200-ok"), "invalid_request"),
        (head("Host: a", "Authorization: x", "Authorization: y"), "invalid_request"),
        (head("Host: a", *[f"H{n}: x" for n in range(300)]), "headers_too_large"),
        (head("Host: a", "X: " + "y" * MAX_HEAD_BYTES)[:-2], "headers_too_large"),
        (head("Host: a", "X: " + "y" * MAX_HEAD_BYTES), "headers_too_large"),
        (head("Host: a", "y" * MAX_HEAD_BYTES + ": x"), "headers_too_large"),
        (head("Host: a", *[f"H{n}: {'y' * 600}" for n in range(200)]), "headers_too_large"),
        (GET[:-2] + b"X: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n", "headers_too_large"),
        (
            POST.replace(b"Content-T", b"X: " + b"y" * MAX_HEAD_BYTES + b"\r\nContent-T"),
            "headers_too_large",
        ),
        (b"POST /v1/" + b"x" * 9000 + b" HTTP/1.1\r\n", "target_too_long"),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "invalid_request"),
        (b"POST /v1/x HTTP/3.7\r\nHost: a\r\n\r\n", "invalid_request"),
        (b"FROB /v1/x HTTP/1.1\r\nHost: a\r\n\r\n", "invalid_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "invalid_request"),
        (CHUNKED.replace(b"3\r\ncde", b"g\r\ncde"), "invalid_request"),
        (CHUNKED.replace(b"3\r\ncde", b"-3\r\ncde"), "invalid_request"),
        (CHUNKED.replace(b"cde\r\n", b"cdeXX"), "invalid_request"),
    ],
)
def test_what_is_refused(data: bytes, code: str) -> None:
    assert refused(data) == code


@given(st.lists(st.integers(1, 60), min_size=1))
def test_an_upgrade_is_ignored(steps: list[int]) -> None:
    """RFC 9110, 7.8; with a body of either kind, and what follows is another request."""
    upgrade = head("Host: a", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 2") + b"{}"
    chunks = CHUNKED.replace(b"Host: h", b"Host: h\r\nUpgrade: h2c\r\nConnection: x, upgrade")
    data = GET + upgrade + chunks + upgrade + CHUNKED
    one, position = parser(), 0
    for step in [*steps, *([9] * len(data))]:
        one.feed(data[position : position + step])
        position += step
    assert [request.body for request in one.requests] == [b"", b"{}", b"abcde", b"{}", b"abcde"]
    assert one.error is None and all(request.keep_alive for request in one.requests)
    one = parser()
    one.feed(upgrade.replace(b"n: U", b"n: close, U"))
    assert not one.requests[0].keep_alive


def test_a_target_in_absolute_form_is_brought_into_the_other() -> None:
    one = parser()
    one.feed(head("Host: a").replace(b"/v1/x", b"http://b:80/v1/x?y") * 2)
    assert [request.target for request in one.requests] == [b"/v1/x?y"] * 2


def test_a_chunked_body_is_limited() -> None:
    start = b"POST /v1/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert refused(start + (b"64\r\n" + b"x" * 100 + b"\r\n") * 11) == "body_too_large"


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    for start in (b"", b"POST /v1/x HTTP/1.1\r\n", POST):
        one = parser()
        one.feed(start + data)
        one.feed(data)


@pytest.mark.parametrize(
    "host",
    [b"a", b"a.b", b"a.b:80", b"127.0.0.1:8080", b"[::1]", b"[::1]:8080", b"a-b_c.d"],
)
def test_hosts_that_are_allowed(host: bytes) -> None:
    assert host_is_allowed(host, frozenset())


@pytest.mark.parametrize(
    "host",
    [b"", b"a/b", b"u@h", b"a, b", b"a b", b"a:b", b"a:1:2", b"[::1", b"a#", b"a?", b"/", b"a\\b"]
    + [b"a:999999", b"-", b".", b"\xff", b"http://a"],
)
def test_hosts_that_are_refused(host: bytes) -> None:
    assert not host_is_allowed(host, frozenset())


def test_a_list_of_hosts_restricts() -> None:
    allowed = parse_allowed("Example.com, 127.0.0.1")
    assert host_is_allowed(b"example.COM:8080", allowed)
    assert not host_is_allowed(b"evil.com", allowed)


def test_names_of_an_application_may_be_repeated_and_the_first_counts() -> None:
    lines = b"X-Title: one\r\nx-title: two\r\nHTTP-Referer: a\r\nReferer: b\r\nReferer: c\r\n"
    for data in (POST, POST.replace(b"Host: h", b"Host: h\r\nConnection: close")):
        one = parser()
        one.feed(data.replace(b"Authorization", lines + b"Authorization"))
        assert one.error is None
        headers = one.requests[0].headers
        assert headers[b"x-title"] == b"one"
        assert (headers[b"http-referer"], headers[b"referer"]) == (b"a", b"b")
