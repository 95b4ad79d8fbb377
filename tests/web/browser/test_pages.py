"""What pages do in a browser whatever they show: language and theme, the keyboard, charts."""

import pytest

from tests.web.browser.conftest import Visitor
from tests.web.browser.looks import CONTRAST, has_library


async def test_language_and_theme_are_chosen_and_kept(visitor: Visitor) -> None:
    context = await visitor.browser.new_context(locale="fr-CA", color_scheme="light")
    page = await context.new_page()
    await page.goto(visitor.gateway.url + "/models?q=lorem")
    assert await page.get_attribute("html", "lang") == "fr"
    assert await context.cookies() == []
    await page.click("header .menu summary")
    await page.click("button[value=dark]")
    assert page.url.endswith("/models?q=lorem")
    assert await page.get_attribute("html", "data-theme") == "dark"
    await page.click("header .menu summary")
    await page.click("button[value=ru]")
    assert await page.get_attribute("html", "lang") == "ru"
    kept = {each["name"]: each for each in await context.cookies()}
    assert set(kept) == {"theme", "locale"} and kept["locale"]["httpOnly"]
    await page.click("header .menu summary")
    await page.click("button[value=system]")
    assert {each["name"] for each in await context.cookies()} == {"locale"}


async def test_the_frame_works_by_keyboard_alone(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280, token=visitor.token)
    await page.goto(visitor.gateway.url + "/console")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("?")
    assert await page.is_visible("#shortcuts")
    await page.keyboard.press("Escape")
    assert not await page.is_visible("#shortcuts")
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await page.wait_for_url("**/settings/profile")
    await page.goto(visitor.gateway.url + "/models")
    await page.keyboard.press("/")
    assert await page.evaluate("document.activeElement.id") == "q"


async def test_shortcuts_are_switched_off_and_on_again(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280, token=visitor.token)
    await page.goto(visitor.gateway.url + "/console")
    for wanted in (False, True):
        await page.click("header .menu summary")
        await page.click("#shortcuts-open button")
        assert await page.is_visible("#shortcuts")
        await page.set_checked("#shortcuts-on", wanted)
        await page.keyboard.press("Escape")
        assert not await page.is_visible("#shortcuts")
        assert await page.evaluate("document.activeElement.matches('header .menu summary')")
        await page.reload()
        await page.keyboard.press("?")
        assert await page.is_visible("#shortcuts") == wanted
    assert not visitor.faults, visitor.faults


async def test_every_page_of_a_rail_has_a_key_that_the_list_tells(visitor: Visitor) -> None:
    page = await visitor.open("light", 1280, token=visitor.token)
    for start in ("/console", "/admin"):
        await page.goto(visitor.gateway.url + start)
        links = await page.eval_on_selector_all(
            ".rail a", "all => all.map((a) => [a.dataset.key, new URL(a.href).pathname])"
        )
        keys = [key for key, _ in links]
        assert all(keys) and len(set(keys)) == len(keys)
        told = await page.eval_on_selector_all(
            "#shortcuts kbd + kbd", "all => all.map((each) => each.textContent)"
        )
        assert told == keys
        for key, path in links:  # the last leads out of this rail
            await page.keyboard.press("g")
            async with page.expect_navigation(url=f"**{path}"):
                await page.keyboard.press(key)
    assert not visitor.faults, visitor.faults


# A script of the page's own, with its nonce: the policy lets no other import anything.
DRAW = """() => {
  const script = document.createElement("script");
  script.type = "module";
  script.nonce = document.querySelector("script[nonce]").nonce;
  script.textContent = "import { draw } from '@/charts.js'; draw(document);";
  document.head.append(script);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_text_and_series_of_charts_are_readable(visitor: Visitor, theme: str) -> None:
    """axe sees nothing inside a canvas, so its colours are measured here."""
    page = await visitor.open(theme, 1280, token=visitor.token)
    await page.goto(visitor.gateway.url + "/console")
    chart = """<figure class="card chart" data-chart='{"type":"bar","unit":"usd","labels":["a","b"],
      "series":[{"label":"x","values":[1500000,2500000]}]}'><figcaption></figcaption>
      <div class="plot" hidden><canvas></canvas></div><details open></details></figure>"""
    await page.evaluate(
        "(html) => document.querySelector('main').insertAdjacentHTML('beforeend', html)", chart
    )
    await page.evaluate(DRAW)
    if has_library():
        await page.wait_for_selector("[data-drawn]", state="attached")
    measured = await page.evaluate(CONTRAST)
    assert all(ratio >= 4.5 for _, ratio in measured["text"]), measured["text"]
    assert all(ratio >= 3 for _, ratio in measured["series"]), measured["series"]
    assert bool(measured["drawn"]) == has_library()
    assert all(ratio >= 4.5 for ratio in measured["drawn"])
    assert not visitor.faults, visitor.faults
