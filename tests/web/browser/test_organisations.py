"""The pages of an organisation in a browser: whole, accessible and quiet, in both themes."""

import pytest
from playwright.async_api import expect

from tests.fakes.gateway import EMAIL
from tests.web.browser.conftest import SCREENSHOTS, Visitor
from tests.web.browser.looks import OVERFLOW, access


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
async def test_an_owner_founds_invites_and_opens_the_console(
    visitor: Visitor, theme: str, width: int
) -> None:
    platform = visitor.gateway.gateway.platform
    page = await visitor.open(theme, width, token=visitor.token)
    url = visitor.gateway.url
    await page.goto(url + "/console/organisations")
    await page.locator("#name").fill("Öst & Co")
    await page.get_by_role("button", name="Found it").click()
    await expect(page.get_by_role("heading", name="Öst & Co")).to_be_visible()
    await page.locator('form[action$="/invitations"] [name="email"]').fill("guest@example.com")
    await page.locator('form[action$="/invitations"] [name="limit"]').fill("25")
    await page.get_by_role("button", name="Send the invitation").click()
    await expect(page.get_by_text("guest@example.com")).to_be_visible()
    organisation = platform.organisations.of(platform.accounts.named(EMAIL))[0]
    member = await platform.accounts.create("member@example.com")
    await platform.organisations.put(None, organisation, member, "member", 5_000_000)
    await page.reload()
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"organisation-{theme}.png", full_page=True)
    assert await page.evaluate(OVERFLOW) == []
    assert await access(page) == []
    await page.get_by_role("button", name="Open its console").click()
    await expect(page).to_have_url(url + "/console")
    await expect(page.locator(".rail .badge")).to_contain_text("Öst & Co")
    assert await page.evaluate(OVERFLOW) == []
    assert visitor.faults == []
