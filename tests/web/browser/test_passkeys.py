"""Second factors in a browser: a passkey of a virtual authenticator, and an app's QR code.

The authenticator is Chromium's own (CDP, WebAuthn domain): it makes real keys and signatures. A
passkey belongs to a name, never to an address, so the browser goes to `localhost`.
"""

import re

import pytest
from playwright.async_api import CDPSession, Page, expect

from gateway.platform.accounts import totp
from tests.web.browser.conftest import SCREENSHOTS, Visitor
from tests.web.browser.newcomers import NEW, PASSWORD, signed_up

SECURITY = "/settings/security"


async def authenticator(page: Page) -> tuple[CDPSession, str]:
    """A platform authenticator whose owner is present and says yes."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable", {"enableUI": False})
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


async def sign_in(page: Page, url: str) -> None:
    await page.goto(url + "/sign-in")
    await page.locator("#email").fill(NEW)
    await page.locator("#password").fill(PASSWORD)
    await page.locator('form[action="/sign-in"] button').click()
    await page.wait_for_load_state()


async def sign_out(page: Page, url: str) -> None:
    await page.context.clear_cookies()
    await page.goto(url + "/console")
    await expect(page).to_have_url(url + "/sign-in")


@pytest.fixture
async def person(visitor: Visitor) -> tuple[Page, str]:
    """A page of somebody who has signed up, and the gateway's address by name."""
    page = await visitor.open("light", 1280)
    await signed_up(visitor, page)
    url = f"http://localhost:{visitor.gateway.port}"
    await sign_in(page, url)
    await expect(page).to_have_url(url + "/console")
    return page, url


async def test_a_passkey_is_registered_signs_in_and_is_removed(
    visitor: Visitor, person: tuple[Page, str]
) -> None:
    page, url = person
    session, id = await authenticator(page)
    await page.goto(url + SECURITY)
    await page.get_by_text("Add a passkey").click()
    form = page.locator('form[action="/settings/passkeys"]')
    await form.locator('[name="password"]').fill(PASSWORD)
    await form.locator('[name="name"]').fill("laptop")
    await form.get_by_role("button").click()
    await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    stored = await session.send("WebAuthn.getCredentials", {"authenticatorId": id})
    [credential] = stored["credentials"]
    assert credential["rpId"] == "localhost" and credential["signCount"] == 1
    await sign_out(page, url)
    await sign_in(page, url)
    await expect(page).to_have_url(url + "/sign-in/code")
    await page.goto(url + "/console")  # a password alone signs nobody in
    await expect(page).to_have_url(url + "/sign-in")
    await page.goto(url + "/sign-in/code")
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page).to_have_url(url + "/console")
    await page.goto(url + SECURITY)
    await expect(page.get_by_text("Passkey: laptop")).to_be_visible()
    remove = page.locator("main form")
    await page.locator("li", has_text="laptop").get_by_text("Remove").first.click()
    await remove.locator('[name="password"]').fill(PASSWORD)
    await remove.get_by_role("button").click()
    await expect(page.get_by_text("Passkey: laptop")).to_have_count(0)
    await sign_out(page, url)
    await sign_in(page, url)
    await expect(page).to_have_url(url + "/console")
    assert visitor.faults == []


async def test_another_authenticator_does_not_sign_in(
    visitor: Visitor, person: tuple[Page, str]
) -> None:
    page, url = person
    session, id = await authenticator(page)
    await page.goto(url + SECURITY)
    await page.get_by_text("Add a passkey").click()
    form = page.locator('form[action="/settings/passkeys"]')
    await form.locator('[name="password"]').fill(PASSWORD)
    await form.locator('[name="name"]').fill("lost")
    await form.get_by_role("button").click()
    await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    await session.send("WebAuthn.clearCredentials", {"authenticatorId": id})
    await sign_out(page, url)
    await sign_in(page, url)
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.get_by_text("The browser did not give a passkey.")).to_be_visible()
    await expect(page).to_have_url(url + "/sign-in/code")


async def test_an_app_is_added_by_its_qr_code_and_signs_in(
    visitor: Visitor, person: tuple[Page, str]
) -> None:
    page, url = person
    await page.goto(url + SECURITY)
    await page.get_by_text("Add an authenticator app").click()
    form = page.locator('form[action="/settings/totp"]')
    await form.locator('[name="password"]').fill(PASSWORD)
    await form.get_by_role("button").click()
    picture = page.get_by_role("img", name=re.compile("QR code"))
    box = await picture.locator("svg").bounding_box()
    assert box is not None and box["width"] >= 150 and abs(box["width"] - box["height"]) < 1
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / "totp.png")
    secret = (await page.locator(".address code").inner_text()).strip()

    def code(later: int = 0) -> str:
        step = int(visitor.gateway.gateway.platform.clock.now_us() // 30_000_000)
        return totp.code_at(secret, step + later)

    await page.locator("#code").fill(code())
    await page.get_by_role("button", name="Add the app").click()
    await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    codes = (await page.locator("main pre").inner_text()).split()
    await sign_out(page, url)
    await sign_in(page, url)
    await page.locator("#code").fill(code(1))  # a step later: each is used once
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(url + "/console")
    await sign_out(page, url)
    await sign_in(page, url)
    await page.locator("#code").fill(codes[0])
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(url + "/console")
    assert visitor.faults == []
