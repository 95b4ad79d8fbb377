"""The pages of an account over a whole gateway: what they show equals the ledger."""

import asyncio
import csv
import html
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from gateway.base.money import format_usd
from gateway.web.console.live import FEW
from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream

OWN = {"Sec-Fetch-Site": "same-origin"}
PAGES = ("", "/keys", "/keys/new", "/usage", "/logs", "/billing", "/playground")


class Person:
    """Somebody signed in to a gateway."""

    def __init__(self, gateway: RunningGateway, token: str) -> None:
        self.gateway = gateway
        self.token = token

    async def get(self, path: str, status: int = 200) -> str:
        async with self.gateway.session.get(
            self.gateway.url + path,
            headers={"Cookie": f"token={self.token}"},
            allow_redirects=False,
        ) as response:
            text = await response.text()
            assert response.status == status, (path, response.status, text[-2000:])
            return text

    async def post(self, path: str, status: int, **fields: str) -> tuple[Any, str]:
        async with self.gateway.session.post(
            self.gateway.url + path,
            data=fields,
            headers={"Cookie": f"token={self.token}"} | OWN,
            allow_redirects=False,
        ) as response:
            text = await response.text()
            assert response.status == status, (path, response.status, text[-2000:])
            return response, text


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


async def sign_in(gateway: RunningGateway, email: str = EMAIL) -> Person:
    platform = gateway.gateway.platform
    account = platform.accounts.find(email) or await platform.accounts.create(email)
    return Person(gateway, await platform.people.sessions.open(account))


async def spend(gateway: RunningGateway, times: int = 3, **more: Any) -> None:
    for _ in range(times):
        answer = await gateway.post(chat("one two three", **{"model": "sandbox/echo", **more}))
        assert answer.status == 200
    await gateway.settled()


def total(rows: list[dict[str, Any]]) -> int:
    return sum(row["cost_microusd"] for row in rows)


async def test_a_new_account_is_led_and_an_old_one_informed(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    text = await person.get("/console")
    assert "Three steps" in text and "Waiting for the first request" in text
    for path in PAGES:
        await person.get(f"/console{path}")
    await spend(gateway)
    refused = await gateway.post(chat(model="no-such-model") | {"model": "no-such-model"})
    assert refused.status == 404
    rows = await gateway.rows()
    text = await person.get("/console")
    assert "Three steps" not in text and "Latest failures" in text
    assert "model_not_found" in text and f"${format_usd(total(rows))}" in text
    for path in PAGES:
        await person.get(f"/console{path}")


@pytest.mark.parametrize(
    ("code", "one", "two"),
    [
        ("en", "1 request,", "2 requests,"),
        ("zh", "1 个请求，", "2 个请求，"),
        ("ja", "1 件のリクエスト、", "2 件のリクエスト、"),
        ("vi", "1 yêu cầu,", "2 yêu cầu,"),
        ("fr", "1 requête,", "2 requêtes,"),
        ("ru", "1 запрос,", "2 запроса,"),
    ],
)
async def test_requests_are_counted_as_the_language_counts(
    gateway: RunningGateway, code: str, one: str, two: str
) -> None:
    await gateway.command("accounts.role", email=EMAIL, role="administrator")
    person = await sign_in(gateway)
    person.token += f"; locale={code}"
    for told in (one, two):
        await spend(gateway, 1)
        for page in ("/console/usage", "/admin"):
            assert told in html.unescape(await person.get(page)), page


async def test_pages_and_file_and_ledger_say_the_same(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    await spend(gateway, 3)
    await spend(gateway, 2, model="sandbox/lorem", max_tokens=20)
    rows = await gateway.rows()
    spent = total(rows)
    assert 10_000_000 - spent == await gateway.balance_microusd()
    for by in ("model", "key", "provider", "application"):
        for span in ("24h", "7d", "90d", "12m"):
            text = await person.get(f"/console/usage?range={span}&by={by}&show=cost")
            found = re.search(r'data-chart="([^"]*)"', text)
            assert found is not None
            spec = json.loads(html.unescape(found[1]))
            assert sum(sum(series["values"]) for series in spec["series"]) == spent
            assert {len(series["values"]) for series in spec["series"]} == {len(spec["labels"])}
            lines = list(
                csv.DictReader(
                    io.StringIO(await person.get(f"/console/usage.csv?range={span}&by={by}"))
                )
            )
            assert sum(round(float(line["cost_usd"]) * 10**6) for line in lines) == spent
            assert sum(int(line["requests"]) for line in lines) == len(rows)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    text = await person.get(f"/console/usage?from={today}&until={today}")
    assert f"{len(rows)} requests" in text
    text = await person.get("/console/billing")
    assert f"−{spent // 10**6}.{spent % 10**6:06}" in text
    assert "adjustment" in text and ">test<" in text
    for odd in ("?range=x&by=x&show=x", "?from=x&until=y", "?from=2020-01-01&until=2024-01-01"):
        await person.get(f"/console/usage{odd}")
        await person.get(f"/console/logs{odd}&model=%00&key=99&before=1")


async def test_a_request_is_reckoned_line_by_line(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    await spend(gateway, 1, model="sandbox/lorem", max_tokens=30)
    [row] = await gateway.rows()
    text = await person.get(f"/console/logs/{row['id']}")
    assert f"{row['cost_picousd']:,}" in text and f"Price version {row['price_version']}" in text
    assert f"${format_usd(row['cost_microusd'])}" in text
    assert "Entry " in text and "from credit" in text and "answered" in text
    stranger = await sign_in(gateway, "else@example.com")
    await stranger.get(f"/console/logs/{row['id']}", 404)
    await person.get("/console/logs/req_none", 404)
    assert row["id"] not in await stranger.get("/console/logs")
    async with gateway.session.get(
        f"{gateway.url}/console/logs?id={row['id']}",
        headers={"Cookie": f"token={person.token}"},
        allow_redirects=False,
    ) as response:
        assert response.headers["Location"] == f"/console/logs/{row['id']}"


async def test_logs_are_filtered_and_turned_page_by_page(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    for _ in range(55):
        await gateway.post({**chat(), "model": "sandbox/echo"})
    await gateway.post({**chat(), "model": "sandbox/echo", "max_tokens": 0})
    await spend(gateway, 1, model="sandbox/lorem", max_tokens=5)
    ids = [row["id"] for row in await gateway.rows()]
    seen: list[str] = []
    path = "/console/logs?range=24h"
    while path:
        text = await person.get(path)
        seen += re.findall(r'href="/console/logs/(req_\w+)"', text)
        following = re.search(r'href="([^"]*before=[^"]*)" rel="next"', text)
        path = html.unescape(following[1]) if following else ""
    assert seen == ids
    only = await person.get("/console/logs?model=sandbox%2Florem")
    assert re.findall(r'href="/console/logs/(req_\w+)"', only) == ids[:1]
    failed = await person.get("/console/logs?state=failed")
    assert re.findall(r'href="/console/logs/(req_\w+)"', failed) == ids[1:2]


async def test_applications_are_named_filtered_and_summed(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    title = "<b>My</b> & App"
    names = ({"X-Title": title, "HTTP-Referer": "https://a.example/x"}, {"X-Title": "B"}, {})
    asked = {**chat(), "model": "sandbox/echo"}
    for headers in (*names, names[0]):
        assert (await gateway.post(asked, **headers)).status == 200
    ids = [row["id"] for row in await gateway.rows()]
    shown = "&lt;b&gt;My&lt;/b&gt; &amp; App \u00b7 https://a.example"
    assert shown in await person.get(f"/console/logs/{ids[0]}")
    assert ">Application<" not in await person.get(f"/console/logs/{ids[1]}")
    logs = await person.get("/console/logs")
    assert f">{shown}</option>" in logs and title not in logs
    found = re.findall(r'<option value="([^"]*)">B</option>', logs)
    for value, expected in ((f"https://a.example {title}", [ids[0], ids[3]]), (found[0], [ids[2]])):
        only = await person.get(f"/console/logs?{urlencode({'app': value, 'range': '24h'})}")
        assert re.findall(r'href="/console/logs/(req_\w+)"', only) == expected
        assert f"{len(expected)} request" in only and " selected>" in only
    assert "/console/logs/req_" not in await person.get("/console/logs?app=none")
    usage = await person.get("/console/usage?by=application&show=requests")
    rows = re.findall(r'<th scope="row">([^<]*)</th><td class="number"[^>]*>(\d+)<', usage)
    assert rows == [(shown, "2"), ("none", "1"), ("B", "1"), ("Total", "4")]
    stranger = await sign_in(gateway, "else@example.com")
    for path in ("/console/logs?range=24h", "/console/usage?by=application"):
        assert "a.example" not in await stranger.get(path)


async def test_an_attempt_that_failed_is_in_the_waterfall(tmp_path: Path) -> None:
    catalog = """
[[providers]]
name = "gone"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
api_key = "k"
allow_private_address = true
[[providers]]
name = "up"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "k"
allow_private_address = true
[[models]]
name = "m"
context_tokens = 100000
max_output_tokens = 10000
encoding = "o200k_base"
[[models.targets]]
provider = "gone"
model = "first-choice"
[[models.targets]]
provider = "up"
model = "second-choice"
[models.price]
input = "1"
output = "2"
"""
    upstream = await FakeUpstream().start()
    ready = catalog.format(port=upstream.port)
    async with running(tmp_path / "data", upstream, catalog=ready) as gateway:
        person = await sign_in(gateway)
        assert (await gateway.post(chat())).status == 200
        [row] = await gateway.rows()
        text = await person.get(f"/console/logs/{row['id']}")
        assert text.index("first-choice") < text.index("second-choice", text.index("Attempts"))
        assert "upstream_unreachable" in text and text.count('class="waterfall"') == 2
    await upstream.stop()


async def test_the_overview_is_told_when_something_happens(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    headers = {"Cookie": f"token={person.token}"}
    async with gateway.session.get(f"{gateway.url}/console/events", headers=headers) as stream:
        assert stream.content_type == "text/event-stream"

        async def told() -> dict[str, int]:
            async for line in stream.content:
                if line.startswith(b"data: "):
                    found: dict[str, int] = json.loads(line[6:])
                    return found
            raise AssertionError("the stream ended")

        async with asyncio.timeout(20):
            before = await told()
            await spend(gateway, 1)
            after = await told()
            while after["newest_seq"] == before["newest_seq"]:
                after = await told()
        assert after["balance_microusd"] <= before["balance_microusd"]
        platform = gateway.gateway.platform
        await platform.people.sessions.close(person.token)
        async with asyncio.timeout(20):
            with pytest.raises(AssertionError, match="ended"):
                while True:
                    await told()


async def test_live_streams_are_few_and_end_with_the_gateway(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with running(tmp_path / "data") as gateway:
            person = await sign_in(gateway)
            headers = {"Cookie": f"token={person.token}"}
            url = f"{gateway.url}/console/events"
            open_ = [await session.get(url, headers=headers) for _ in range(FEW)]
            assert [response.status for response in open_] == [200] * FEW
            async with session.get(url, headers=headers) as one_more:
                assert one_more.status == 429
            async with asyncio.timeout(20):
                await gateway.gateway.stop(2)
        for response in open_:
            response.close()


async def test_a_file_holds_no_formula(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    platform = gateway.gateway.platform
    name = '=HYPERLINK("http://evil.example","x")'
    issued = await platform.keys.issue(platform.accounts.named(EMAIL), name)
    gateway.key = issued.text
    await spend(gateway, 1)
    text = await person.get("/console/usage.csv?by=key")
    [line] = list(csv.DictReader(io.StringIO(text)))
    assert line["key"] == f"'{name}"
