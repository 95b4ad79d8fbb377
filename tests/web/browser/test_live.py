"""Pages that fetch themselves again while somebody uses them, and where the focus goes then."""

import asyncio
import json
import threading

from playwright.async_api import Page, expect
from sqlalchemy import Connection

from gateway.base.progress import Progress
from gateway.platform.audit import START, AuditReport, Head
from gateway.platform.checks import AUDIT
from tests.web.browser import looks
from tests.web.browser.conftest import ROW, Visitor

TODAY = "[data-live=today] .figure"
MONTH = "[data-live=month]"
FOCUSED = "document.activeElement.matches('[data-live=month] summary')"


async def ask(visitor: Visitor) -> None:
    answer = await visitor.gateway.post({"model": "sandbox/echo", "messages": [ROW]})
    assert answer.status == 200
    await visitor.gateway.settled()


async def requests_shown(page: Page, count: int) -> None:
    await expect(page.locator(TODAY).nth(1)).to_have_text(str(count), timeout=20_000)
    await expect(page.locator(f"{MONTH} tbody")).to_contain_text("sandbox/echo")


async def test_an_update_closes_no_table_and_takes_no_focus(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280, token=visitor.token)
    await page.goto(visitor.gateway.url + "/console")
    await expect(page.locator(TODAY).nth(1)).to_have_text("3")
    summary, table = page.locator(f"{MONTH} summary"), page.locator(f"{MONTH} table")
    await expect(table).to_be_hidden()
    await summary.click()
    await page.evaluate("document.querySelector('[data-live=month] .scroll').style.maxHeight = 0")
    await page.evaluate("scrollTo(0, 200)")
    row = page.locator(f"{MONTH} tbody tr").filter(has_text="sandbox/echo")
    for count in (2, 3):
        await ask(visitor)
        await requests_shown(page, count + 2)
        await expect(row.locator("td").first).to_have_text(str(count))
        await expect(table).to_be_visible()
        assert await page.evaluate(FOCUSED)
        assert await page.evaluate("scrollY") == 200
    await summary.press("Enter")
    await ask(visitor)
    await requests_shown(page, 6)
    await expect(row.locator("td").first).to_have_text("4")
    await expect(table).to_be_hidden()
    assert not visitor.faults, visitor.faults


async def test_after_delete_all_the_focus_is_on_a_new_conversation(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280, token=visitor.token)
    await page.goto(visitor.gateway.url + "/console/playground?model=sandbox/echo")
    await page.get_by_role("textbox", name="Message").fill("Hello")
    await page.keyboard.press("Enter")
    await expect(page.locator("#clear")).to_be_enabled()
    await page.locator("#clear").evaluate(
        "(each) => { each.closest('details')?.toggleAttribute('open', true); }"
    )
    await page.click("#clear")
    await page.click("#sure button[value=yes]")
    await expect(page.locator("#clear")).to_be_disabled()
    await expect(page.locator("#new")).to_be_focused()


async def test_hours_and_exact_amounts_are_in_the_readers_words(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280, "fr", token=visitor.token)
    await page.goto(visitor.gateway.url + "/console/usage?range=24h&show=cost")
    spec = json.loads(await page.get_attribute("[data-chart]", "data-chart") or "")
    assert len(spec["labels"]) == 24 and all(len(each) == 16 for each in spec["labels"])
    exact = page.locator("figcaption data")
    assert "$US" in (await exact.get_attribute("title") or "")
    assert "<" not in (await page.get_attribute("canvas", "aria-label") or "")
    await page.goto(visitor.gateway.url + "/console/logs?range=24h")
    hour = page.locator("[data-live=histogram] tbody time").first
    shown = await hour.text_content() or ""
    assert ":00" in shown and "-" not in shown
    assert (await hour.get_attribute("datetime") or "").endswith(":00Z")
    assert await hour.get_attribute("title")
    assert not visitor.faults, visitor.faults


async def test_a_check_that_runs_shows_how_far_it_is_and_then_its_result(visitor: Visitor) -> None:
    platform, go = visitor.gateway.gateway.platform, threading.Event()
    told: list[Progress] = []

    def slow(connection: Connection, progress: Progress) -> AuditReport:
        progress.begin(1, 1, 9_000)
        progress.count(1_500)
        told.append(progress)
        go.wait(60)
        return AuditReport(9_000, Head(9_000, START), [])

    check = asyncio.create_task(platform.checks.run(AUDIT, slow))
    page = await visitor.open("light", 1280, token=visitor.token)
    await page.goto(visitor.gateway.url + "/admin/audit")
    part, again = (
        page.locator("[aria-labelledby=chain]"),
        page.get_by_role("link", name="Look again"),
    )
    await expect(part).to_contain_text("1,500 of 9,000 rows")
    for width in (1280, 360):
        await page.set_viewport_size({"width": width, "height": 800})
        assert not await looks.wholeness(page) and not await looks.access(page)
    await again.focus()
    told[0].count(3_000)
    await expect(part).to_contain_text("4,500 of 9,000 rows", timeout=20_000)
    await expect(again).to_be_focused()
    assert await part.locator("progress").evaluate("(bar) => bar.position") == 0.5
    go.set()
    await check
    await expect(part).to_contain_text("9000 rows are as they were written", timeout=20_000)
    await expect(page.locator("#live")).to_contain_text("9000 rows are as they were written")
    await expect(page.get_by_role("button", name="Verify the chain")).to_be_visible()
    assert not visitor.faults, visitor.faults
