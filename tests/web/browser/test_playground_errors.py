"""What the playground says of an answer that failed: in the reader's language, in each dialect."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, Route, expect

from gateway.base.errors import BudgetExceeded, GatewayError
from gateway.proxy.dialects.endpoints import BY_NAME
from gateway.proxy.dialects.errors import error_body, error_event
from gateway.web.console import i18n
from gateway.web.console.meanings import MEANINGS
from tests.web.browser.conftest import Visitor

DIALECTS = ("chat", "responses", "messages", "gemini")
Answer = Callable[[Route], Awaitable[None]]


def refused(error: GatewayError, dialect: str) -> Answer:
    body = error_body(error, BY_NAME[dialect].family, "req_1")
    return lambda route: route.fulfill(status=error.status, body=body)


def broken(error: GatewayError, dialect: str) -> Answer:
    body = error_event(error, BY_NAME[dialect], "req_1")
    return lambda route: route.fulfill(status=200, content_type="text/event-stream", body=body)


async def asked(page: Page, dialect: str, answer: Answer) -> tuple[str, list[str]]:
    """What is said to be wrong, and what is said beneath it in English."""
    await page.unroute_all()
    await page.route("**/v1*/**", answer)
    await page.locator("#new").click()
    await page.locator("#dialect").select_option(dialect)
    await page.locator("#prompt").fill("Bonjour")
    await page.keyboard.press("Enter")
    await expect(page.locator("#send")).to_be_visible(timeout=20_000)
    [wrong] = await page.locator(".answer .problem").all_inner_texts()
    return wrong, await page.locator(".answer .note[lang=en]").all_inner_texts()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("code", ["en", "fr"])
async def test_an_answer_that_failed_says_why_in_the_readers_language(
    visitor: Visitor, code: str
) -> None:
    page, error = await visitor.open("light", 360, code, token=visitor.token), BudgetExceeded()
    await page.goto(visitor.gateway.url + "/console/playground?model=sandbox/echo")
    translated = i18n.catalogue(code).gettext
    meaning = translated(MEANINGS[error.code])
    for dialect in DIALECTS:
        for answer in (refused(error, dialect), broken(error, dialect)):
            assert await asked(page, dialect, answer) == (meaning, [error.text]), dialect
    failed = translated("The answer failed.")

    async def proxy(route: Route) -> None:
        await route.fulfill(status=502, body="<h1>Bad Gateway</h1>")

    assert await asked(page, "chat", proxy) == (failed, ["HTTP 502"])
    unreachable = "The gateway could not be reached. Nothing more is charged; try again."
    assert await asked(page, "chat", lambda route: route.abort()) == (translated(unreachable), [])
    await page.reload()
    await page.locator("#past button").first.click()
    await expect(page.locator(".answer .problem")).to_have_text(translated(unreachable))
