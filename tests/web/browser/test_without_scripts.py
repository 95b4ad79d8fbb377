"""The console without JavaScript: every page whole, everything to be done but the playground."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.fakes.sites import CLIENT
from tests.fakes.upstream import FakeUpstream
from tests.web.browser import places
from tests.web.browser.conftest import Visitor, visiting
from tests.web.browser.newcomers import ACCOUNT_MENU, NEW, signed_up

# What only a script can do is not offered; what a chart shows stands in a table.
OF_SCRIPTS = "button.copy, .segments[hidden], .plot, #playground"
LEAST_CHARACTERS = 40


async def faults_of(page: Page) -> list[str]:
    """What a reader without scripts would miss on the page that stands there."""
    found = []
    if await page.locator("main h1").count() != 1:
        found.append("no heading")
    if len(await page.locator("main").inner_text()) < LEAST_CHARACTERS:
        found.append("empty")
    for each in await page.locator(OF_SCRIPTS).all():
        if await each.is_visible():
            found.append(f"useless: {(await each.inner_text())[:40]}")
    for chart in await page.locator("figure.chart").all():
        if not await chart.locator("table").first.is_visible():
            found.append("a chart without its table")
    said = await page.locator("main noscript p").is_visible()
    if said != page.url.partition("?")[0].endswith("/playground"):
        found.append("says wrongly what needs JavaScript")
    return found


@pytest.mark.timeout(300)
async def test_every_page_stands_without_scripts(tmp_path: Path) -> None:
    faults = []
    async with visiting(tmp_path / "data", **CLIENT) as visitor, FakeUpstream() as upstream:
        shop = await places.prepare(visitor.gateway, upstream)
        pages: dict[str, Page] = {}
        for who, path in shop.places():
            if who not in pages:
                pages[who] = await visitor.open(
                    "light", 1280, token=shop.tokens[who], scripts=False
                )
            page = pages[who]
            answer = await page.goto(visitor.gateway.url + path)
            assert answer is not None
            wanted = 404 if path.endswith("/none") else 200
            if answer.status != wanted or page.url != visitor.gateway.url + path:
                faults.append(f"{who} {path}: {answer.status} at {page.url}")
            faults += [f"{who} {path}: {fault}" for fault in await faults_of(page)]
    assert faults == []


async def test_an_account_is_made_and_used_without_scripts(visitor: Visitor) -> None:
    """Sign-up, a key and its end, credit from the staff, the log, signing out."""
    page = await visitor.open("light", 360, scripts=False)
    await signed_up(visitor, page)
    url = visitor.gateway.url
    await page.goto(url + "/console/keys")
    await page.get_by_role("link", name=re.compile("key", re.I)).last.click()
    await page.get_by_label("Name").fill("plain")
    await page.get_by_role("button", name="Create the key").click()
    secret = await page.locator(".secret code").inner_text()
    assert secret.startswith("sk-tg-")
    staff = await visitor.open("light", 360, token=visitor.token, scripts=False)
    await staff.goto(f"{url}/admin/users?q={NEW}")
    await staff.locator("main").get_by_role("link", name=NEW).click()
    await staff.locator("#usd").fill("2.50")
    await staff.locator("#reason").fill("invoice 1")
    await staff.get_by_role("button", name="Give credit").click()
    await expect(staff.locator("main")).to_contain_text("2.50")
    await page.goto(url + "/console/billing")
    await expect(page.locator("main")).to_contain_text("2.50")
    visitor.gateway.key = secret
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "x"}]}
    assert (await visitor.gateway.post(body)).status == 200
    await visitor.gateway.settled()
    await page.goto(url + "/console/logs")
    await page.locator("tbody a").first.click()
    await expect(page.locator("main")).to_contain_text("Price version")
    await page.goto(url + "/console/keys")
    await page.get_by_role("link", name="plain").click()
    await page.get_by_role("link", name=re.compile("^Revoke")).first.click()
    await page.get_by_label("to confirm").fill("plain")
    await page.get_by_role("button", name="Revoke the key").click()
    await page.wait_for_load_state()
    assert (await visitor.gateway.post(body)).status == 401
    await page.locator(ACCOUNT_MENU).click()
    await page.get_by_role("button", name="Sign out").click()
    await page.goto(url + "/console")
    assert page.url == url + "/sign-in"


async def test_language_and_theme_are_chosen_without_scripts(visitor: Visitor) -> None:
    page = await visitor.open("light", 360, scripts=False)
    await page.goto(visitor.gateway.url + "/models?model=sandbox/echo")
    for value in ("fr", "dark"):
        await page.locator("header .menu summary").first.click()
        await page.locator(f"button[value={value}]").click()
        await page.wait_for_load_state()
    assert page.url.endswith("/models?model=sandbox/echo")
    html = page.locator("html")
    assert await html.get_attribute("lang") == "fr"
    assert await html.get_attribute("data-theme") == "dark"
    await expect(page.locator("pre").first).to_be_visible()
