"""Somebody who has no account yet: signs up with the real form and the real letter."""

import asyncio
import re

from playwright.async_api import Page, expect

from tests.web.browser.conftest import Visitor

NEW = "new@example.com"
PASSWORD = "correct horse battery"
ACCOUNT_MENU = 'header details:has(form[action="/sign-out"]) > summary'


async def signed_up(visitor: Visitor, page: Page) -> None:
    """Through the real form and the real letter."""
    visitor.gateway.gateway.platform.people.passwords.cost = 4
    await page.goto(visitor.gateway.url + "/sign-up")
    await page.get_by_label(re.compile("e-mail", re.I)).first.fill(NEW)
    await page.get_by_label(re.compile("password", re.I)).first.fill(PASSWORD)
    await page.locator("#born").fill("1960")
    for box in await page.get_by_role("checkbox").all():
        await box.check()
    await page.locator("main form button").first.click()
    await page.wait_for_load_state()
    token = await confirmation(visitor)
    await page.goto(f"{visitor.gateway.url}/confirm/{token}")
    for each in await page.locator('input[type="password"]').all():
        await each.fill(PASSWORD)
    await page.locator("main form button").first.click()
    await expect(page).to_have_url(visitor.gateway.url + "/console")


async def confirmation(visitor: Visitor) -> str:
    """The token of the letter that waits for its recipient."""
    async with asyncio.timeout(10):
        while True:
            for shown in await visitor.gateway.gateway.platform.people.mail.undelivered():
                if shown.letter.kind == "confirm":
                    return str(shown.letter.token)
            await asyncio.sleep(0.05)
