"""Which application calls: kept as title and site, told to no provider, never more than that."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.platform.request_log.applications import OTHER
from gateway.proxy.application import (
    ADDRESSES,
    TITLE_CHARS,
    TITLES,
    named_application,
    site_of,
    title_of,
)
from gateway.proxy.dialects.endpoints import BY_NAME
from tests.fakes.canary import Canaries
from tests.fakes.endpoints import ASKED, catalog, provide
from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.media import media_catalog
from tests.fakes.upstream import DONE, FakeUpstream, chunk, streaming
from tests.proxy.realtime.test_sessions import FakeRealtime
from tests.web.odd_words import ask

ADDRESS = "https://Secret-App.example:8443/users/secret-person?secret=1#secret"
NAMED = {"HTTP-Referer": ADDRESS, "X-Title": "The Secret App"}
KEPT = {"title": "The Secret App", "site": "https://secret-app.example"}


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    upstream.handler = provide
    async with running(tmp_path / "data", catalog=catalog(upstream.port)) as one:
        yield one


async def last(gateway: RunningGateway) -> dict[str, Any]:
    return (await gateway.rows(1))[0]


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("name", ASKED)
async def test_every_endpoint_keeps_it_and_no_provider_hears_of_it(
    gateway: RunningGateway, upstream: FakeUpstream, name: str, kind: str
) -> None:
    endpoint = BY_NAME[name]
    named = {} if endpoint.family == "gemini" else {"model": f"by-{kind}"}
    path = endpoint.path.replace("{m}", f"by-{kind}")
    answer = await gateway.post(named | ASKED[name], path, **NAMED)
    row = await last(gateway)
    assert (row["status"], row["application"]) == (answer.status, KEPT), answer.body
    for request in upstream.requests:
        assert b"secret-app" not in (request.head + request.body).lower()
        assert b"secret app" not in (request.head + request.body).lower()
        assert not {"http-referer", "referer", "x-title"} & set(request.headers)
    if answer.status == 200 and name not in ("count_tokens", "gemini_count"):
        assert upstream.requests


async def test_a_stream_a_refusal_and_a_session_have_one_too(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.handler = streaming(chunk("hi"), DONE)
    asked = chat(model="by-openai") | {"model": "by-openai", "stream": True}
    assert (await gateway.post(asked, **NAMED)).status == 200
    assert (await last(gateway))["application"] == KEPT
    assert (await gateway.post(b"{", **NAMED)).status == 400
    row = await last(gateway)
    assert (row["outcome"], row["application"]) == ("refused", KEPT)


async def test_a_realtime_session_keeps_it_at_every_turn(tmp_path: Path) -> None:
    provider = FakeRealtime()
    await provider.start()
    async with running(tmp_path / "data", catalog=media_catalog(provider.port)) as gateway:
        headers = {"Authorization": f"Bearer {gateway.key}", **NAMED}
        url = f"{gateway.url}/v1/realtime?model=realtime"
        async with gateway.session.ws_connect(url, headers=headers) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "response.create"})
            while (await socket.receive_json())["type"] != "response.done":
                pass
        rows = await gateway.rows()
        assert rows and all(row["application"] == KEPT for row in rows)
    heads = repr(provider.heads).lower()
    assert "secret-app" not in heads and "secret app" not in heads and "referer" not in heads
    await provider.stop()


async def test_each_header_is_read(gateway: RunningGateway) -> None:
    told = {name.decode(): b"https://a.example" for name in ADDRESSES}
    told |= {name.decode(): b"A" for name in TITLES}
    base = [("Authorization", f"Bearer {gateway.key}"), ("Content-Type", b"application/json")]
    for name, value in told.items():
        # Once as a client library writes it, and once in a form that only the full parser reads.
        assert (await gateway.post(chat(model="x"), **{name: value.decode()})).status == 404
        found = [(await last(gateway))["application"]]
        await ask(gateway, "POST", b"/v1/chat/completions", [*base, (name, value)], b"{")
        found.append((await last(gateway))["application"])
        named = {"title": "", "site": ""} | {"site" if b":" in value else "title": value.decode()}
        assert found == [named, named], name


async def test_without_a_name_there_is_none(gateway: RunningGateway) -> None:
    for headers in ({}, {"X-Title": " "}, {"HTTP-Referer": "app://obsidian.md"}):
        await gateway.post(chat(model="by-openai"), **headers)
        assert (await last(gateway))["application"] is None


async def test_a_setting_turns_it_off(tmp_path: Path) -> None:
    async with running(tmp_path / "data", log_applications=False) as gateway:
        await gateway.post(chat(model="sandbox/echo"), **NAMED)
        assert (await last(gateway))["application"] is None


async def test_paths_and_queries_are_found_nowhere(tmp_path: Path) -> None:
    canaries = Canaries()
    path, query, person = (canaries.word(name) for name in ("path", "query", "person"))
    data = tmp_path / "data"
    async with running(data, log_requests=True, log_level="debug") as gateway:
        for header in ("HTTP-Referer", "Referer"):
            for address in (
                f"https://app.example/{path}?{query}#{query}",
                f"https://app.example?{query}",
                f"https://{person}:{person}@app.example/{path}",
                f"https://{person}@app.example",
                f"file:///home/{person}/{path}.html",
                f"/{path}",
            ):
                said = address.encode().decode("latin-1")
                answer = await gateway.post(chat(model="sandbox/echo"), **{header: said})
                assert answer.status == 200
        rows = await gateway.rows()
        metrics = await (await gateway.session.get(gateway.url + "/metrics")).read()
    kept = [row["application"] for row in rows]
    assert kept.count({"title": "", "site": "https://app.example"}) == 4
    assert kept.count(None) == 8
    assert canaries.found_under(data) == {}
    assert canaries.found_in(metrics + repr(rows).encode()) == set()


HOSTILE = (
    b"<script>alert(1)</script>",
    b'"><img src=x onerror=alert(1)>',
    b"\x80\xff\xfe not UTF-8",
    b"tab\tin it",
    "\u202egnirts\u2066 \u200b \u0085".encode(),
    "\ud800".encode("utf-8", "surrogatepass"),
    b"'; DROP TABLE request_log; --",
    b"=cmd|' /C calc'!A0",
    b"%s%n%x {0} {{7*7}} ${x}",
    "".join(chr(0x300 + n % 64) for n in range(500)).encode(),
    b"A" * 15_000,
)


async def test_hostile_titles_do_no_harm(gateway: RunningGateway) -> None:
    body = b'{"model": "by-openai", "messages": []}'
    base = [("Authorization", f"Bearer {gateway.key}"), ("Content-Type", b"application/json")]
    for title in HOSTILE:
        headers = [*base, ("X-Title", title), ("HTTP-Referer", title)]
        answer = await ask(gateway, "POST", b"/v1/chat/completions", headers, body)
        assert answer.status == 200, title
        application = (await last(gateway))["application"]
        assert application["site"] == "" and len(application["title"]) <= TITLE_CHARS
        assert application["title"].isprintable()
    for size in (70_000, 1_000_000):
        headers = [*base, ("X-Title", b"A" * size)]
        answer = await ask(gateway, "POST", b"/v1/chat/completions", headers, body)
        assert answer.status == 431
    twice = [*base, ("X-Title", b"one"), ("x-title", b"two"), ("X-Openrouter-Title", b"")]
    assert (await ask(gateway, "POST", b"/v1/chat/completions", twice, body)).status == 200
    assert (await last(gateway))["application"]["title"] == "one"
    await gateway.assert_nothing_leaked()


@pytest.mark.parametrize(
    ("address", "site"),
    [
        (b"https://app.example", "https://app.example"),
        (b"HTTP://App.Example:3000/a/b?c#d", "http://app.example"),
        (b"https://app.example?q", "https://app.example"),
        (b"https://192.0.2.1/", "https://192.0.2.1"),
        (b"https://me@app.example/", ""),
        (b"https://me:123@app.example/", ""),
        (b"https://app.example\\@other.example/", ""),
        (b"https://app example/", ""),
        (b"https://app.example\n", ""),
        ("https://\u4f8b.example/".encode(), ""),
        (b"https://" + b"a" * 300, ""),
        (b"javascript:alert(1)", ""),
        (b"app.example", ""),
        (b"https:///path", ""),
        (b"", ""),
    ],
)
def test_of_an_address_scheme_and_host_are_taken(address: bytes, site: str) -> None:
    assert site_of(address) == site


@pytest.mark.parametrize(
    ("value", "title"),
    [
        (b"My App", "My App"),
        ("\u6211\u7684\u5e94\u7528".encode(), "\u6211\u7684\u5e94\u7528"),
        ("Caf\u00e9".encode("latin-1"), "Caf\u00e9"),
        (b"  a \t b\x07\x7fc  ", "a b c"),
        ("a\u202eb\u2028c".encode(), "a b c"),
        (b"x" * 100, "x" * TITLE_CHARS),
        (b"x" * 63 + b" y", "x" * 63),
        (b"\x00\x1f", ""),
    ],
)
def test_a_title_is_one_short_line(value: bytes, title: str) -> None:
    assert title_of(value) == title


def test_openrouters_own_names_go_before_the_older_ones() -> None:
    headers = {
        b"x-title": b"old",
        b"x-openrouter-title": b"new",
        b"referer": b"https://page.example/",
        b"http-referer": b"https://app.example/",
    }
    assert named_application(headers) == "https://app.example new"
    assert named_application({b"referer": b"https://page.example/x"}) == "https://page.example "
    assert named_application({b"x-title": b"only"}) == " only"
    assert named_application({b"host": b"h"}) == ""


async def test_an_account_names_so_many_a_day(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as gateway:
        gateway.plane.applications._most = 3
        for number in range(6):
            await gateway.post(chat(model="sandbox/echo"), **{"X-Title": f"App {number}"})
        await gateway.post(chat(model="sandbox/echo"), **{"X-Title": "App 1"})
        titles = [row["application"]["title"] for row in (await gateway.rows())[::-1]]
        assert titles == ["App 0", "App 1", "App 2", "", "", "", "App 1"]
        assert OTHER.split(" ") == ["", ""]
