"""The response cache: only the same account, only whole answers, free, bounded, memory only."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.platform.accounts.accounts import Account
from gateway.platform.catalog import Model
from gateway.platform.keys import Key
from gateway.proxy.cache_store import ENTRY_COST_BYTES, MAX_ENTRY_BYTES, Entry, ResponseCache
from tests.fakes.gateway import CATALOG, EMAIL, RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream, answering, chunk, completion, raw

TTL = {"x-tallygate-cache": "ttl=300"}
LOREM = {"model": "sandbox/lorem:tokens=20,tps=0", "messages": [{"role": "user", "content": "hi"}]}


def said(answer: Any) -> str:
    return str(answer.headers.get("x-tallygate-cache", "-"))


async def said_of(gateway: RunningGateway, payload: Any = LOREM, **headers: str) -> str:
    return said(await gateway.post(payload, **{**TTL, **headers}))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hit_is_the_same_answer_for_nothing(tmp_path: Path, stream: bool) -> None:
    async with running(tmp_path) as gateway:
        body = {**LOREM, "stream": stream}
        first = await gateway.post(body, **TTL)
        balance = await gateway.balance_microusd()
        second = await gateway.post(body, **TTL)
        assert (said(first), said(second)) == ("miss", "hit")
        assert first.body == second.body
        assert first.headers["Content-Type"] == second.headers["Content-Type"]
        assert first.headers["x-request-id"] != second.headers["x-request-id"]
        assert int(second.headers["age"]) < 60
        assert await gateway.balance_microusd() == balance
        hit, miss = await gateway.rows()
        assert (hit["outcome"], hit["status"], hit["basis"]) == ("cache_hit", 200, "none")
        assert (hit["cost_microusd"], hit["input_tokens"], hit["output_tokens"]) == (0, 0, 0)
        assert hit["measured_output_tokens"] == miss["measured_output_tokens"] == 20
        assert hit["measured_input_tokens"] == miss["measured_input_tokens"] > 0
        await gateway.assert_nothing_leaked()


async def test_nobody_else_is_answered_from_it(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        other = "other@example.com"
        await gateway.command("accounts.create", email=other)
        await gateway.command("credits.grant", email=other, usd="1", reason="test")
        theirs = (await gateway.command("keys.create", email=other, name="k"))["key"]
        mine = (await gateway.command("keys.create", email=EMAIL, name="k2"))["key"]
        assert await said_of(gateway) == "miss"
        assert await said_of(gateway, Authorization=f"Bearer {theirs}") == "miss"
        assert await said_of(gateway, Authorization=f"Bearer {mine}") == "hit"
        assert await said_of(gateway, {**LOREM, "temperature": 0}) == "miss"
        assert await said_of(gateway, {**LOREM, "stream": True}) == "miss"


async def test_it_is_off_unless_key_or_request_ask(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        assert [said(await gateway.post(LOREM)) for _ in range(2)] == ["-", "-"]
        shown = await gateway.command("keys.list", email=EMAIL)
        await gateway.command("keys.cache", key=shown[0]["id"], ttl_s=60)
        assert [said(await gateway.post(LOREM)) for _ in range(2)] == ["miss", "hit"]
        assert await said_of(gateway, **{"x-tallygate-cache": "no-store"}) == "-"
        bad = await gateway.post(LOREM, **{"x-tallygate-cache": "forever"})
        assert (bad.status, bad.code) == (400, "invalid_request")
        assert await said_of(gateway, **{"x-tallygate-cache": "ttl=0"}) == "-"
        await gateway.command("keys.cache", key=shown[0]["id"], ttl_s=None)
        assert said(await gateway.post(LOREM)) == "-"


async def test_answers_go_with_their_key_and_their_model(tmp_path: Path) -> None:
    upstream = await FakeUpstream().start()
    async with running(tmp_path, upstream) as gateway:
        catalog = CATALOG.format(port=upstream.port, disconnect="abort")
        assert [await said_of(gateway, chat()) for _ in range(2)] == ["miss", "hit"]
        await gateway.command("catalog.apply", toml=catalog.replace('output = "2"', 'output = "3"'))
        assert [await said_of(gateway, chat()) for _ in range(2)] == ["miss", "hit"]
        await gateway.command("catalog.apply", toml=catalog.replace("up-model", "up-model-2"))
        assert [await said_of(gateway, chat()) for _ in range(2)] == ["miss", "hit"]
        more = await gateway.command("keys.create", email=EMAIL, name="k2")
        first = (await gateway.command("keys.list", email=EMAIL))[-1]
        await gateway.command("keys.revoke", key=first["id"])
        assert await said_of(gateway, chat(), Authorization=f"Bearer {more['key']}") == "miss"
        assert len(upstream.requests) == 4
        cache = gateway.plane.cache
        await gateway.command("keys.revoke", key=more["id"])
        cache.sweep(gateway.plane.clock.monotonic_s() + 10)
        assert (len(cache), cache.size_bytes) == (0, 0)
    await upstream.stop()


async def test_only_whole_answers_are_kept(tmp_path: Path) -> None:
    upstream = await FakeUpstream().start()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n"
    async with running(tmp_path, upstream, upstream_attempts=1) as gateway:
        for handler, stream in (
            (answering({"error": {"message": "no"}}, 500), False),
            (answering({"error": {"message": "no"}}, 429), False),
            (raw(head, chunk("hello"), then="close"), True),
            (raw(head, chunk("hello"), b'data: {"error": {"message": "x"}}\n\n'), True),
            (answering(completion("x" * (MAX_ENTRY_BYTES + 1))), False),
        ):
            upstream.handler = handler
            for _ in range(2):
                answer = await gateway.post(chat(stream=stream), **TTL)
                assert said(answer) == "miss"
            await gateway.settled()
        assert len(gateway.plane.cache) == 0
        await gateway.assert_nothing_leaked()
    await upstream.stop()


async def test_a_hit_is_a_request_of_the_limits_without_tokens(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await gateway.command(
            "limits.set", email=EMAIL, requests_per_minute=3, tokens_per_minute=90_000
        )
        answers = [await gateway.post(LOREM, **TTL) for _ in range(4)]
        assert [said(answer) for answer in answers[:3]] == ["miss", "hit", "hit"]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        left = [int(answer.headers["x-ratelimit-remaining-tokens"]) for answer in answers[1:3]]
        assert left[1] >= left[0] > 89_000
        used = (await gateway.command("limits.show", email=EMAIL))["used"]
        assert used["tokens_reserved"] == 0


async def test_no_answer_is_on_disk(tmp_path: Path) -> None:
    word = "zebrafinch-4711"
    async with running(tmp_path) as gateway:
        body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": word}]}
        assert [await said_of(gateway, body) for _ in range(2)] == ["miss", "hit"]
        await gateway.settled()
        for path in tmp_path.rglob("*"):
            if path.is_file():
                assert word.encode() not in path.read_bytes(), path


def entry(number: int, size: int, ttl_s: int = 10, stored_s: float = 0) -> Entry:
    account = Account(1, "acc_1", "a@x.org", "member", "active", 0)
    key = Key(number, account, b"", None)
    model = Model("m", 1, 1, None, "", (), None, 0)
    return Entry(key, model, stored_s, ttl_s, False, b"x" * size, 1, 1, True)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3_000), st.booleans()), max_size=60))
def test_the_store_keeps_to_its_bounds_and_forgets_the_least_used(steps: Any) -> None:
    cache = ResponseCache(8_000, 4, 100)
    used: list[int] = []
    for number, size, write in steps:
        digest = b"%d" % number
        if write:
            cache.put(digest, entry(number, size))
        elif cache.get(digest, 1) is None:
            continue
        used = [each for each in used if each != number] + [number]
        kept = [each for each in used if cache._entries.get(b"%d" % each) is not None]
        assert kept == used[len(used) - len(kept) :]
        assert len(cache) == len(kept) <= 4
        bodies = sum(len(e.body) + ENTRY_COST_BYTES for e in cache._entries.values())
        assert cache.size_bytes == bodies <= 8_000


def test_an_answer_ends_with_its_time() -> None:
    cache = ResponseCache(10_000, 9, 100)
    cache.put(b"a", entry(1, 5, ttl_s=10, stored_s=100))
    assert cache.get(b"a", 109.9) is not None
    assert cache.get(b"a", 110) is None
    assert len(cache) == 0
