"""An administrator at work: a provider, a model, a price, credit; then the ledger and the audit."""

from playwright.async_api import Page

from gateway.web.console import i18n
from tests.fakes.gateway import EMAIL, chat
from tests.fakes.upstream import FakeUpstream
from tests.web.browser import looks
from tests.web.browser.conftest import SCREENSHOTS, Visitor


async def shoot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"flow-{name}.png", full_page=True)


async def add_provider(page: Page, port: int) -> None:
    await page.click("nav.rail >> text=Providers")
    await page.fill("#name", "mine")
    await page.fill("#base_url", f"http://127.0.0.1:{port}/v1")
    await page.fill("#own-key", "sk-typed-once")
    await page.check("[name=private]")
    await page.click("form:has(#name) button")
    await page.wait_for_url("**/admin/providers/mine")
    assert "sk-typed-once" not in await page.content()


async def add_model(page: Page) -> None:
    await page.click("nav.rail >> text=Models & prices")
    await page.fill("#name", "team/fast")
    await page.select_option("#provider", "mine")
    await page.fill("#target", "fast-1")
    await page.click("form:has(#target) button")
    await page.wait_for_url("**/admin/models/team%2Ffast")
    assert await page.is_visible("text=This model has no price")
    await page.fill("#input", "1.5")
    await page.fill("#output", "3")
    await page.click("form:has(#begins) button")
    await page.wait_for_selector("text=input 1.5, output 3")
    assert not await page.is_visible("text=This model has no price")


async def give_credit(page: Page) -> None:
    await page.click("nav.rail >> text=Users")
    await page.fill("#q", "someone@")
    await page.press("#q", "Enter")
    await page.click(f"main a:has-text('{EMAIL}')")
    await page.fill("#usd", "25")
    await page.fill("#reason", "invoice 4711")
    await page.click("form:has(#usd) button")
    await page.wait_for_selector("td:has-text('25.00')")
    await shoot(page, "user")


async def test_an_administrator_opens_shop(visitor: Visitor) -> None:
    async with FakeUpstream() as upstream:
        await open_shop(visitor, upstream)


async def open_shop(visitor: Visitor, upstream: FakeUpstream) -> None:
    gateway = visitor.gateway
    before = await gateway.balance_microusd()
    page = await visitor.open("light", 1280, token=visitor.token)
    await page.goto(gateway.url + "/console")
    await page.click("header summary:has(svg) >> nth=-1")
    await page.click("header a[href='/admin']")
    await shoot(page, "home")
    await add_provider(page, upstream.port)
    await add_model(page)
    await shoot(page, "model")
    await page.click("nav.rail >> text=Providers")
    await page.click("main a:has-text('mine')")
    await page.click("text=Test with a tiny request")
    await page.wait_for_selector("text=It works.")
    await shoot(page, "provider")
    await give_credit(page)
    assert (await gateway.post(chat() | {"model": "team/fast"})).status == 200
    await gateway.settled()
    await page.click("nav.rail >> text=Ledger")
    assert await page.is_visible("text=invoice 4711")
    charge = page.locator("tr:has-text('charge')").first
    assert "0.000020" in await charge.inner_text()  # 7 x 1.5 + 3 x 3 is 19.5, carried below one
    await page.click("text=Check everything now")
    await page.wait_for_selector("text=Everything agrees.")
    await shoot(page, "ledger")
    await page.click("nav.rail >> text=Audit")
    for action in ("credits.request", "catalog.write", "accounts.read", "ledger.read"):
        assert await page.locator(f"td:has-text('{action}')").count() >= 1, action
    await page.click("text=Verify the chain")
    await page.wait_for_selector("text=as they were written")
    await shoot(page, "audit")
    spent = before + 25_000_000 - await gateway.balance_microusd()
    assert spent in (19, 20)  # a charge before it may have left half of one to carry
    assert not visitor.faults, visitor.faults


async def test_a_refused_form_is_whole_and_translated(visitor: Visitor) -> None:
    for locale in i18n.LANGUAGES:
        page = await visitor.open("light", 360, locale, token=visitor.token)
        await page.goto(visitor.gateway.url + "/admin/providers")
        await page.fill("#name", "mine")
        await page.fill("#base_url", "https://somebody:secret@a.example/v1")
        await page.click("form:has(#name) button")
        await page.wait_for_selector(".problem")
        found = [*await looks.words(page, locale), *await looks.wholeness(page)]
        visitor.faults += [f"{locale}: {fault}" for fault in found]
        await page.context.close()
    unexpected = [fault for fault in visitor.faults if "status of 422" not in fault]
    assert not unexpected, "\n".join(unexpected)
