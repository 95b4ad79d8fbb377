"""The mock upstream says what its directive asks for, and knows afterwards what it did."""

import gzip
import http.client
import json
import socket
import time
from typing import Any

import pytest
from anthropic import types
from anthropic.types import Message
from pydantic import TypeAdapter

from benchmarks.load.upstream import Upstream

DEADLINE_S = 10.0
RawMessageStreamEvent: TypeAdapter[types.RawMessageStreamEvent] = TypeAdapter(
    types.RawMessageStreamEvent
)


def ask(
    upstream: Upstream,
    directive: str,
    *,
    stream: bool,
    path: str = "/v1/chat/completions",
    include_usage: bool = False,
) -> tuple[int, dict[str, str], bytes]:
    body: dict[str, Any] = {
        "model": "m-1",
        "stream": stream,
        "messages": [{"role": "user", "content": f"[[{directive}]] hello"}],
    }
    if include_usage:
        body["stream_options"] = {"include_usage": True}
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=DEADLINE_S)
    try:
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def events(body: bytes) -> list[str]:
    text = body.decode()
    assert text.endswith("\n\n")
    return [event.removeprefix("data: ") for event in text[:-2].split("\n\n")]


def text_of(body: bytes) -> str:
    parsed = [json.loads(e) for e in events(body) if e != "[DONE]"]
    return "".join(p["choices"][0]["delta"].get("content", "") for p in parsed if p["choices"])


def raw(upstream: Upstream, directive: str, *, stream: bool = True, close: bool = False) -> bytes:
    """Everything that arrives until the end, which may be a reset (then b"<reset>" is added)."""
    body = json.dumps({"stream": stream, "messages": [{"content": f"[[{directive}]]"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n"
    head += "Connection: close\r\n\r\n" if close else "\r\n"
    found = b""
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=DEADLINE_S) as sock:
        sock.sendall(head.encode() + body)
        try:
            while data := sock.recv(65536):
                found += data
        except ConnectionResetError:
            found += b"<reset>"
    return found


def entry(upstream: Upstream, tag: str) -> dict[str, Any]:
    return next(e for e in reversed(upstream.requests()) if e["id"] == tag)


def test_messages_are_anthropics(upstream: Upstream) -> None:
    """A stream and a document that the official SDK's own types accept."""
    path = "/v1/messages"
    status, _, body = ask(upstream, "n=7 in=11 out=5 cached=4", stream=True, path=path)
    assert status == 200
    blocks = [block.split("\n") for block in body.decode().strip().split("\n\n")]
    found = [RawMessageStreamEvent.validate_python(json.loads(data[6:])) for _, data in blocks]
    assert [name[7:] for name, _ in blocks] == [event.type for event in found]
    assert [event.type for event in found if event.type != "content_block_delta"] == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert sum(event.type == "content_block_delta" for event in found) == 7
    status, _, body = ask(upstream, "n=3", stream=False, path=path)
    assert status == 200 and Message.model_validate_json(body).stop_reason == "end_turn"


def test_stream_has_the_asked_pieces_then_usage_then_done(upstream: Upstream) -> None:
    status, headers, body = ask(upstream, "n=7 in=11 out=5", stream=True, include_usage=True)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    found = events(body)
    assert found[-1] == "[DONE]"
    parsed = [json.loads(e) for e in found[:-1]]
    assert sum("content" in p["choices"][0]["delta"] for p in parsed if p["choices"]) == 7
    assert parsed[-2]["choices"][0]["finish_reason"] == "stop"
    assert parsed[-1]["usage"]["prompt_tokens"] == 11
    assert parsed[-1]["usage"]["completion_tokens"] == 5
    assert {p["model"] for p in parsed} == {"m-1"}


def test_usage_comes_only_when_asked_unless_the_directive_insists(upstream: Upstream) -> None:
    assert b"prompt_tokens" not in ask(upstream, "n=2", stream=True)[2]
    assert b"prompt_tokens" in ask(upstream, "n=2 usage=1", stream=True)[2]
    silent = ask(upstream, "n=2 usage=0", stream=True, include_usage=True)[2]
    assert b"prompt_tokens" not in silent
    assert b"usage" not in ask(upstream, "n=2 usage=0", stream=False)[2]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("null", None), ("text", "lots"), ("negative", -3), ("huge", 1 << 64)],
)
def test_absurd_usage_is_still_json(upstream: Upstream, kind: str, value: object) -> None:
    usage = json.loads(ask(upstream, f"n=3 usage={kind}", stream=False)[2])["usage"]
    assert (usage["completion_tokens"] if isinstance(usage, dict) else usage) == value


@pytest.mark.parametrize("language", ["en", "zh", "code", "emoji"])
def test_stream_and_document_carry_the_same_text(upstream: Upstream, language: str) -> None:
    directive = f"n=30 stamp=0 lang={language}"
    streamed = text_of(ask(upstream, directive, stream=True)[2])
    document = json.loads(ask(upstream, directive, stream=False)[2])
    assert streamed == document["choices"][0]["message"]["content"] != ""


def test_tool_arguments_join_to_json(upstream: Upstream) -> None:
    body = ask(upstream, "n=9 tools=1", stream=True)[2]
    parsed = [json.loads(e) for e in events(body)[:-1]]
    calls = [p["choices"][0]["delta"].get("tool_calls") for p in parsed]
    joined = "".join(call[0]["function"]["arguments"] for call in calls if call)
    assert set(json.loads(joined)) == {"city"}
    whole = json.loads(ask(upstream, "n=9 tools=1", stream=False)[2])
    call = whole["choices"][0]["message"]["tool_calls"][0]
    assert set(json.loads(call["function"]["arguments"])) == {"city"}


def test_drip_changes_the_cuts_and_not_the_bytes(upstream: Upstream) -> None:
    plain = ask(upstream, "n=3 stamp=0", stream=True)[2]
    dripped = ask(upstream, "n=3 stamp=0 drip=64", stream=True)[2]
    assert text_of(dripped) == text_of(plain)
    assert len(dripped) == len(plain)


def test_gzip_is_a_valid_member(upstream: Upstream) -> None:
    for stream in (True, False):
        _, headers, body = ask(upstream, "n=400 fault=gzip", stream=stream)
        assert headers["content-encoding"] == "gzip"
        assert b"chatcmpl-mock" in gzip.decompress(body)


def test_other_shapes(upstream: Upstream) -> None:
    vector = json.loads(ask(upstream, "in=4", stream=False, path="/v1/embeddings")[2])
    assert len(vector["data"][0]["embedding"]) == 16
    assert vector["usage"]["prompt_tokens"] == 4
    legacy = json.loads(ask(upstream, "n=2 stamp=0", stream=False, path="/v1/completions")[2])
    assert legacy["choices"][0]["text"] == " the quick"
    assert json.loads(upstream.fetch("/v1/models"))["data"][0]["id"] == "gpt-4o-mini"


def test_status_and_retry_after_end_after_some_times(upstream: Upstream) -> None:
    directive = "n=1 status=429 retry=3 times=2 id=patient"
    answers = [ask(upstream, directive, stream=False)[:2] for _ in range(3)]
    assert [status for status, _ in answers] == [429, 429, 200]
    assert answers[0][1]["retry-after"] == "3"


@pytest.mark.parametrize(
    ("fault", "start", "end"),
    [
        ("reset", b"<reset>", b"<reset>"),
        ("reset_head", b"HTTP/1.1 200 OK\r\nContent-Ty<", b"<reset>"),
        ("reset_body", b"HTTP/1.1 200 OK", b"\r\n\r\n<reset>"),
        ("reset_mid", b"HTTP/1.1 200 OK", b"\n\n\r\n<reset>"),
        ("close", b"", b""),
        ("close_mid", b"HTTP/1.1 200 OK", b"\n\n\r\n"),
        ("close_end", b"HTTP/1.1 200 OK", b"[DONE]\n\n\r\n"),
        ("half_chunk", b"HTTP/1.1 200 OK", b"half"),
        ("bad_chunk", b"HTTP/1.1 200 OK", b"zz\r\ndata: {}\n\n\r\n"),
        ("junk", b"\0\1\2 not http", b"\r\n\r\n"),
    ],
)
def test_faults_end_as_named(upstream: Upstream, fault: str, start: bytes, end: bytes) -> None:
    found = raw(upstream, f"n=6 fault={fault} at=4 id={fault}")
    assert found.startswith(start)
    assert found.endswith(end)
    pieces = 6 if fault == "close_end" else 4 if "_mid" in fault or "_chunk" in fault else 0
    assert found.count(b"@ ") == pieces
    assert entry(upstream, fault)["end"] == ("whole" if fault == "close_end" else "fault")


def test_faults_inside_a_whole_answer(upstream: Upstream) -> None:
    assert "error" in json.loads(ask(upstream, "fault=error_200", stream=False)[2])
    midway = events(ask(upstream, "n=6 fault=error_mid at=2", stream=True)[2])
    assert "error" in json.loads(midway[2])
    assert len(midway) == 3
    with pytest.raises(UnicodeDecodeError):
        ask(upstream, "n=6 fault=bad_utf8", stream=True)[2].decode()
    broken = events(ask(upstream, "n=6 fault=bad_json at=1", stream=True)[2])
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken[1])
    assert "[DONE]" not in events(ask(upstream, "n=2 fault=no_done", stream=True)[2])
    status, headers, _ = ask(upstream, "fault=redirect", stream=False)
    assert (status, headers["location"].endswith("/elsewhere")) == (307, True)


def test_large_faults_have_the_asked_size(upstream: Upstream) -> None:
    line = ask(upstream, "fault=huge_line mb=5", stream=True)[2]
    assert len(line) > 5 << 20
    assert b"\n" not in line
    head = raw(upstream, "fault=big_head mb=1", stream=False, close=True)
    assert len(head) > 1 << 20
    assert head.endswith(b"\r\n\r\n{}")


def test_a_caller_that_leaves_is_seen(upstream: Upstream) -> None:
    body = json.dumps({"stream": True, "messages": [{"content": "[[n=999 d=5 id=leaver]]"}]})
    request = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=DEADLINE_S) as sock:
        sock.sendall(request.encode())
        assert sock.recv(65536)
        left_us = time.monotonic_ns() // 1000
    deadline = time.monotonic() + DEADLINE_S
    while not (seen := [e for e in upstream.aborts() if e["id"] == "leaver"]):
        assert time.monotonic() < deadline, "the mock did not notice"
    assert seen[0]["ended_us"] >= left_us - 1000
    assert 0 < seen[0]["sent"] < 999


def test_journal_pages_from_a_serial_and_reuses_connections(upstream: Upstream) -> None:
    after = upstream.stats()["serial"]
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=DEADLINE_S)
    for number in range(3):
        body = json.dumps({"prompt": f"[[n=1 out={number + 5} id=page{number}]]"})
        connection.request("POST", "/v1/completions", body)
        connection.getresponse().read()
    connection.close()
    found = upstream.requests(after)
    assert [e["id"] for e in found] == ["page0", "page1", "page2"]
    assert [e["out_tokens"] for e in found] == [5, 6, 7]
    assert len({e["connection"] for e in found}) == 1
    assert b"[[n=1 out=7 id=page2]]" in upstream.last_request()


def test_chunked_request_bodies_are_read(upstream: Upstream) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=DEADLINE_S)
    parts = iter([b'{"prompt":"[[n=2 st', b'amp=0 id=cut]]"', b"}"])
    connection.request("POST", "/v1/completions", parts, encode_chunked=True)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["choices"][0]["text"] == " the quick"
    assert entry(upstream, "cut")["end"] == "whole"
