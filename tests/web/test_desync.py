"""Where one request ends and the next begins: nobody in front of us may see it elsewhere.

Requests one behind the other, changed where smuggling changes them, are read by our parser and by
h11, which shares no code with it. Either may refuse; where both read on they must have read the
same. DESYNC_STREAMS asks for more (100000).
"""

import os
import random

import h11
import pytest

from gateway.web.parser import RequestParser

STREAMS = int(os.environ.get("DESYNC_STREAMS", "4000"))
LIMIT = 100_000
Read = tuple[bytes, bytes, bytes]  # method, target, body
PARTS = [
    b"GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /v1/a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
    b"POST /v1/b HTTP/1.1\r\nHost: h\r\nContent-Length: 37\r\n\r\n"
    b"GET /v1/c HTTP/1.1\r\nHost: h\r\nX: 1\r\n\r\n",
    b"POST /v1/d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    b"POST /v1/e HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: h\r\n\r\n"
    b"2;a=b\r\nab\r\n03\r\ncde\r\n000\r\nTrailer: t\r\n\r\n",
    b"POST /v1/f HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
]
LINES = [
    *(
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding : chunked",
    ),
    *(
        b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding: Chunked",
        b"Transfer-Encoding: xchunked",
    ),
    *(b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: gzip, chunked"),
    *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"Transfer-Encoding:"),
    *(
        b" Transfer-Encoding: chunked",
        b"X: y\r\n Transfer-Encoding: chunked",
        b"Transfer_Encoding: chunked",
    ),
    *(b"Content-Length: 0", b"Content-Length: 4", b"Content-Length: 5", b"Content-Length: +4"),
    *(
        b"Content-Length: 4, 4",
        b"Content-Length: 04",
        b"Content-Length: 0x4",
        b"Content-Length: -1",
    ),
    *(
        b"Content-Length: 4\r\nContent-Length: 4",
        b"Content-Length : 4",
        b"Content-Length:4 ",
        b"Content-Length:",
    ),
    *(
        b"Content-Length: 99999999999999999999",
        b"Content-Length: 1e1",
        b"content-length: 3",
        b"Content-Length: 4\x0b",
    ),
    *(
        b"Host: other",
        b"Connection: keep-alive",
        b"Connection: transfer-encoding",
        b"Expect: 100-continue",
    ),
    *(
        b"X: a\nContent-Length: 0",
        b"X: a\rContent-Length: 0",
        b"X\x00: a",
        b"X: \x00",
        b"Upgrade: h2c",
    ),
]
BYTES = b"\r\n \t:;,0159aAfF\x00\x0b\x0c\x80\xff+-x"


def changed(rng: random.Random) -> bytes:
    """Two to four requests in a row, changed in up to four places."""
    data = bytearray(b"".join(rng.choices(PARTS, k=rng.randrange(2, 5))))
    for _ in range(rng.randrange(5)):
        at, kind = rng.randrange(len(data)), rng.randrange(6)
        if kind < 2:  # a line into a head
            ends = [n for n in range(len(data)) if data.startswith(b"\r\n", n)]
            if ends:
                end = rng.choice(ends)
                data[end:end] = b"\r\n" + rng.choice(LINES)
        elif kind == 2:
            data[at] = rng.choice(BYTES)
        elif kind == 3:
            del data[at]
        elif kind == 4:
            data[at:at] = bytes([rng.choice(BYTES)])
        else:
            data[at:at] = rng.choice(
                [b"\r\n", b"\n", b"0\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/1.1\r\n"]
            )
    return bytes(data)


def ours(data: bytes) -> tuple[list[Read], str]:
    """What our parser reads, and whether it then waits, refuses or is through."""
    one = RequestParser(LIMIT, frozenset(), lambda: None)
    one.feed(data)
    found, open_ = [], True
    for request in one.requests:
        if open_:
            found.append((request.method, request.target, request.body))
        open_ = open_ and request.keep_alive
    if not open_:
        return found, "closed"
    if one.error is not None:
        return found, "refused"
    return found, "waits" if one.partial else "through"


def theirs(data: bytes) -> tuple[list[Read], str]:
    """The same of h11, each request answered so that the next is read."""
    one = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMIT)
    found: list[Read] = []
    begun: h11.Request | None = None
    body = b""
    try:
        one.receive_data(data)
        while True:
            event = one.next_event()
            if isinstance(event, h11.Request):
                begun, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert begun is not None
                found.append((begun.method, begun.target, body))
                begun = None
                one.send(h11.Response(status_code=204, headers=[]))
                one.send(h11.EndOfMessage())
                if one.our_state is h11.MUST_CLOSE or one.their_state is h11.MUST_CLOSE:
                    return found, "closed"
                one.start_next_cycle()
            elif event is h11.NEED_DATA:
                left = begun is not None or bool(bytes(one.trailing_data[0]))
                return found, "waits" if left else "through"
            else:
                return found, "closed"
    except h11.RemoteProtocolError:
        return found, "refused"


def disagreement(data: bytes) -> str:
    """How the two readings part, or ""."""
    (mine, my_end), (other, their_end) = ours(data), theirs(data)
    both = min(len(mine), len(other))
    if mine[:both] != other[:both]:
        return "another request"
    if len(mine) > both and their_end in ("waits", "through"):
        return "more requests here"
    if len(other) > both and my_end in ("waits", "through"):
        return "more requests there"
    return ""


@pytest.mark.timeout(max(120, STREAMS // 100))
def test_no_changed_stream_is_read_in_two_ways() -> None:
    rng, read, refused = random.Random(STREAMS), 0, 0
    for _ in range(STREAMS):
        data = changed(rng)
        assert disagreement(data) == "", (data, ours(data), theirs(data))
        found, end = ours(data)
        read, refused = read + len(found), refused + (end == "refused")
    assert read > STREAMS and refused > STREAMS // 5  # neither all nor none is refused


@pytest.mark.parametrize("part", PARTS)
def test_unchanged_requests_are_read_alike(part: bytes) -> None:
    assert ours(part * 3) == theirs(part * 3) and len(ours(part * 3)[0]) == 3


def test_a_disagreement_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.web.test_desync.theirs", lambda _: ([], "through"))
    assert disagreement(PARTS[0]) == "more requests here"
