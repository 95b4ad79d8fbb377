"""What the playground says of tokens and cost: what the log has, whatever the page had reckoned."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.fakes.gateway import EMAIL
from tests.web.browser.conftest import Visitor
from tests.web.browser.sessions import OWN

SLOW = "sandbox/lorem:tps=20,tokens=500"
PAGE = re.compile(r"/console/playground\?")


async def opened(visitor: Visitor, model: str) -> Page:
    """The playground with a model that need not be one of the list."""
    page = await visitor.open("light", 1280, token=visitor.token)
    await page.goto(visitor.gateway.url + "/console/playground")
    await page.evaluate(
        """(name) => { const o = document.createElement("option");
        o.textContent = name; o.selected = true; document.getElementById("model").append(o); }""",
        model,
    )
    return page


async def asked(page: Page) -> None:
    await page.get_by_role("textbox", name="Message").fill("Say this")
    await page.keyboard.press("Enter")


async def newest(visitor: Visitor) -> dict[str, Any]:
    return (await visitor.gateway.rows())[0]


def dollars(row: dict[str, Any]) -> str:
    return f"${row['cost_microusd'] / 1e6:.6f}".rstrip("0")


async def test_the_cost_is_the_charge_and_not_what_the_page_reckoned(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280, token=visitor.token)

    async def stale(route: Route) -> None:
        """The page as it was when everything cost a thousand times as much."""
        answer = await route.fetch()
        body = re.sub(r"(put&#34;: )(\d+)", r"\g<1>\g<2>000", await answer.text())
        await route.fulfill(response=answer, body=body)

    await page.route(PAGE, stale)
    held: list[Route] = []
    await page.route("**/api/v1/requests*", lambda route: held.append(route))
    await page.goto(visitor.gateway.url + "/console/playground?model=sandbox/lorem")
    await asked(page)
    facts = page.locator(".facts-line > span")
    await expect(facts).to_contain_text("estimated $")
    await page.wait_for_function("() => !document.getElementById('send').hidden")
    reckoned = await facts.inner_text()
    while not held:
        await page.wait_for_timeout(20)
    await page.unroute("**/api/v1/requests*")
    await held[0].continue_()
    await expect(facts).not_to_contain_text("estimated")
    row = await newest(visitor)
    assert f" · {dollars(row)} · " in await facts.inner_text()
    assert dollars(row) not in reckoned
    assert f"{row['output_tokens']} out" in await facts.inner_text()
    await page.unroute(PAGE)
    await page.reload()
    await page.locator("#past button").first.click()
    await expect(facts).to_contain_text(dollars(row))  # it was kept with the conversation
    await expect(facts).not_to_contain_text("estimated")
    assert visitor.faults == []


async def test_a_stopped_answer_says_what_was_charged(visitor: Visitor) -> None:
    page = await opened(visitor, SLOW)
    await asked(page)
    await expect(page.locator(".answer .said")).not_to_be_empty()
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator(".charge")).to_contain_text("was charged.")
    row = await newest(visitor)
    assert row["outcome"] == "client_gone" and row["cost_microusd"] > 0
    await expect(page.locator(".charge")).to_have_text(f"{dollars(row)} was charged.")
    await expect(page.locator(".facts-line")).to_contain_text(f"{row['output_tokens']} out")
    await expect(page.locator(".request-id code")).to_have_text(row["id"])
    assert visitor.faults == []


async def test_a_failed_answer_says_that_nothing_was_charged_and_its_id(visitor: Visitor) -> None:
    page = await opened(visitor, "sandbox/lorem:error=500")
    await asked(page)
    await expect(page.locator(".charge")).to_have_text("Nothing was charged.")
    row = await newest(visitor)
    await expect(page.locator(".request-id code")).to_have_text(row["id"])
    await page.locator(".facts-line a").click()
    await expect(page.locator("main")).to_contain_text("Nothing was charged.")
    assert [fault for fault in visitor.faults if "502" not in fault] == []


async def test_what_cannot_be_known_is_not_claimed(visitor: Visitor) -> None:
    page = await opened(visitor, "sandbox/echo")
    await page.route("**/v1/chat/**", lambda route: route.abort())
    await asked(page)
    await expect(page.locator(".charge")).to_have_text("The log says what was charged.")
    assert str(await page.locator(".facts-line a").get_attribute("href")) == "/console/logs"


@pytest.mark.timeout(60)
async def test_it_holds_at_the_desk_of_an_organisation_too(visitor: Visitor) -> None:
    platform = visitor.gateway.gateway.platform
    firm = await platform.organisations.found(platform.accounts.named(EMAIL), "Firm")
    await platform.ledger.grant(firm.account.no, 10**6, reason="test", transaction_id="grant:firm")
    async with visitor.gateway.session.post(
        visitor.gateway.url + "/console/desk",
        data={"organisation": firm.id},
        headers={"Cookie": f"token={visitor.token}", **OWN},
        allow_redirects=False,
    ) as response:
        assert response.status == 303
    page = await opened(visitor, "sandbox/echo")
    await asked(page)
    await expect(page.locator(".facts-line > span")).to_contain_text("$")
    await expect(page.locator(".facts-line > span")).not_to_contain_text("estimated")
    row = await newest(visitor)
    assert dollars(row) in await page.locator(".facts-line").inner_text()
    assert platform.ledger.balance(firm.account.no) == 10**6 - row["cost_microusd"]
    assert visitor.faults == []
