"""Pages that ask before an act and refused fields, in a browser: with scripts and without."""

import pytest
from playwright.async_api import expect

from gateway.platform.keys import KeyRow
from tests.fakes.gateway import CATALOG, EMAIL
from tests.fakes.upstream import FakeUpstream
from tests.web.browser.conftest import Visitor
from tests.web.browser.looks import OVERFLOW, access


async def own_key(visitor: Visitor) -> KeyRow:
    platform = visitor.gateway.gateway.platform
    made = await platform.keys.issue(platform.accounts.named(EMAIL), "my laptop")
    return await platform.keys.named(made.id)


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_key_is_revoked_by_typing_its_name(visitor: Visitor, scripts: bool) -> None:
    key, url = await own_key(visitor), visitor.gateway.url
    keys = visitor.gateway.gateway.platform.keys
    context = await visitor.browser.new_context(java_script_enabled=scripts)
    await visitor.choose(context, token=visitor.token)
    page = await context.new_page()
    await page.goto(f"{url}/console/keys/{key.id}")
    await page.get_by_role("link", name="Revoke").click()
    await expect(page.get_by_role("heading", name="Revoke the key")).to_be_visible()
    field = page.get_by_label("Type “my laptop” to confirm")
    await field.fill("my desktop")
    await page.get_by_role("button", name="Revoke the key").click()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#confirm-note")).to_contain_text("another name")
    assert (await keys.named(key.id)).revoked_us is None
    if scripts:
        await expect(field).to_be_focused()
        assert await page.evaluate(OVERFLOW) == []
        assert await access(page) == []
    await field.fill("my laptop")
    await page.get_by_role("button", name="Revoke the key").click()
    await expect(page).to_have_url(url + "/console/keys")
    assert (await keys.named(key.id)).revoked_us is not None
    await context.close()


async def test_whoever_thinks_better_of_it_goes_back(visitor: Visitor) -> None:
    key = await own_key(visitor)
    page = await visitor.open("dark", 360, token=visitor.token)
    await page.goto(f"{visitor.gateway.url}/console/keys/{key.id}/leaked")
    await page.get_by_role("link", name="Back").click()
    await expect(page.get_by_role("heading", name="my laptop")).to_be_visible()
    assert (await visitor.gateway.gateway.platform.keys.named(key.id)).revoked_us is None
    assert visitor.faults == []


async def test_the_first_refused_field_has_the_focus(visitor: Visitor) -> None:
    page = await visitor.open("light", 360, token=visitor.token)
    await page.goto(visitor.gateway.url + "/settings/profile")
    await page.get_by_label("Time zone").fill("Mars/Olympus")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Time zone")).to_be_focused()
    note = await page.get_by_label("Time zone").get_attribute("aria-describedby")
    await expect(page.locator(f"#{note}")).to_contain_text("no such time zone")
    assert await page.evaluate(OVERFLOW) == []
    assert await access(page) == []


async def test_what_a_test_found_is_said_by_the_one_live_region(visitor: Visitor) -> None:
    async with FakeUpstream() as upstream:
        toml = CATALOG.format(port=upstream.port, disconnect="abort")
        await visitor.gateway.command("catalog.apply", toml=toml)
        page = await visitor.open("light", 1280, token=visitor.token)
        await page.goto(visitor.gateway.url + "/admin/providers/up")
        await page.get_by_role("button", name="Test with a tiny request").click()
        await expect(page.get_by_text("It works.").first).to_be_visible()
        await expect(page.locator("#live")).to_contain_text("It works.")
        assert await page.locator("[role=status], [aria-live]").count() == 1
        assert visitor.faults == []
