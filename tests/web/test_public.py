"""The pages for everybody: what they say agrees with what is charged, kept and answered."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from gateway.base.errors import CATALOGUE
from gateway.platform.request_log.status import days_served, first_tokens_ms
from gateway.web.console.reference import entries
from tests.fakes.gateway import CATALOG, RunningGateway, running

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
    ) as one:
        _, text = await get(one, f"/legal/{name}")
        assert "Version 7" in text
        assert name != "terms" or "13 years" in text
        assert name != "cookies" or "3 days" in text
        assert (await get(one, "/legal/other"))[0].status == 404


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
