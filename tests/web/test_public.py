"""The pages for everybody: what they say agrees with what is charged, kept and answered."""

import gzip
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from gateway.base.config import ConfigError, load
from gateway.base.errors import CATALOGUE
from gateway.platform.catalog.schedule import NOTICE_DAYS
from gateway.platform.mail import Letter
from gateway.platform.pricing.prices import parse
from gateway.platform.request_log.status import days_served, first_tokens_ms
from gateway.web.console.drawing import TEMPLATES
from gateway.web.console.i18n import day
from gateway.web.console.legal import TEXT_DIGEST
from gateway.web.console.letters import Letters
from gateway.web.console.operator import operator_of
from gateway.web.console.public import LEGAL
from gateway.web.console.reference import entries
from tests.fakes.gateway import CATALOG, RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream, answering, completion

DAY_US = 86_400 * 10**6
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


async def get(gateway: RunningGateway, path: str, **headers: str) -> tuple[Any, str]:
    async with gateway.session.get(
        gateway.url + path, headers=headers, allow_redirects=False
    ) as response:
        return response, await response.text()


async def prefer(gateway: RunningGateway, **form: str) -> Any:
    async with gateway.session.post(
        gateway.url + "/preferences", data=form, headers=OWN, allow_redirects=False
    ) as response:
        return response


async def test_models_are_searched_and_filtered(gateway: RunningGateway) -> None:
    _, every = await get(gateway, "/models")
    assert "sandbox/echo" in every and "sandbox/lorem" in every and "$0.10" in every
    _, one = await get(gateway, "/models?q=LOREM")
    assert "sandbox/echo" not in one and f'base_url="{gateway.url}/v1"' in one.replace("&#34;", '"')
    _, none = await get(gateway, "/models?can=images")
    assert "sandbox/lorem" not in none and "/models" in none
    _, hostile = await get(gateway, "/models?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in hostile


async def test_each_model_has_an_address_with_its_own_program(gateway: RunningGateway) -> None:
    await gateway.command("catalog.apply", toml=CATALOG.format(port=1, disconnect="abort"))
    _, every = await get(gateway, "/models")
    rows = [unquote(each) for each in re.findall(r'href="/models\?model=([^"]+)"', every)]
    assert {"m", "sandbox/lorem", "sandbox/echo"} <= set(rows)  # "m" is a part of another's name
    for name in rows:
        _, one = await get(gateway, f"/models?model={quote(name)}")
        assert f'model="{name}"' in one.replace("&#34;", '"'), name
        assert re.findall(r'href="/models\?model=([^"]+)"', one) == [quote(name)]
    _, none = await get(gateway, "/models?model=lorem")
    assert "No such model is offered" in none and "base_url=" not in none


async def test_the_documentation_names_every_error_and_this_address(
    gateway: RunningGateway,
) -> None:
    _, text = await get(gateway, "/docs")
    assert f"{gateway.url}/v1" in text
    for error in CATALOGUE.values():
        assert f"<code>{error.code}</code>" in text, error.code


async def test_the_reference_shows_every_operation_of_the_document(
    gateway: RunningGateway,
) -> None:
    async with gateway.session.get(gateway.url + "/openapi.json") as response:
        document = await response.json()
    shown = entries(document)
    assert len(shown) == sum(len(item) for item in document["paths"].values())
    _, text = await get(gateway, "/docs/reference")
    assert all(f"<code>{entry.path}</code>" in text for entry in shown)
    assert any(field.required for entry in shown for field in entry.fields)


async def test_the_status_is_that_of_the_log(gateway: RunningGateway) -> None:
    _, text = await get(gateway, "/status")
    assert '<svg class="uptime"' not in text
    for model in ("sandbox/echo", "sandbox/lorem:error=500"):
        await gateway.post({"model": model, "messages": [{"role": "user", "content": "hi"}]})
    await gateway.settled()
    platform = gateway.gateway.platform
    now_us = platform.clock.now_us()
    days = await platform.database.read(lambda c: days_served(c, now_us, 90))
    assert {(each.model, each.requests, each.faults) for each in days} == {
        ("sandbox/echo", 1, 0),
        ("sandbox/lorem", 1, 1),
    }
    later_us = now_us + 90 * 24 * 3600 * 1_000_000
    assert await platform.database.read(lambda c: days_served(c, later_us, 90)) == []
    assert isinstance(await platform.database.read(first_tokens_ms), dict)


@pytest.mark.parametrize("name", ["privacy", "terms", "cookies"])
async def test_legal_texts_state_what_the_settings_say(tmp_path: Path, name: str) -> None:
    async with running(
        tmp_path / "data",
        accounts_minimum_age="13",
        accounts_terms_version="7",
        accounts_session_days=3,
        keys_spread_networks=7,
        keys_spread_window_hours=5,
    ) as one:
        _, text = await get(one, f"/legal/{name}")
        assert "Version 7" in text
        assert name != "terms" or "13 years" in text
        assert name != "cookies" or "3 days" in text
        assert name != "privacy" or "more than 7 networks used a key within 5 hours" in text
        assert (await get(one, "/legal/other"))[0].status == 404


def test_the_date_of_the_legal_texts_is_that_of_their_words() -> None:
    """After a change of a text: the day of it and the new digest, in `legal`."""
    texts = [(TEMPLATES / "public" / f"{name}.html").read_bytes() for name in LEGAL]
    assert hashlib.sha256(b"".join(texts)).hexdigest()[:16] == TEXT_DIGEST


async def test_a_version_that_is_a_date_is_the_texts_date(tmp_path: Path) -> None:
    async with running(tmp_path / "data", accounts_terms_version="2026-12-01") as one:
        _, text = await get(one, "/legal/terms")
        assert "Version of Dec 1, 2026" in text


@pytest.mark.parametrize(
    ("contact", "href"),
    [("law@example.com", "mailto:law@example.com"), ("https://example.com/x", None)],
)
async def test_the_operator_is_named_where_they_said_who_they_are(
    tmp_path: Path, contact: str, href: str | None
) -> None:
    known = {"operator_name": "Öst & Co <b>", "operator_contact": contact}
    async with running(tmp_path / "data", **known) as one:
        for path in ("/", "/legal/privacy"):
            _, text = await get(one, path)
            assert "Öst &amp; Co &lt;b&gt;" in text and f'<a href="{href or contact}"' in text
        letter = Letter("factor_changed", "a@example.com")
        written = Letters("http://h", operator_of(one.gateway.platform.settings)).write(letter)
        assert contact in written.text


async def test_without_an_operators_name_the_texts_send_to_the_operator(
    gateway: RunningGateway,
) -> None:
    _, text = await get(gateway, "/legal/terms")
    assert "Ask the operator of this place." in text and "mailto:" not in text
    assert "is reached at" not in Letters("http://h").write(Letter("factor_changed", "a@b.c")).text


async def test_a_coming_price_stands_beside_the_present_one(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    async with running(tmp_path / "data", upstream) as one:
        catalog = one.gateway.platform.catalog
        _, text = await get(one, "/models")
        assert "From " not in text
        begins_us = (catalog._clock.now_us() // DAY_US + NOTICE_DAYS + 1) * DAY_US
        dearer = {"input": "3", "cache_read": "0.5", "output": "4", "request": "0.01"}
        await catalog.schedule_price("m", parse(dearer), begins_us)
        for path in ("/models", "/"):
            _, text = await get(one, path)
            assert "$1.00" in text and f"From {day(begins_us)}: Input $3.00" in text
            assert "Output $4.00 · $0.01 a request" in text
        await catalog.keep_price("m")
        _, text = await get(one, "/models")
        assert "From " not in text


async def test_the_status_says_no_more_than_is_known(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    limits = {"upstream_breaker_failures": 1, "upstream_breaker_open_s": 60.0}
    async with running(tmp_path / "data", upstream, upstream_attempts=1, **limits) as one:
        _, text = await get(one, "/status")
        assert "Nothing was asked of its models today." in text
        upstream.handler = answering(b"{}", status=500)
        await one.post(chat())
        await one.settled()
        _, text = await get(one, "/status")
        assert "1 model cannot be reached now." in text
    async with running(tmp_path / "data", upstream, credit_usd="0") as one:
        upstream.handler = answering(completion("one", 9, 1))
        await one.post({**chat(), "model": "sandbox/echo"})
        await one.settled()
        _, text = await get(one, "/status")
        assert "cannot be reached" not in text and "more often than usual" in text


async def test_choices_are_kept_for_a_year_and_lead_back_here(gateway: RunningGateway) -> None:
    response = await prefer(gateway, locale="ja", back="/docs?x=1#errors")
    cookie = response.cookies["locale"]
    assert response.status == 303 and response.headers["Location"] == "/docs?x=1#errors"
    assert cookie.value == "ja" and cookie["max-age"] == "31536000" and cookie["httponly"]
    assert (await prefer(gateway, theme="dark")).cookies["theme"].value == "dark"
    assert (await prefer(gateway, theme="system")).cookies["theme"]["max-age"] == "0"
    assert not (await prefer(gateway, locale="xx", theme="")).cookies
    for back in ("https://evil.example", "//evil.example", "/\\evil", "", "/a\nb", "javascript:x"):
        assert (await prefer(gateway, back=back)).headers["Location"] == "/", back
    response, text = await get(gateway, "/", Cookie="locale=ja; theme=dark")
    assert '<html lang="ja" data-theme="dark">' in text and not response.cookies
    assert "Cookie" in response.headers["Vary"]


async def test_static_files_come_packed_to_who_takes_them(gateway: RunningGateway) -> None:
    _, text = await get(gateway, "/")
    [style] = re.findall(r'href="(/static/[^"]+\.css)"', text)
    async with gateway.session.get(
        gateway.url + style, headers={"Accept-Encoding": "gzip"}, auto_decompress=False
    ) as packed:
        body = await packed.read()
    async with gateway.session.get(
        gateway.url + style, headers={"Accept-Encoding": "identity"}
    ) as plain:
        assert gzip.decompress(body) == await plain.read()
    assert packed.headers["Content-Encoding"] == "gzip" and b"--accent" in gzip.decompress(body)


@pytest.mark.parametrize(
    "contact",
    ["javascript:alert(1)", "http://example.com", "somebody", 'https://e.example/"><b>', "a@b c"],
)
def test_a_contact_is_an_address_or_an_https_link(contact: str) -> None:
    with pytest.raises(ConfigError, match=r"operator\.contact"):
        load(environ={}, flags={"operator.contact": contact})


async def test_whether_applications_are_kept_is_said_as_it_is(tmp_path: Path) -> None:
    for kept in (True, False):
        async with running(tmp_path / str(kept), log_applications=kept) as one:
            for path in ("/docs", "/legal/privacy"):
                assert ("X-Title" in (await get(one, path))[1]) == kept, path
