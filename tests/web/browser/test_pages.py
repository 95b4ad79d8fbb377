"""Every page in both themes, wide and narrow, in three languages: whole, accessible, quiet."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from gateway.web.console import i18n, messages
from tests.web.browser.conftest import SCREENSHOTS, Visitor

PUBLIC = (
    *(
        "/",
        "/models",
        "/models?q=lorem",
        "/models?q=none-of-these",
        "/docs",
        "/docs/reference",
        "/status",
    ),
    *("/legal/privacy", "/legal/terms", "/legal/cookies", "/sign-in", "/sign-up", "/reset"),
    *("/reset/abc", "/confirm/abc", "/sign-in/abc"),
)
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# The other theme and width of a page differ in colours and sizes only.
AXE_SHORT = {"runOnly": {"type": "rule", "values": ["color-contrast", "target-size"]}}
WHOLE = {("light", 1280), ("dark", 360)}
LANGUAGES = {("light", 1280): "en", ("dark", 1280): "ru", ("light", 360): "zh", ("dark", 360): "ru"}
TEXTS = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (parent.closest("code, pre, script, template, [lang]:not(html)")) continue;
    const text = walker.currentNode.textContent.trim().replace(/\\s+/g, " ");
    if (text) found.push(text);
  }
  return found;
}"""
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("main *, header *")]
    .filter((node) => node.getBoundingClientRect().right > width + 1
      && !node.parentElement.closest(".scroll, pre, .rail, .bar nav"))
    .slice(0, 5).map((node) => node.outerHTML.slice(0, 120));
}"""


async def signed_in_pages(visitor: Visitor) -> list[str]:
    """Every page of the console and the administration that needs no id: new ones are met, too.

    Streams, files and steps of signing in are no pages: what is not HTML of status 200 is left out.
    """
    app = visitor.gateway.gateway._runner.app
    own = ("/console", "/settings", "/admin")
    paths = {
        route.resource.canonical
        for route in app.router.routes()
        if route.method == "GET" and route.resource is not None
    }
    found = []
    for path in sorted(p for p in paths if p.startswith(own) and "{" not in p):
        async with visitor.gateway.session.get(
            visitor.gateway.url + path,
            headers={"Cookie": f"token={visitor.token}"},
            allow_redirects=False,
        ) as response:
            if response.status >= 500:
                visitor.faults.append(f"{path}: {response.status}")
            elif response.status == 200 and response.content_type == "text/html":
                found.append(path)
    assert len(found) > 12, found
    return found


def untranslated(code: str, texts: list[str]) -> set[str]:
    """Texts of a page that stand in English though the catalogue has other words for them."""
    if code == "en":
        return set()
    found = set()
    for text in texts:
        known = i18n.catalogue(code).gettext(text)
        if known != text:
            found.add(text)
    return found


async def look(visitor: Visitor, page: Page, path: str, name: str) -> None:
    answer = await page.goto(visitor.gateway.url + path)
    assert answer is not None
    if answer.status != 200:
        visitor.faults.append(f"{path}: {answer.status}")
    if has_library() and await page.query_selector("[data-chart]"):
        await page.wait_for_selector("[data-drawn]", state="attached")
    beyond = await page.evaluate(OVERFLOW)
    if beyond:
        visitor.faults.append(f"{name} {path}: overflows: {beyond}")
    if os.environ.get("SCREENSHOTS"):  # to be looked at: tests/web/browser/screenshots
        SCREENSHOTS.mkdir(exist_ok=True)
        file = re.sub(r"\W+", "-", path).strip("-") or "home"
        await page.screenshot(path=SCREENSHOTS / f"{file}-{name}.png", full_page=True)


async def check_access(visitor: Visitor, page: Page, path: str, name: str, options: Any) -> None:
    result: Any = await Axe().run(page, options=options)
    for violation in result.response["violations"]:
        nodes = [node["html"][:140] for node in violation["nodes"][:3]]
        visitor.faults.append(f"{name} {path}: {violation['id']}: {nodes}")


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("theme", "width"), LANGUAGES)
async def test_every_page_is_whole_accessible_and_quiet(
    visitor: Visitor, theme: str, width: int
) -> None:
    first = LANGUAGES[theme, width]
    name = f"{theme}-{width}-{first}"
    options = AXE if (theme, width) in WHOLE else AXE_SHORT
    stranger = await visitor.open(theme, width, first)
    member = await visitor.open(theme, width, first, token=visitor.token)
    signed_in = await signed_in_pages(visitor)
    for page, paths in ((stranger, PUBLIC), (member, signed_in)):
        for path in paths:
            await look(visitor, page, path, name)
            await check_access(visitor, page, path, name, options)
            found = untranslated(first, await page.evaluate(TEXTS))
            if found:
                visitor.faults.append(f"{name} {path}: in English: {sorted(found)[:5]}")
    visitor.faults = [fault for fault in visitor.faults if "net::ERR_ABORTED" not in fault]
    assert not visitor.faults, "\n".join(visitor.faults)


async def test_the_other_languages_fit(visitor: Visitor) -> None:
    """French and Vietnamese are the longest words and the tallest letters: narrow pages hold."""
    page = await visitor.open("light", 360, token=visitor.token)
    signed_in = await signed_in_pages(visitor)
    for locale in ("fr", "vi", "ja"):
        await visitor.choose(page.context, locale=locale)
        for path in ("/", "/models", "/sign-up", "/status", *signed_in):
            await page.goto(visitor.gateway.url + path)
            beyond = await page.evaluate(OVERFLOW)
            if beyond:
                visitor.faults.append(f"{locale} {path}: overflows: {beyond}")
    assert not visitor.faults, "\n".join(visitor.faults)


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


CONTRAST = """() => {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (css) => {
    probe.fillStyle = css; probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3)
      .map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const of = (name) => {
    const node = document.createElement("i");
    node.style.color = `var(${name})`; document.body.append(node);
    const value = getComputedStyle(node).color; node.remove();
    return light(value);
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const ground = of("--surface");
  const names = ["--soft", "--ink", "--accent", "--good", "--warn", "--bad"];
  const text = names.map((name) => [name, ratio(of(name), ground)]);
  const series = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n, ratio(of(`--series-${n}`), ground)]);
  const drawn = Object.values(globalThis.Chart?.instances ?? {})
    .map((chart) => ratio(light(chart.options.scales.y.ticks.color), ground));
  return { text, series, drawn };
}"""


# A script of the page's own, with its nonce: the policy lets no other import anything.
DRAW = """() => {
  const script = document.createElement("script");
  script.type = "module";
  script.nonce = document.querySelector("script[nonce]").nonce;
  script.textContent = "import { draw } from '@/charts.js'; draw(document);";
  document.head.append(script);
}"""


def has_library() -> bool:
    """Whether the build could fetch Chart.js; without it every chart is its table."""
    return (Path(messages.__file__).parent / "static/vendor/chart.js").exists()


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


def test_three_languages_are_looked_at() -> None:
    assert set(LANGUAGES.values()) == {"en", "ru", "zh"} <= {*messages.TRANSLATED, "en"}
