"""What is looked at on one page that stands in a browser; each look gives faults as sentences."""

import re
from functools import cache
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from gateway.web.console import i18n, messages

# Every rule of these, always. Only what is wrong leaves the page: to hand over what is right as
# well takes longer than the rules do.
AXE = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
  return found.violations.map(({ id, nodes }) =>
    `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 140)).join(" | ")}`);
}"""
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  // A stacked table is clipped: what sticks out of a cell is not seen by anybody.
  // What is brief is shortened with an ellipsis where there is no room for it.
  const cut = [...document.querySelectorAll(".stack td:not(.brief), .stack tbody th, .figure")]
    .filter((node) => node.checkVisibility() && node.scrollWidth > node.clientWidth + 1
      && node.getBoundingClientRect().width > 2)
    .slice(0, 5).map((node) => `cut: ${node.outerHTML.slice(0, 120)}`);
  if (cut.length) return cut;
  if (document.documentElement.scrollWidth <= width) return [];
  const beyond = [...document.querySelectorAll("main *, header *")]
    .filter((node) => node.getBoundingClientRect().right > width + 1
      && !node.parentElement.closest(".scroll, pre, .rail, .bar nav"))
    .slice(0, 5).map((node) => node.outerHTML.slice(0, 120));
  return beyond.length ? beyond : [`the page is ${document.documentElement.scrollWidth} wide`];
}"""
# On a telephone a table is read downwards.
SIDEWAYS = """() => innerWidth > 400 ? [] : [...document.querySelectorAll(".scroll")]
  .filter((node) => node.checkVisibility() && node.scrollWidth > node.clientWidth + 1)
  .map((node) => node.outerHTML.slice(0, 120))"""
# What a person reads or hears; not programs, nor what says itself that it is another language.
TEXTS = """() => {
  const found = new Set();
  const foreign = "code, pre, script, template, style, [lang]:not(html)";
  const add = (text) => { text = text.trim().replace(/\\s+/g, " "); if (text) found.add(text); };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest(foreign)) add(walker.currentNode.textContent);
  for (const name of ["aria-label", "title", "placeholder", "alt", "data-label"])
    for (const node of document.querySelectorAll(`[${name}]`))
      if (!node.closest(foreign)) add(node.getAttribute(name));
  add(document.title);
  return [...found];
}"""
# What a refusal or a warning looks like that says of itself that it has no other words.
WORDLESS = """() => [...document.querySelectorAll(".problem[lang], .notice[lang], .list [lang]")]
  .map((node) => node.textContent.trim())"""
SETTLED = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"""
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
    .flatMap((chart) => [chart.options.scales.y.ticks.color, chart.options.scales.x.ticks.color])
    .map((colour) => ratio(light(colour), ground));
  return { text, series, drawn };
}"""
_LATIN = re.compile(r"[A-Za-z]{2,}(?:[ ,;]+[a-z]{2,}){2,}")  # three words in a row
_PLACEHOLDER = re.compile(r"%\\\((\w+)\\\)[sd]")


def has_library() -> bool:
    """Whether the build could fetch Chart.js; without it every chart is its table."""
    return (Path(messages.__file__).parent / "static/vendor/chart.js").exists()


async def settle(page: Page) -> None:
    """Until the layout of this size and theme stands, and charts are drawn in its colours."""
    if has_library() and await page.query_selector("[data-chart]"):
        await page.wait_for_selector("[data-drawn]", state="attached")
    await page.evaluate(SETTLED)


async def wholeness(page: Page) -> list[str]:
    """Nothing sticks out, and the text of charts can be read."""
    beyond = await page.evaluate(OVERFLOW)
    found = [f"overflows: {beyond}"] if beyond else []
    if sideways := await page.evaluate(SIDEWAYS):
        found.append(f"scrolls sideways: {sideways}")
    if has_library() and await page.query_selector("[data-drawn]"):
        faint = [ratio for ratio in (await page.evaluate(CONTRAST))["drawn"] if ratio < 4.5]
        if faint:
            found.append(f"a chart's text is faint: {faint}")
    return found


async def access(page: Page) -> list[str]:
    """What axe finds; its program is handed to a page once."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(_axe())
    found: list[str] = await page.evaluate(AXE)
    return found


@cache
def _axe() -> str:
    return Axe().axe_script


async def unfold(page: Page) -> bool:
    """Open what can be opened in a page's main part; whether there was anything."""
    return bool(
        await page.evaluate(
            """() => {
            const folded = [...document.querySelectorAll("main details:not([open])")];
            for (const each of folded) { each.open = true; each.dataset.unfolded = ""; }
            return folded.length; }"""
        )
    )


async def fold(page: Page) -> None:
    """Close what `unfold` opened."""
    await page.evaluate(
        """() => { for (const each of document.querySelectorAll("[data-unfolded]"))
        { each.open = false; delete each.dataset.unfolded; } }"""
    )


async def words(page: Page, code: str) -> list[str]:
    """A title of its own, the language's tag, and nothing in English that could be translated."""
    found = []
    if not await page.evaluate("() => document.querySelectorAll('h1').length === 1"):
        found.append("has not one heading")
    if await page.get_attribute("html", "lang") != i18n.LANGUAGES[code].tag:
        found.append("is in another language")
    title = await page.title()
    if not title.endswith("Tallygate") or (title == "Tallygate" and not page.url.endswith("/")):
        found.append(f"has the title {title!r}")
    if wordless := await page.evaluate(WORDLESS):
        found.append(f"has no words for: {wordless}")
    texts = await page.evaluate(TEXTS)
    english = sorted(each for each in texts if in_english(code, each))
    return [*found, *([f"in English: {english[:5]}"] if english else [])]


def in_english(code: str, text: str) -> bool:
    """Whether it is a message whose translation differs, or English words in another script."""
    if code == "en":
        return False
    if text in _translations(code):  # a French word may be spelled as another English one
        return False
    if i18n.catalogue(code).gettext(text) != text:
        return True
    if any(pattern.fullmatch(text) for pattern in _patterns(code)):
        return True
    return code in ("zh", "ja", "ru") and _LATIN.search(text) is not None


@cache
def _translations(code: str) -> frozenset[str]:
    strings = (message.string for message in messages.load(code))
    return frozenset(
        form for each in strings for form in (each if isinstance(each, tuple) else (each,))
    )


@cache
def _patterns(code: str) -> list[re.Pattern[str]]:
    """The messages with values in them, as they would look untranslated."""
    found = []
    for message in messages.load(code):
        forms = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        for form in forms:
            if "%(" not in form or form in strings:
                continue
            if len(re.findall(r"[a-z]{2,}", re.sub(r"%\(\w+\)[sd]", "", form))) < 2:
                continue
            found.append(re.compile(_PLACEHOLDER.sub(".{1,80}", re.escape(form))))
    return found
