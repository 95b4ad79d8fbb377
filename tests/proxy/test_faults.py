"""Providers that fail in every way: the right error, the right charge, nothing leaked."""

import asyncio
import gzip
import json
import os
import random
import resource
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import (
    DONE,
    SSE_HEAD,
    FakeUpstream,
    Received,
    answering,
    chunk,
    completion,
    framed,
    raw,
    streaming,
    usage_event,
)


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(
        tmp_path / "data",
        upstream,
        upstream_first_byte_timeout_s=0.6,
        upstream_idle_timeout_s=0.6,
        upstream_max_event_bytes=1 << 20,
    ) as one:
        yield one


ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))  # of each fault, over one gateway
BODY = json.dumps(completion()).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

BEFORE = {
    "hang": (raw(then="hang"), 504, "upstream_timeout"),
    "close": (raw(), 502, "upstream_unreachable"),
    "reset": (raw(then="reset"), 502, "upstream_unreachable"),
    "reset within headers": (raw(HEAD, then="reset"), 502, "upstream_unreachable"),
    "hang within headers": (raw(HEAD, then="hang"), 504, "upstream_timeout"),
    "reset after headers": (
        raw(HEAD + b"Content-Length: 9\r\n\r\n", then="reset"),
        502,
        "upstream_unreachable",
    ),
    "half a body": (
        raw(HEAD + b"Content-Length: 900\r\n\r\n" + BODY[:20]),
        502,
        "upstream_unreachable",
    ),
    "not http": (raw(b"SSH-2.0-OpenSSH\r\n\r\n"), 502, "upstream_bad_response"),
    "two lengths": (
        raw(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        502,
        "upstream_bad_response",
    ),
    "length and chunked": (
        raw(HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"),
        502,
        "upstream_bad_response",
    ),
    "bad chunk": (
        raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
        502,
        "upstream_bad_response",
    ),
    "two megabytes of headers": (
        raw(HEAD + b"X: " + b"y" * (2 << 20) + b"\r\n\r\n"),
        502,
        "upstream_bad_response",
    ),
    "flood of informational answers": (
        raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100 + HEAD + b"Content-Length: 0\r\n\r\n"),
        502,
        "upstream_bad_response",
    ),
    "not json": (answering(b"<html>"), 502, "upstream_bad_response"),
    "empty body": (answering(b""), 502, "upstream_bad_response"),
    "error inside 200": (answering({"error": {"message": "x"}}), 502, "upstream_failed"),
    "damaged gzip": (
        answering(gzip.compress(BODY)[:-12] + b"x" * 12, headers=b"Content-Encoding: gzip\r\n"),
        502,
        "upstream_bad_response",
    ),
    "unknown encoding": (
        answering(BODY, headers=b"Content-Encoding: br\r\n"),
        502,
        "upstream_bad_response",
    ),
    "a stream not asked for": (streaming(DONE), 502, "upstream_bad_response"),
    "400": (answering({"error": {"message": "bad thing"}}, 400), 400, "upstream_rejected"),
    "401": (answering({"error": {"message": "sk-x"}}, 401), 502, "upstream_credentials_exhausted"),
    "403": (answering({}, 403), 502, "upstream_credentials_exhausted"),
    "404": (answering({}, 404), 400, "upstream_rejected"),
    "429": (answering({}, 429, b"Retry-After: 7\r\n"), 429, "upstream_rate_limited"),
    "500": (answering({"error": {"message": "secret"}}, 500), 502, "upstream_failed"),
    "503 html": (answering(b"<html>", 503), 502, "upstream_failed"),
}


@pytest.mark.timeout(120 + 3 * ROUNDS)
@pytest.mark.parametrize("fault", BEFORE)
async def test_a_failure_before_the_answer_is_an_error_and_free(
    gateway: RunningGateway, upstream: FakeUpstream, fault: str
) -> None:
    handler, status, code = BEFORE[fault]
    for _ in range(ROUNDS):
        before = await gateway.balance_microusd()
        upstream.handler = handler
        answer = await gateway.post(chat())
        assert (answer.status, answer.code) == (status, code)
        assert answer.headers["x-request-id"].startswith("req_")
        assert b"secret" not in answer.body and b"sk-x" not in answer.body
        if fault == "429":
            assert answer.headers["Retry-After"] == "7"
        if fault == "400":
            assert answer.json["error"]["message"] == "bad thing"
        assert await gateway.balance_microusd() == before
        await gateway.assert_nothing_leaked()
        upstream.handler = answering(completion())
        assert (await gateway.post(chat())).status == 200
    assert gateway.plane.pool.open_connections() <= 1


WORDS = [chunk("one "), chunk("two "), chunk("three ")]
INSIDE = {
    "hang": (raw(SSE_HEAD, *map(framed, WORDS), then="hang"), "upstream_timeout"),
    "close": (raw(SSE_HEAD, *map(framed, WORDS)), "upstream_truncated"),
    "reset": (raw(SSE_HEAD, *map(framed, WORDS), then="reset"), "upstream_truncated"),
    "half a chunk": (
        raw(SSE_HEAD, *map(framed, WORDS), framed(WORDS[0])[:30]),
        "upstream_truncated",
    ),
    "bad framing": (raw(SSE_HEAD, *map(framed, WORDS), b"zz\r\n"), "upstream_truncated"),
    "an end without its marker": (streaming(*WORDS), "upstream_truncated"),
    "half an event, then the end": (streaming(*WORDS, WORDS[0][:20]), "upstream_truncated"),
}


@pytest.mark.timeout(120 + 3 * ROUNDS)
@pytest.mark.parametrize("fault", INSIDE)
async def test_a_failure_inside_a_stream_is_an_event_and_charged_as_measured(
    gateway: RunningGateway, upstream: FakeUpstream, fault: str
) -> None:
    handler, code = INSIDE[fault]
    for number in range(ROUNDS):
        upstream.handler = handler
        answer = await gateway.post(chat(stream=True))
        assert answer.status == 200
        assert answer.body.startswith(b"".join(WORDS))
        assert b"[DONE]" not in answer.body
        last = json.loads(answer.body.rsplit(b"data: ", 1)[1])
        assert last["error"]["code"] == code
        rows = await gateway.rows(1_000)
        row = rows[0]
        assert len(rows) == 2 * number + 1
        assert (row["basis"], row["outcome"], row["error_code"]) == (
            "measured",
            "upstream_failed",
            code,
        )
        assert row["output_tokens"] >= 3 and row["cost_microusd"] > 0
        await gateway.assert_nothing_leaked()
        upstream.handler = answering(completion())
        assert (await gateway.post(chat())).status == 200
    assert gateway.plane.pool.open_connections() <= 1


async def test_a_stale_pooled_connection_is_redone_unseen(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    async def once(request: Received, writer: asyncio.StreamWriter) -> None:
        await answering(completion())(request, writer)
        await writer.drain()
        if len(upstream.requests) == 1:
            writer.close()

    upstream.handler = once
    for _ in range(3):
        answer = await gateway.post(chat())
        assert answer.status == 200
    assert [row["attempts"] for row in await gateway.rows()] == [1, 1, 1]


async def test_an_endless_event_is_cut_in_bounded_memory(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    async def endless(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE_HEAD + framed(b'data: {"choices":[{"index":0,"delta":{"content":"'))
        for _ in range(100):
            writer.write(framed(b"x" * (1 << 20)))
            await writer.drain()

    upstream.handler = endless
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = await gateway.post(chat(stream=True))
    assert b"upstream_response_too_large" in answer.body
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 32 * 1024  # KiB; the test's own client and provider are in this process too
    await gateway.assert_nothing_leaked()


def bomb(times: int) -> bytes:
    """So many MiB of one byte, packed; each is packed alone, so that the same bytes do for all."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    one = packer.compress(b"x" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + one * times  # RFC 1952; it has no end


async def test_a_compression_bomb_is_cut(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    """A gibibyte in one of 1.1 MB."""
    packed = bomb(1024)
    assert len(packed) < 2 << 20
    for stream in (False, True):
        await gateway.post(chat(stream=stream))
    for stream in (False, True):
        head = b"Content-Encoding: gzip\r\n"
        upstream.handler = answering(packed, headers=head)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = await gateway.post(chat(stream=stream))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert (answer.status, answer.code) == (502, "upstream_response_too_large")
        assert grown < 16 * 1024  # KiB, the client and the provider of this test included
        await gateway.assert_nothing_leaked()


async def leave_after(gateway: RunningGateway, size: int) -> None:
    """A client that reads so many bytes of a stream and leaves."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    body = json.dumps(chat(stream=True)).encode()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (gateway.key.encode(), len(body), body)
    )
    if size:
        await reader.readexactly(size)
    writer.transport.abort()


async def test_a_client_that_leaves_is_charged_for_what_came(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = streaming(*WORDS * 100, DONE, pause_s=0.01)
    await leave_after(gateway, 1500)
    async with asyncio.timeout(2):
        while not upstream.closed_early:
            await asyncio.sleep(0.01)
    [row] = await gateway.rows()
    assert (row["outcome"], row["basis"]) == ("client_gone", "measured")
    assert 3 <= row["output_tokens"] < 200
    await gateway.assert_nothing_leaked()


async def test_draining_reads_on_to_the_report(tmp_path: Path, upstream: FakeUpstream) -> None:
    async with running(tmp_path / "data", upstream, disconnect="drain") as gateway:
        upstream.handler = streaming(*WORDS * 20, usage_event(9, 60), DONE, pause_s=0.005)
        await leave_after(gateway, 1500)
        await asyncio.sleep(0.05)
        [row] = await gateway.rows()
        assert (row["outcome"], row["basis"]) == ("client_gone", "reported")
        assert row["cost_microusd"] == 9 + 120
        assert not upstream.closed_early
        await gateway.assert_nothing_leaked()
        assert gateway.plane.draining == 0


async def test_a_thousand_aborts_at_random_bytes_leak_nothing(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    seed = random.Random(7)
    upstream.handler = streaming(*WORDS * 3, usage_event(9, 9), DONE)
    gate = asyncio.Semaphore(50)

    async def one() -> None:
        async with gate:
            await leave_after(gateway, seed.choice([0, 1, 10, 150, seed.randrange(900)]))

    await asyncio.gather(*(one() for _ in range(1000)))
    async with asyncio.timeout(20):
        while gateway.plane.active or gateway.gateway.server.connections > 1:
            await asyncio.sleep(0.02)
    await gateway.assert_nothing_leaked()
    assert (await gateway.post(chat(stream=True))).body.endswith(DONE)


async def test_credit_that_runs_out_inside_a_stream_ends_it(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    async with running(tmp_path / "data", upstream, credit_usd="0.0001") as gateway:
        upstream.handler = streaming(*WORDS * 200, DONE)
        answer = await gateway.post(chat(stream=True))
        assert b'"insufficient_credit"' in answer.body and b"[DONE]" not in answer.body
        assert await gateway.balance_microusd() == 0
        [row] = await gateway.rows()
        assert row["outcome"] == "credit_exhausted"
        await gateway.assert_nothing_leaked()
        assert (await gateway.post(chat(stream=True))).code == "insufficient_credit"


async def test_a_small_balance_asks_for_less_output(tmp_path: Path, upstream: FakeUpstream) -> None:
    async with running(tmp_path / "data", upstream, credit_usd="0.0005") as gateway:
        answer = await gateway.post(chat(max_tokens=5000))
        asked = upstream.requests[0].json["max_tokens"]
        assert 100 < asked < 250
        assert answer.headers["x-tallygate-max-tokens"] == str(asked)
        await gateway.post(chat())
        assert upstream.requests[1].json["max_tokens"] <= asked


async def test_a_named_maximum_is_not_cut_because_others_hold_the_credit(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    async with running(tmp_path / "data", upstream, credit_usd="0.0005") as gateway:
        funded = gateway.plane.bank.wallets.values()
        [wallet] = [each for each in funded if each.balance_microusd == 500]
        other = gateway.plane.bank.hold(wallet.account_no, 1, wallet.balance_microusd - 20)
        answer = await gateway.post(chat(max_tokens=100))
        assert answer.code == "credit_in_use" and answer.headers["Retry-After"]
        await gateway.post(chat())  # no maximum was named: what there is will do
        assert upstream.requests[0].json["max_tokens"] < 100
        other.release()
        assert (await gateway.post(chat(max_tokens=100))).status == 200
        await gateway.assert_nothing_leaked()
