"""The whole way from an account to its usage with the keyboard alone: no click, no help of scripts.

Only addresses are typed elsewhere: the first one, and that of the letter's link.
"""

import re

import pytest
from playwright.async_api import Page, expect

from tests.web.browser.conftest import Visitor
from tests.web.browser.newcomers import ACCOUNT_MENU, NEW, PASSWORD, confirmation

MOST_TABS = 80
FOCUSED = """(wanted) => {
  const node = document.activeElement;
  return node && node.matches(wanted) ? node.matches(":focus-visible") : null;
}"""


async def reach(page: Page, wanted: str, key: str = "Tab") -> None:
    """Go on with Tab until the element that is wanted has the focus, visibly."""
    for _ in range(MOST_TABS):
        seen = await page.evaluate(FOCUSED, wanted)
        if seen is not None:
            assert seen, f"the focus of {wanted} is not to be seen"
            return
        await page.keyboard.press(key)
    raise AssertionError(f"{wanted} is not reached with {key}")


async def write(page: Page, wanted: str, text: str) -> None:
    await reach(page, wanted)
    await page.keyboard.type(text)


async def press(page: Page, wanted: str, key: str = "Enter") -> None:
    await reach(page, wanted)
    await page.keyboard.press(key)


async def go(page: Page, letter: str, path: str) -> None:
    await page.keyboard.press("g")
    await page.keyboard.press(letter)
    await expect(page).to_have_url(re.compile(re.escape(path)))


async def signed_up(visitor: Visitor, page: Page) -> None:
    """From the start page to the console of an account that did not exist."""
    visitor.gateway.gateway.platform.people.passwords.cost = 4
    await page.goto(visitor.gateway.url + "/")
    await press(page, 'header a[href="/sign-in"]')
    await expect(page).to_have_url(re.compile("/sign-in$"))
    await press(page, 'main a[href="/sign-up"]')
    await expect(page).to_have_url(re.compile("/sign-up$"))
    await write(page, "#email", NEW)
    await write(page, "#password", PASSWORD)
    await write(page, "#born", "1960")
    await press(page, "[name=age]", "Space")
    await press(page, "[name=terms]", "Space")
    await press(page, 'main form[action="/sign-up"] button')
    await expect(page.locator("main form")).to_have_count(0)
    token = await confirmation(visitor)
    await page.goto(f"{visitor.gateway.url}/confirm/{token}")
    if await page.locator('main input[type="password"]').count():
        await write(page, 'main input[type="password"]', PASSWORD)
    await press(page, "main form button")
    await expect(page).to_have_url(visitor.gateway.url + "/console")


@pytest.mark.timeout(120)
async def test_from_sign_up_to_usage_by_keyboard_alone(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280)
    await signed_up(visitor, page)
    platform = visitor.gateway.gateway.platform
    account = platform.accounts.named(NEW)
    await platform.ledger.grant(account.no, 10**6, reason="test", transaction_id="grant:new")
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await go(page, "k", "/console/keys")
    await press(page, 'main a[href="/console/keys/new"]')
    await expect(page).to_have_url(re.compile("/keys/new$"))
    await write(page, "#name", "typed")
    await page.keyboard.press("Enter")
    await expect(page.locator(".secret code")).to_contain_text("sk-tg-")
    await go(page, "p", "/console/playground")
    await expect(page.locator("#playground")).to_be_visible()
    await write(page, "#prompt", "By keyboard")
    await page.keyboard.press("Enter")
    await expect(page.locator("#live")).to_contain_text("complete", timeout=20_000)
    await reach(page, '.facts-line a[href^="/console/logs/"]', "Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_contain_text("Price version")
    await go(page, "u", "/console/usage")
    await expect(page.locator("main")).to_contain_text("1 request,")
    await press(page, ACCOUNT_MENU)
    await press(page, 'form[action="/sign-out"] button')
    await expect(page.locator('header a[href="/sign-in"]')).to_be_visible()
    assert visitor.faults == []
